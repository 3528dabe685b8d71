// The backward pass of a small network's convolutions in one kernel: the gradients of weights and biases, summed over the
// samples of a block. Another kernel adds those sums up and takes the step of SGD.
#pragma once

#include "kernel_fused_forward.h"
#include "kernel_sgd.h"

namespace fd {

struct FusedBackward {
  GatherImages images;                // as in the forward pass
  const float *weights;               // the encoder's values, of the first client
  i64 client;                         // stride of weights
  i64 weight[kFusedLayers];           // offsets within the encoder of the weights, behind which are the biases
  const void *pooled[kFusedLayers];   // what the forward pass has kept
  const u8 *which[kFusedLayers];
  const void *grad;                   // gradient of the last maxima, [clients, samples, out, pooled_h pooled_w]
  float *partial;                     // [clients, groups, values]: gradients of a group of samples, in the encoder's order
  int values;                         // number of values of the convolutions
  int together;                       // number of samples of a group
  FusedNet net;
};

constexpr int kBackOutputs = 4;  // number of channels that a thread computes at once, at most

// Rows in shared memory begin at words of 16 bytes, an odd number of them apart, so that threads on different rows use
// different banks.
FD_DEVICE int row_of(int width) { return in_words(width) / 4 % 2 == 1 ? in_words(width) : in_words(width) + 4; }
FD_DEVICE int back_tiles(int channels) { return (channels + kBackOutputs - 1) / kBackOutputs; }
FD_DEVICE int back_tile(int channels) { return (channels + back_tiles(channels) - 1) / back_tiles(channels); }

// The gradient of a convolution's output lies in shared memory with zeros around it where it is needed for the gradient of
// the input, that is in every layer but the first. It has whole windows of the maximum, of which an even number of rows and
// columns is zero in front.
template <int n>
FD_DEVICE int back_border(const FusedLayer &l) { return n == 0 ? 0 : l.kernel - 1 - l.padding; }
template <int n>
FD_DEVICE int back_front(const FusedLayer &l) { return (back_border<n>(l) + 1) / 2 * 2; }
template <int n>
FD_DEVICE int back_side(const FusedLayer &l, int side, int pooled) {
  int all = back_front<n>(l) - back_border<n>(l) + (side + 1) / 2 * 2 + l.kernel - 1;
  return n == 0 ? 2 * pooled : (all + 1) / 2 * 2;
}
template <int n>
FD_DEVICE int back_height(const FusedLayer &l) { return back_side<n>(l, l.height, pooled_height(l)); }
template <int n>
FD_DEVICE int back_width(const FusedLayer &l) { return back_side<n>(l, l.width, pooled_width(l)); }
template <int n>
FD_DEVICE int back_plane(const FusedLayer &l) { return back_height<n>(l) * row_of(back_width<n>(l)); }
FD_DEVICE int back_input(const FusedLayer &l) { return l.in * (l.height + 2 * l.padding) * row_of(padded_width(l)); }

// The gradients of weights are dealt out in rows of the filters: for each tile of output channels and each input channel a
// thread has one row of each filter, and one more "row" is the biases. The first layer has few rows, so that there the
// samples' rows are dealt out too, in parts.
template <int n>
FD_DEVICE int filter_channels(const FusedLayer &l) {
  int each = n == 0 ? kBackOutputs : (l.out * l.in * l.kernel + kThreads - 1) / kThreads;
  each = each > kBackOutputs ? kBackOutputs : each;
  int tiles = (l.out + each - 1) / each;
  return (l.out + tiles - 1) / tiles;
}
template <int n>
FD_DEVICE int filter_tiles(const FusedLayer &l) { return (l.out + filter_channels<n>(l) - 1) / filter_channels<n>(l); }
FD_DEVICE int filter_rows(const FusedLayer &l) { return l.in * l.kernel + 1; }
template <int n>
FD_DEVICE int filter_parts(const FusedLayer &l) {
  int parts = kThreads / (filter_tiles<n>(l) * filter_rows(l));
  return n > 0 || parts < 1 ? 1 : parts;
}

// Shared memory: ones; the weights of a layer and the gradients of its input, or the sums of the first layer's parts; and for
// each sample the input of a layer and the gradient of its output.
constexpr int kMostRow = 64;  // number of ones: columns of a row at most
template <int n>
FD_DEVICE int back_most(const FusedNet &net, int what) {  // the largest over the layers from n on
  if constexpr (n >= kFusedLayers) {
    return 0;
  } else {
    if (n >= net.layers) return 0;
    FusedLayer l = layer_of<n>(net);
    int own = 0, others = back_most<n + 1>(net, what);
    if (what == 0 && n > 0) own = l.out * l.kernel * l.kernel * back_tiles(l.in) * in_words(back_tile(l.in));
    if (what == 1 && n > 0) own = in_words(l.in * l.height * l.width);
    if (what == 2) own = back_input(l);
    if (what == 3) own = l.out * back_plane<n>(l);
    return own > others ? own : others;
  }
}
FD_DEVICE int back_weights(const FusedNet &net) { return back_most<0>(net, 0); }
FD_DEVICE int back_grads(const FusedNet &net) { return back_most<0>(net, 1); }
FD_DEVICE int back_sample(const FusedNet &net) { return back_most<0>(net, 2) + back_most<0>(net, 3); }
FD_DEVICE int back_before(const FusedNet &net, int together) {
  FusedLayer l = layer_of<0>(net);
  int sums = in_words(filter_parts<0>(l) * (taps_of(l) + 1) * l.out), others = back_weights(net) + together * back_grads(net);
  return kMostRow + (sums > others ? sums : others);
}
FD_DEVICE int fused_backward_shared(const FusedNet &net, int together) {
  return back_before(net, together) + together * back_sample(net);
}

// The input of a layer, with zeros around it, and its weights as [out, kernel kernel, tiles of in], the filters turned around.
template <typename T, int n>
FD_DEVICE void stage_back(const FusedBackward &a, i64 client, int first, int samples, float *shared, float *x) {
  FusedLayer l = layer_of<n>(a.net);
  int width = row_of(padded_width(l)), plane = back_input(l) / l.in, each = back_sample(a.net), size = l.in * l.height * l.width;
  for (int s = 0; s < samples; s++) {
    const GatherImages &g = a.images;
    const u8 *image = g.pixels;
    const T *kept = nullptr;
    if constexpr (n == 0) image += static_cast<i64>(g.image_of[slot_of(g.batch, static_cast<int>(client), first + s)]) * size;
    else kept = static_cast<const T *>(a.pooled[n - 1]) + (client * g.batch.samples + first + s) * size;
    FD_EACH(i, l.in * plane) {
      int c = i / plane, y = i % plane / width - l.padding, z = i % plane % width - l.padding;
      int at = (c * l.height + y) * l.width + z;
      float value = 0;
      if (y >= 0 && y < l.height && z >= 0 && z < l.width)
        value = n == 0 ? rounded<T>(g.table[c * 256 + image[at]]) : get(kept + at);
      x[s * each + i] = value;
    }
  }
  if constexpr (n > 0) {
    int tile = back_tile(l.in), words = in_words(tile), wide = back_tiles(l.in) * words, taps = l.kernel * l.kernel;
    const float *weight = a.weights + client * a.client + a.weight[n];
    FD_EACH(i, l.out * taps * wide) {
      int c = i % wide / words * tile + i % words, o = i / wide / taps, tap = taps - 1 - i / wide % taps;
      shared[i] = i % words < tile && c < l.in ? weight[(o * l.in + c) * taps + tap] : 0.0f;
    }
  }
}

// The gradient of a layer's output from that of its maxima.
template <typename T, int n>
FD_DEVICE void unpool(const FusedBackward &a, i64 client, int first, int samples, const float *grads, float *to) {
  FusedLayer l = layer_of<n>(a.net);
  bool last = n + 1 >= a.net.layers;
  int height = back_height<n>(l) / 2, width = back_width<n>(l) / 2, row = row_of(back_width<n>(l)), front = back_front<n>(l) / 2;
  int pooled_h = pooled_height(l), pooled_w = pooled_width(l), size = pooled_size(l), each = back_sample(a.net);
  i64 begin = (client * a.images.batch.samples + first) * size;
  FD_EACH(i, samples * l.out * height * width) {
    int z = i % width, y = i / width % height, o = i / width / height % l.out, s = i / width / height / l.out;
    int py = y - front, pz = z - front;
    bool inside = py >= 0 && py < pooled_h && pz >= 0 && pz < pooled_w;
    int at = (o * pooled_h + py) * pooled_w + pz, which = inside ? a.which[n][begin + s * size + at] : kNothing;
    float grad = 0;
    if (which != kNothing)
      grad = last ? get(static_cast<const T *>(a.grad) + begin + s * size + at) : grads[s * back_grads(a.net) + at];
    float *quad = to + s * each + o * back_plane<n>(l) + 2 * y * row + 2 * z;
    quad[0] = which == 0 ? grad : 0.0f;
    quad[1] = which == 1 ? grad : 0.0f;
    quad[row] = which == 2 ? grad : 0.0f;
    quad[row + 1] = which == 3 ? grad : 0.0f;
  }
}

// Two neighbours, the first at an even place.
FD_DEVICE void load_pair(const float *from, float &left, float &right) {
#ifdef __CUDACC_RTC__
  float2 pair = *reinterpret_cast<const float2 *>(from);
  left = pair.x, right = pair.y;
#else
#ifdef FD_FIBERS
  fd_fibers_aligned(from, 8);
#endif
  left = from[0], right = from[1];
#endif
}

// Four neighbours, the first of which begins a word of 16 bytes if whole is true, and a word of 8 bytes otherwise.
FD_DEVICE void load_neighbours(const float *from, bool whole, float *to) {
  if (whole) {
    load_four(from, to);
    return;
  }
  load_pair(from, to[0], to[1]);
  load_pair(from + 2, to[2], to[3]);
}

// Adds the products of a row of the gradients of a tile's channels with the inputs under the columns of the filters. An even
// number of outputs is computed, four at a time, and the last two alone if four do not divide it.
template <int n>
FD_DEVICE void filter_row(const FusedLayer &l, int o, const float *from, const float *grad, float (&sum)[kBackOutputs][5]) {
  int channels = filter_channels<n>(l), columns = 2 * pooled_width(l);
  bool cut = channels * filter_tiles<n>(l) > l.out, words = back_front<n>(l) % 4 == 0;
  float window[8], g[4];  // the inputs of four outputs
  load_four(from, window);
  FD_UNROLL for (int z = 0; z < columns; z += 4) {
    bool whole = z + 4 <= columns;
    if (whole) load_four(from + z + 4, window + 4);
    else if (l.kernel > 3) load_pair(from + z + 4, window[4], window[5]);
    FD_UNROLL for (int v = 0; v < channels; v++) {
      if (cut && o + v >= l.out) continue;
      if (whole) load_neighbours(grad + v * back_plane<n>(l) + z, words, g);
      else load_pair(grad + v * back_plane<n>(l) + z, g[0], g[1]);
      FD_UNROLL for (int j = 0; j < (whole ? 4 : 2); j++)
        FD_UNROLL for (int kx = 0; kx < l.kernel; kx++) sum[v][kx] += g[j] * window[j + kx];
    }
    if (whole) FD_UNROLL for (int j = 0; j < 4; j++) window[j] = window[j + 4];
  }
}

// The gradients of weights and biases of a block's samples, in parts.
template <int n>
FD_DEVICE void filters_back(const FusedBackward &a, int samples, const float *ones, const float *x, const float *y, float *sums) {
  FusedLayer l = layer_of<n>(a.net);
  int channels = filter_channels<n>(l), tiles = filter_tiles<n>(l), rows = filter_rows(l), parts = filter_parts<n>(l);
  int width = row_of(padded_width(l)), plane = back_input(l) / l.in, row = row_of(back_width<n>(l)), each = back_sample(a.net);
  int height = 2 * pooled_height(l), front = back_front<n>(l);
  FD_EACH(i, parts * tiles * rows) {
    int r = i % rows, o = i / rows % tiles * channels, part = i / rows / tiles, c = r / l.kernel, ky = r % l.kernel;
    bool biases = r == rows - 1;
    const float *from = biases ? ones : x + c * plane + ky * width, *grad = y + o * back_plane<n>(l) + front * row + front;
    int sample = biases ? 0 : each, line = biases ? 0 : width;  // from one sample and one row to the next
    float sum[kBackOutputs][5];
    FD_UNROLL for (int v = 0; v < channels; v++)
      FD_UNROLL for (int kx = 0; kx < l.kernel; kx++) sum[v][kx] = 0;
    if constexpr (n > 0) {
      for (int s = 0; s < samples; s++)
        for (int q = 0; q < height; q++)
          filter_row<n>(l, o, from + s * sample + q * line, grad + s * each + q * row, sum);
    } else {
      for (int at = part; at < samples * height; at += parts) {
        int s = at / height, q = at % height;
        filter_row<n>(l, o, from + s * sample + q * line, grad + s * each + q * row, sum);
      }
    }
    float *to = sums + part * (taps_of(l) + 1) * l.out;
    FD_UNROLL for (int v = 0; v < channels; v++) {
      if (channels * tiles > l.out && o + v >= l.out) continue;
      if (biases) {
        to[taps_of(l) * l.out + o + v] = sum[v][0];
        continue;
      }
      float *filter = to + (((o + v) * l.in + c) * l.kernel + ky) * l.kernel;
      FD_UNROLL for (int kx = 0; kx < l.kernel; kx++) filter[kx] = sum[v][kx];
    }
  }
}

// The gradients of a row that reach two neighbouring inputs. The first lies at an even place if the border is even.
template <int n>
FD_DEVICE void load_gradients(const FusedLayer &l, const float *from, float (&to)[6]) {
  FD_UNROLL for (int kx = 0; kx <= l.kernel; kx += 2) {
    if (back_border<n>(l) % 2 == 0) load_pair(from + kx, to[kx], to[kx + 1]);
    else to[kx] = from[kx], to[kx + 1] = from[kx + 1];
  }
}

// The gradient of a layer's input, where it is not padding.
template <int n>
FD_DEVICE void input_back(const FusedBackward &a, int samples, const float *weights, const float *y, float *to) {
  FusedLayer l = layer_of<n>(a.net);
  int tile = back_tile(l.in), words = in_words(tile), tiles = back_tiles(l.in), wide = tiles * words, taps = l.kernel * l.kernel;
  int row = row_of(back_width<n>(l)), skip = back_front<n>(l) - back_border<n>(l), each = back_sample(a.net);
  int height = (l.height + 1) / 2, width = (l.width + 1) / 2;
  FD_EACH(i, samples * tiles * height * width) {
    int z = i % width * 2, q = i / width % height * 2, c = i / width / height % tiles, s = i / width / height / tiles;
    const float *from = y + s * each + (q + skip) * row + z + skip, *w = weights + c * words;
    c *= tile;
    float sum[4][kBackOutputs];
    FD_UNROLL for (int v = 0; v < tile; v++)
      for (int p = 0; p < 4; p++) sum[p][v] = 0;
    for (int o = 0; o < l.out; o++) {
      float above[6], below[6];  // the gradients of two rows
      load_gradients<n>(l, from + o * back_plane<n>(l), above);
      FD_UNROLL for (int ky = 0; ky < l.kernel; ky++) {
        load_gradients<n>(l, from + o * back_plane<n>(l) + (ky + 1) * row, below);
        FD_UNROLL for (int kx = 0; kx < l.kernel; kx++)
          FD_UNROLL for (int v = 0; v < tile; v++) {
            float tap = w[(o * taps + ky * l.kernel + kx) * wide + v];
            sum[0][v] += above[kx] * tap;
            sum[1][v] += above[kx + 1] * tap;
            sum[2][v] += below[kx] * tap;
            sum[3][v] += below[kx + 1] * tap;
          }
        FD_UNROLL for (int kx = 0; kx <= l.kernel; kx++) above[kx] = below[kx];
      }
    }
    FD_UNROLL for (int v = 0; v < tile; v++) {
      if (tiles * tile > l.in && c + v >= l.in) continue;
      float *at = to + s * back_grads(a.net) + ((c + v) * l.height + q) * l.width + z;
      FD_UNROLL for (int p = 0; p < 4; p++)
        if ((l.height % 2 == 0 || q + p / 2 < l.height) && (l.width % 2 == 0 || z + p % 2 < l.width))
          at[p / 2 * l.width + p % 2] = sum[p][v];
    }
  }
}

// Layer n and those in front of it.
template <typename T, int n>
FD_DEVICE void fused_back(const FusedBackward &a, i64 client, int first, int samples, float *shared, float *out) {
  if (n < a.net.layers) {
    FusedLayer l = layer_of<n>(a.net);
    float *weights = shared + kMostRow, *grads = weights + back_weights(a.net);
    float *x = shared + back_before(a.net, a.together), *y = x + back_most<0>(a.net, 2);
    if (n + 1 >= a.net.layers) FD_EACH(i, kMostRow) shared[i] = 1;
    stage_back<T, n>(a, client, first, samples, weights, x);
    unpool<T, n>(a, client, first, samples, grads, y);
    FD_SYNC;
    if constexpr (n > 0) {
      filters_back<n>(a, samples, shared, x, y, out + a.weight[n]);
      input_back<n>(a, samples, weights, y, grads);
      FD_SYNC;
    } else {
      int parts = filter_parts<0>(l), values = (taps_of(l) + 1) * l.out;
      filters_back<0>(a, samples, shared, x, y, weights);
      FD_SYNC;
      FD_EACH(i, values) {
        float sum = 0;
        for (int p = 0; p < parts; p++) sum += weights[p * values + i];
        out[a.weight[0] + i] = sum;
      }
    }
  }
  if constexpr (n > 0) fused_back<T, n - 1>(a, client, first, samples, shared, out);
}

// A block is a group of samples of a client. Groups without images have no partial sums.
template <typename T>
FD_DEVICE void fused_backward(const FusedBackward &a, i64 block, float *shared) {
  int groups = (a.images.batch.samples + a.together - 1) / a.together;
  i64 client = quotient(block, groups);
  int first = remainder_of(block, groups) * a.together, left = count_of(a.images.batch, static_cast<int>(client)) - first;
  if (left <= 0) return;
  fused_back<T, kFusedLayers - 1>(a, client, first, left < a.together ? left : a.together, shared, a.partial + block * a.values);
}
FD_KERNELS_SHAPED(fused_backward, FusedBackward)

// A step of SGD for the convolutions of an encoder.
struct FusedSgd {
  Sgd sgd;               // its ranges are not used
  Batch batch;
  const float *partial;  // of FusedBackward
  i64 begin;             // begin of the encoder in a client's values
  int values, together;
};

// The step of kThreads of the convolutions' values of a client. The groups' gradients are added in their order.
FD_DEVICE void fused_sgd_of(const FusedSgd &a, i64 client, int chunk) {
  int begin = chunk * kThreads, groups = (a.batch.samples + a.together - 1) / a.together;
  int used = (count_of(a.batch, static_cast<int>(client)) + a.together - 1) / a.together;
  SgdSettings settings = settings_of(a.sgd, client);
  FD_EACH(i, a.values - begin < kThreads ? a.values - begin : kThreads) {
    const float *from = a.partial + client * groups * a.values + begin + i;
    float sum = 0;
    for (int g = 0; g < used; g++) sum += from[static_cast<i64>(g) * a.values];
    sgd_at(a.sgd, settings, client * a.sgd.stride + a.begin + begin + i, sum);
  }
}

// A block is such a part of a client.
FD_DEVICE void fused_sgd(const FusedSgd &a, i64 block, float *) {
  int blocks = (a.values + kThreads - 1) / kThreads;
  fused_sgd_of(a, quotient(block, blocks), remainder_of(block, blocks));
}
FD_KERNEL(fused_sgd_step, fused_sgd, FusedSgd)

}  // namespace fd
