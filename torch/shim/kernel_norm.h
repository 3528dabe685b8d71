// Batch norm and group norm of every client by itself, alone, with the ReLU behind it, or with the addition of a shortcut before or
// behind the ReLU. In training a batch norm's statistics leave out the padding of a short batch, whose outputs and gradients are
// zero.
#pragma once

#include "kernel_batch.h"
#include "kernel_code.h"

namespace fd {

// What a layer computes behind its norm, if anything.
constexpr int kReluBehind = 1;        // a ReLU
constexpr int kAdditionBehind = 2;    // the addition of a shortcut, and a ReLU
constexpr int kReluThenAddition = 3;  // a ReLU, and the addition of a shortcut; the backward pass is that of kReluBehind

struct Norm {
  Batch batch;
  View x;                                          // [clients, samples, channels, plane]
  View y;                                          // like x: the output; in the backward pass its gradient
  View x_grad;                                     // like x, or no data if it is not wanted
  View other;                                      // like x, for an addition: the shortcut; for kAdditionBehind its gradient too
  View out;                                        // like x, for kAdditionBehind: the output, in the backward pass
  const float *weight, *bias;                      // [clients, channels]
  float *weight_grad, *bias_grad, *mean, *variance;  // like weight; mean and variance are the running statistics
  i64 client;                                      // stride between clients of all six
  float *saved;  // mean and 1/deviation: [clients, channels, 2] for batch norm, [clients, samples, groups, 2] for group norm
  int samples, channels, plane, groups, training;
  int behind;  // 0 or one of the constants
  float eps, momentum;
};

// The output for a value of the norm at a place. A NaN passes a ReLU, as in PyTorch.
template <typename T>
FD_DEVICE float output_of(const Norm &a, float value, i64 client, i64 sample, i64 c, int place) {
  if (a.behind == kReluThenAddition && value < 0) value = 0;
  if (a.behind == kAdditionBehind || a.behind == kReluThenAddition)  // a sum has rounded operands, as if it were a layer of its own
    value = rounded_to<T>(value) + get(at_plane<T>(a.other, client, sample, c) + place);
  return (a.behind == kReluBehind || a.behind == kAdditionBehind) && value < 0 ? 0.0f : value;
}
// The gradient of the norm's value. The value is computed again from the normalised input, in the same way as in the forward
// pass, so that the backward pass need not read the output. For an addition, grad is that of the sum.
FD_DEVICE float value_grad(const Norm &a, float grad, float normalised, float scale, float shift) {
  return a.behind == kReluBehind && normalised * scale + shift <= 0 ? 0.0f : grad;
}
// The gradient of the output at a place; for an addition that of the sum, which is also the gradient of the shortcut and is
// written there. It depends on both operands, so the output is read.
template <typename T>
FD_DEVICE float sum_grad(const Norm &a, i64 client, i64 sample, i64 c, int place) {
  float grad = get(at_plane<T>(a.y, client, sample, c) + place);
  if (a.behind != kAdditionBehind) return grad;
  if (get(at_plane<T>(a.out, client, sample, c) + place) <= 0) grad = 0;
  put(at_plane<T>(a.other, client, sample, c) + place, grad);
  return grad;
}
// Where sum_grad has left the gradients.
FD_DEVICE View sum_grads(const Norm &a) { return a.behind == kAdditionBehind ? a.other : a.y; }

// A block is a channel of a client.
template <typename T>
FD_DEVICE void batch_norm(const Norm &a, i64 block, float *partial) {
  int client = quotient(block, a.channels), c = remainder_of(block, a.channels);
  i64 at = client * a.client + c;
  const T *x = at_plane<T>(a.x, client, 0, c);
  int count = a.training ? count_of(a.batch, client) : a.samples, n = count * a.plane;
  float mean, variance;
  if (a.training) {
    FD_EACH(t, kThreads) {
      float sum = 0;
      for (int e = t; e < n; e += kThreads) sum += get(x + e / a.plane * a.x.sample + e % a.plane);
      partial[t] = sum;
    }
    add_up(partial);
    mean = partial[0] / n;
    FD_SYNC;
    FD_EACH(t, kThreads) {
      float sum = 0;
      for (int e = t; e < n; e += kThreads) {
        float d = get(x + e / a.plane * a.x.sample + e % a.plane) - mean;
        sum += d * d;
      }
      partial[t] = sum;
    }
    add_up(partial);
    variance = partial[0] / n;
  } else {
    mean = a.mean[at];
    variance = a.variance[at];
  }
  float inverse = 1.0f / sqrtf(variance + a.eps), scale = a.weight[at], shift = a.bias[at];
  if (a.training) FD_EACH(t, 1) {
    a.mean[at] += a.momentum * (mean - a.mean[at]);
    a.variance[at] += a.momentum * (partial[0] / (n - 1) - a.variance[at]);
    a.saved[2 * block] = mean;
    a.saved[2 * block + 1] = inverse;
  }
  FD_EACH(e, a.samples * a.plane) {
    int s = e / a.plane, p = e % a.plane;
    float value = get(x + s * a.x.sample + p);
    value = (value - mean) * inverse * scale + shift;
    put(at_plane<T>(a.y, client, s, c) + p, s < count ? output_of<T>(a, value, client, s, c, p) : 0.0f);
  }
}
FD_KERNELS(batch_norm, Norm)

// A block is a channel of a client.
template <typename T>
FD_DEVICE void batch_norm_back(const Norm &a, i64 block, float *partial) {
  i64 client = quotient(block, a.channels), c = block - client * a.channels, at = client * a.client + c;
  int count = count_of(a.batch, static_cast<int>(client)), n = count * a.plane;
  float mean = a.saved[2 * block], inverse = a.saved[2 * block + 1], weight = a.weight[at], shift = a.bias[at];
  FD_EACH(t, kThreads) {
    float sum = 0, along = 0;
    for (int e = t; e < n; e += kThreads) {
      float d = get(at_plane<T>(a.x, client, e / a.plane, c) + e % a.plane) - mean;
      float g = value_grad(a, sum_grad<T>(a, client, e / a.plane, c, e % a.plane), d * inverse, weight, shift);
      sum += g;
      along += g * d * inverse;
    }
    partial[t] = sum;
    partial[kThreads + t] = along;
  }
  add_up(partial);
  add_up(partial + kThreads);
  float sum = partial[0], along = partial[kThreads];
  FD_EACH(t, 1) {
    a.bias_grad[at] = sum;
    a.weight_grad[at] = along;
  }
  FD_EACH(e, a.samples * a.plane)  // each thread has the same places as below
    if (a.behind == kAdditionBehind && e >= n) put(at_plane<T>(a.other, client, e / a.plane, c) + e % a.plane, 0.0f);
  if (a.x_grad.data == nullptr) return;
  float scale = weight * inverse;
  FD_EACH(e, a.samples * a.plane) {
    int s = e / a.plane, p = e % a.plane;
    float x = (get(at_plane<T>(a.x, client, s, c) + p) - mean) * inverse;
    float g = value_grad(a, get(at_plane<T>(sum_grads(a), client, s, c) + p), x, weight, shift);
    put(at_plane<T>(a.x_grad, client, s, c) + p, s < count ? scale * (g - sum / n - x * along / n) : 0.0f);
  }
}
FD_KERNELS(batch_norm_back, Norm)

// A block is a group of channels of a sample.
template <typename T>
FD_DEVICE void group_norm(const Norm &a, i64 block, float *partial) {
  int each = a.channels / a.groups, n = each * a.plane;
  i64 of_all = quotient(block, a.groups), first = (block - of_all * a.groups) * each;
  i64 client = quotient(of_all, a.samples), sample = of_all - client * a.samples;
  FD_EACH(t, kThreads) {
    float sum = 0;
    for (int e = t; e < n; e += kThreads) sum += get(at_plane<T>(a.x, client, sample, first + e / a.plane) + e % a.plane);
    partial[t] = sum;
  }
  add_up(partial);
  float mean = partial[0] / n;
  FD_SYNC;
  FD_EACH(t, kThreads) {
    float sum = 0;
    for (int e = t; e < n; e += kThreads) {
      float d = get(at_plane<T>(a.x, client, sample, first + e / a.plane) + e % a.plane) - mean;
      sum += d * d;
    }
    partial[t] = sum;
  }
  add_up(partial);
  float inverse = 1.0f / sqrtf(partial[0] / n + a.eps);
  FD_EACH(t, 1) {
    a.saved[2 * block] = mean;
    a.saved[2 * block + 1] = inverse;
  }
  FD_EACH(e, n) {
    i64 c = first + e / a.plane, at = client * a.client + c;
    float x = get(at_plane<T>(a.x, client, sample, c) + e % a.plane);
    put(at_plane<T>(a.y, client, sample, c) + e % a.plane,
        output_of<T>(a, (x - mean) * inverse * a.weight[at] + a.bias[at], client, sample, c, e % a.plane));
  }
}
FD_KERNELS(group_norm, Norm)

// A block is a group of channels of a sample: the gradient of the input. group_norm_scale_back comes before it.
template <typename T>
FD_DEVICE void group_norm_back(const Norm &a, i64 block, float *partial) {
  int each = a.channels / a.groups, n = each * a.plane;
  i64 of_all = quotient(block, a.groups), first = (block - of_all * a.groups) * each;
  i64 client = quotient(of_all, a.samples), sample = of_all - client * a.samples;
  float mean = a.saved[2 * block], inverse = a.saved[2 * block + 1];
  FD_EACH(t, kThreads) {
    float sum = 0, along = 0;
    for (int e = t; e < n; e += kThreads) {
      i64 c = first + e / a.plane, at = client * a.client + c;
      float d = get(at_plane<T>(a.x, client, sample, c) + e % a.plane) - mean, weight = a.weight[at];
      float g = value_grad(a, get(at_plane<T>(sum_grads(a), client, sample, c) + e % a.plane), d * inverse, weight, a.bias[at]) * weight;
      sum += g;
      along += g * d * inverse;
    }
    partial[t] = sum;
    partial[kThreads + t] = along;
  }
  add_up(partial);
  add_up(partial + kThreads);
  float sum = partial[0], along = partial[kThreads];
  FD_EACH(e, n) {
    i64 c = first + e / a.plane, at = client * a.client + c;
    float x = (get(at_plane<T>(a.x, client, sample, c) + e % a.plane) - mean) * inverse, weight = a.weight[at];
    float g = value_grad(a, get(at_plane<T>(sum_grads(a), client, sample, c) + e % a.plane), x, weight, a.bias[at]) * weight;
    put(at_plane<T>(a.x_grad, client, sample, c) + e % a.plane, inverse * (g - sum / n - x * along / n));
  }
}
FD_KERNELS(group_norm_back, Norm)

// A block is a channel of a client: the gradients of the scale and the shift.
template <typename T>
FD_DEVICE void group_norm_scale_back(const Norm &a, i64 block, float *partial) {
  i64 client = quotient(block, a.channels), c = block - client * a.channels, group = quotient(c, a.channels / a.groups);
  float scale = a.weight[client * a.client + c], shift = a.bias[client * a.client + c];
  FD_EACH(t, kThreads) {
    float sum = 0, along = 0;
    for (int e = t; e < a.samples * a.plane; e += kThreads) {
      i64 sample = e / a.plane;
      const float *saved = a.saved + 2 * ((client * a.samples + sample) * a.groups + group);
      float d = get(at_plane<T>(a.x, client, sample, c) + e % a.plane) - saved[0];
      float g = value_grad(a, sum_grad<T>(a, client, sample, c, e % a.plane), d * saved[1], scale, shift);
      sum += g;
      along += g * d * saved[1];
    }
    partial[t] = sum;
    partial[kThreads + t] = along;
  }
  add_up(partial);
  add_up(partial + kThreads);
  FD_EACH(t, 1) {
    a.bias_grad[client * a.client + c] = partial[0];
    a.weight_grad[client * a.client + c] = partial[kThreads];
  }
}
FD_KERNELS(group_norm_scale_back, Norm)

}  // namespace fd
