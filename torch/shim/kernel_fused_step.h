// The steps of SGD of a small network's layers, each linear layer's with the gradient of its weights, so that this gradient
// is never in memory.
#pragma once

#include "kernel_fused_backward.h"
#include "kernel_fused_dense.h"

namespace fd {

constexpr int kStepSamples = 64;  // number of samples that lie in shared memory at once

struct FusedStep {
  FusedSgd convolutions;           // its values are 0 if no convolution is trained
  DenseNet net;
  int encoder, head;               // 1 if the linear layers of the encoder, and the head, are trained
  i64 weight[kDenseLayers + 1];    // offsets of the weights of the layers and of the head in a client's values
  const void *inputs[kDenseLayers + 1];   // [clients, samples, in]
  const float *grads[kDenseLayers + 1];   // [clients, samples, out]
  CrossEntropy loss;               // its logits and grad are not used
  const float *each;               // [clients, samples]: losses
};

// A thread has a tile of four outputs and four inputs of a layer's weights, a block a rectangle of tiles.
FD_DEVICE int step_rows(const DenseLayer &l) {
  constexpr int kMost = 16;
  int blocks = (fours(l.out) + kMost - 1) / kMost;
  return (fours(l.out) + blocks - 1) / blocks;
}
FD_DEVICE int step_columns(const DenseLayer &l) {
  int most = kThreads / step_rows(l), blocks = (fours(l.in) + most - 1) / most;
  return (fours(l.in) + blocks - 1) / blocks;
}
FD_DEVICE int step_across(const DenseLayer &l) { return (fours(l.in) + step_columns(l) - 1) / step_columns(l); }
FD_DEVICE int step_blocks(const DenseLayer &l) {
  return (fours(l.out) + step_rows(l) - 1) / step_rows(l) * step_across(l);
}

// Number of blocks of a client for the linear layers, in front of layer n; n == kDenseLayers + 1 counts all.
template <int n>
FD_DEVICE int blocks_before(const FusedStep &a) {
  if constexpr (n == 0) {
    return 0;
  } else if constexpr (n <= kDenseLayers) {
    return blocks_before<n - 1>(a) + (a.encoder && n <= a.net.layers ? step_blocks(dense_layer<n - 1>(a.net)) : 0);
  } else {
    return blocks_before<kDenseLayers>(a) + (a.head ? step_blocks(head_layer(a.net)) : 0);
  }
}
// Behind them are the blocks of the convolutions, and one for the loss.
FD_DEVICE int fused_step_blocks(const FusedStep &a) {
  return blocks_before<kDenseLayers + 1>(a) + (a.convolutions.values + kThreads - 1) / kThreads + 1;
}

// Shared memory: gradients and inputs of kStepSamples samples, and the sums of the samples before them; or the losses of a
// batch.
FD_DEVICE int step_shared(const DenseLayer &l, int samples) {
  int rows = 4 * step_rows(l), columns = 4 * step_columns(l), once = samples < kStepSamples ? samples : kStepSamples;
  return once * (rows + columns) + (samples > once ? rows * columns + rows : 0);
}
template <int n>
FD_DEVICE int most_step_shared(const FusedStep &a) {
  int samples = a.convolutions.batch.samples;
  if constexpr (n == 0) {
    return larger(samples, step_shared(head_layer(a.net), samples));
  } else {
    int others = most_step_shared<n - 1>(a);
    return n <= a.net.layers ? larger(others, step_shared(dense_layer<n - 1>(a.net), samples)) : others;
  }
}
FD_DEVICE int fused_step_shared(const FusedStep &a) { return most_step_shared<kDenseLayers>(a); }

// The step of a rectangle of a layer's weights, and of the biases beside the first column. The samples are added in their
// order.
template <typename T>
FD_DEVICE void dense_step(const FusedStep &a, i64 client, int block, const DenseLayer &l, i64 weight, const T *inputs,
                          const float *grads, float *shared) {
  const FusedSgd &c = a.convolutions;
  int rows = step_rows(l), columns = step_columns(l), across = step_across(l), high = 4 * rows, wide = 4 * columns;
  int row = block / across * high, column = block % across * wide;
  int most = c.batch.samples < kStepSamples ? c.batch.samples : kStepSamples, count = count_of(c.batch, static_cast<int>(client));
  float *g = shared, *x = g + most * high, *before = x + most * wide, *biases = before + high * wide;
  SgdSettings settings = settings_of(c.sgd, client);
  i64 values = client * c.sgd.stride + weight, slot = client * c.batch.samples;
  for (int first = 0; first < count; first += kStepSamples) {
    int samples = count - first < kStepSamples ? count - first : kStepSamples;
    bool begins = first == 0, ends = first + samples == count;
    FD_EACH(i, samples * rows) {
      int o = row + i % rows * 4;
      float grad[4] = {0, 0, 0, 0};
      if (o < l.out) get_row(grads + (slot + first + i / rows) * l.out, o, l.out, grad);
      store_four(g + 4 * i, grad);
    }
    FD_EACH(i, samples * columns) {
      int k = column + i % columns * 4;
      float in[4] = {0, 0, 0, 0};
      if (k < l.in) get_row(inputs + (slot + first + i / columns) * l.in, k, l.in, in);
      store_four(x + 4 * i, in);
    }
    FD_SYNC;
    FD_EACH(i, rows * columns) {
      int o = i / columns * 4, k = i % columns * 4;
      float sum[4][4];
      FD_UNROLL for (int v = 0; v < 4; v++)
        FD_UNROLL for (int w = 0; w < 4; w++) sum[v][w] = begins ? 0.0f : before[16 * i + 4 * v + w];
      for (int s = 0; s < samples; s++) {
        float grad[4], in[4];
        load_four(g + s * high + o, grad);
        load_four(x + s * wide + k, in);
        FD_UNROLL for (int v = 0; v < 4; v++)
          FD_UNROLL for (int w = 0; w < 4; w++) sum[v][w] += grad[v] * in[w];
      }
      FD_UNROLL for (int v = 0; v < 4; v++) {
        if (!ends) {
          store_four(before + 16 * i + 4 * v, sum[v]);
          continue;
        }
        if (row + o + v >= l.out || column + k >= l.in) continue;
        i64 at = values + static_cast<i64>(row + o + v) * l.in + column + k;
        if (l.whole) {
          sgd_four(c.sgd, settings, at, sum[v]);
          continue;
        }
        FD_UNROLL for (int w = 0; w < 4; w++)
          if (column + k + w < l.in) sgd_at(c.sgd, settings, at + w, sum[v][w]);
      }
    }
    FD_EACH(o, column == 0 ? high : 0) {
      float sum = begins ? 0.0f : biases[o];
      for (int s = 0; s < samples; s++) sum += g[s * high + o];
      if (!ends) biases[o] = sum;
      else if (row + o < l.out) sgd_at(c.sgd, settings, values + static_cast<i64>(l.in) * l.out + row + o, sum);
    }
    if (!ends) FD_SYNC;
  }
}

// Layer n or one behind it.
template <typename T, int n>
FD_DEVICE void step_layers(const FusedStep &a, i64 client, int block, float *shared) {
  if constexpr (n < kDenseLayers) {
    if (block >= blocks_before<n + 1>(a)) return step_layers<T, n + 1>(a, client, block, shared);
  }
  DenseLayer l = head_layer(a.net);
  if constexpr (n < kDenseLayers) l = dense_layer<n>(a.net);
  dense_step(a, client, block - blocks_before<n>(a), l, a.weight[n], static_cast<const T *>(a.inputs[n]), a.grads[n], shared);
}

// A block is a rectangle of the weights of a linear layer, or kThreads of the convolutions' values, or the loss.
template <typename T>
FD_DEVICE void fused_step(const FusedStep &a, i64 block, float *shared) {
  int blocks = fused_step_blocks(a), dense = blocks_before<kDenseLayers + 1>(a), which = remainder_of(block, blocks);
  i64 client = quotient(block, blocks);
  if (which < dense) {
    step_layers<T, 0>(a, client, which, shared);
  } else if (which + 1 < blocks) {
    fused_sgd_of(a.convolutions, client, which - dense);
  } else {
    int count = count_of(a.convolutions.batch, static_cast<int>(client));
    FD_EACH(j, count) shared[j] = a.each[client * a.convolutions.batch.samples + j];
    FD_SYNC;
    add_losses(a.loss, client, shared, count);
  }
}
FD_KERNELS_SHAPED(fused_step, FusedStep)

}  // namespace fd
