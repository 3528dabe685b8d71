// The forward pass of a small network's convolutions in one kernel, from the pixels of the images to the last maximum.
#pragma once

#include "kernel_batch.h"
#include "kernel_fused_layers.h"

namespace fd {

struct FusedForward {
  GatherImages images;              // what they are read from; its out is not used
  const float *weights;             // the encoder's values, of the first client
  i64 client;                       // stride of weights
  i64 weight[kFusedLayers];         // offsets of the weights [out, in, kernel, kernel] within the encoder
  i64 bias[kFusedLayers];           // offsets of the biases [out]
  void *pooled[kFusedLayers];       // [clients, samples, out, pooled_h pooled_w]; null if nothing reads it later
  u8 *which[kFusedLayers];          // like pooled: position of each maximum in its window, or kNothing; null in evaluation
  int together;                     // number of samples of a block
  FusedNet net;
};

// Shared memory: the weights of all layers, then for each sample the inputs of the layers, of which the even ones and the
// odd ones share their places.
template <int n>
FD_DEVICE int fused_weights(const FusedNet &net) {  // floats of the weights of the layers before n
  if constexpr (n == 0) {
    return 0;
  } else {
    FusedLayer l = layer_of<n - 1>(net);
    return fused_weights<n - 1>(net) + (n <= net.layers ? taps_of(l) * wide_of(l.out) : 0);
  }
}
template <int n>
FD_DEVICE int fused_inputs(const FusedNet &net) {  // floats of a sample's inputs of the layers n, n + 2, ...
  if constexpr (n >= kFusedLayers) {
    return 0;
  } else {
    int own = n < net.layers ? in_words(padded_size(layer_of<n>(net))) : 0, others = fused_inputs<n + 2>(net);
    return own > others ? own : others;
  }
}
FD_DEVICE int fused_sample(const FusedNet &net) { return fused_inputs<0>(net) + fused_inputs<1>(net); }
FD_DEVICE int fused_forward_shared(const FusedNet &net, int together) {
  return fused_weights<kFusedLayers>(net) + together * fused_sample(net);
}

// A value as activations of type T keep it.
template <typename T>
FD_DEVICE float rounded(float x) {
  T kept;
  put(&kept, x);
  return get(&kept);
}

// Copies a layer's weights as [in kernel kernel, tiles, tile in whole words].
template <int n>
FD_DEVICE void stage_weights(const FusedForward &a, i64 client, float *shared) {
  FusedLayer l = layer_of<n>(a.net);
  int taps = taps_of(l), tile = tile_of(l.out), words = in_words(tile), wide = wide_of(l.out);
  const float *weight = a.weights + client * a.client + a.weight[n];
  float *to = shared + fused_weights<n>(a.net);
  FD_EACH(i, taps * wide) {
    int o = i % wide / words * tile + i % words;
    to[i] = i % words < tile && o < l.out ? weight[o * taps + i / wide] : 0.0f;
  }
}

// Copies a sample's image, with zeros around it.
template <typename T>
FD_DEVICE void stage_image(const FusedForward &a, i64 client, int sample, float *to) {
  const GatherImages &g = a.images;
  FusedLayer l = layer_of<0>(a.net);
  int width = padded_width(l), plane = padded_size(l) / l.in;
  i64 number = g.image_of[slot_of(g.batch, static_cast<int>(client), sample)];
  const u8 *image = g.pixels + number * (l.in * l.height * l.width);
  FD_EACH(i, l.in * plane) {
    int c = i / plane, y = i % plane / width - l.padding, z = i % plane % width - l.padding;
    bool inside = y >= 0 && y < l.height && z >= 0 && z < l.width;
    to[i] = inside ? rounded<T>(g.table[c * 256 + image[(c * l.height + y) * l.width + z]]) : 0.0f;
  }
}

// One layer. Its maxima are the next layer's input.
template <typename T, int n>
FD_DEVICE void fused_layer(const FusedForward &a, i64 client, int first, int samples, float *shared) {
  FusedLayer l = layer_of<n>(a.net), next = layer_of<n + 1 < kFusedLayers ? n + 1 : n>(a.net);
  bool last = n + 1 >= a.net.layers;
  int tile = tile_of(l.out), words = in_words(tile), tiles = tiles_of(l.out), wide = wide_of(l.out);
  int width = padded_width(l), plane = padded_size(l) / l.in;
  int next_width = padded_width(next), next_plane = padded_size(next) / next.in;
  int pooled_w = pooled_width(l), area = pooled_height(l) * pooled_w, each = fused_sample(a.net);
  float *places = shared + fused_weights<kFusedLayers>(a.net);
  const float *x = places + (n % 2 ? fused_inputs<0>(a.net) : 0), *weights = shared + fused_weights<n>(a.net);
  float *to = places + (n % 2 ? 0 : fused_inputs<0>(a.net));
  const float *bias = a.weights + client * a.client + a.bias[n];
  if (!last && next.padding > 0) {
    FD_EACH(i, samples * next.in * next_plane) {
      int s = i / (next.in * next_plane), at = i % (next.in * next_plane);
      int y = at % next_plane / next_width - next.padding, z = at % next_plane % next_width - next.padding;
      if (y < 0 || y >= next.height || z < 0 || z >= next.width) to[s * each + at] = 0.0f;
    }
  }
  FD_EACH(i, samples * tiles * area) {
    int p = i % area, o = i / area % tiles, s = i / area / tiles;
    const float *from = x + s * each + p / pooled_w * 2 * width + p % pooled_w * 2, *w = weights + o * words;
    o *= tile;
    float sum[4][kOutputs];
    FD_UNROLL for (int v = 0; v < tile; v++)
      for (int q = 0; q < 4; q++) sum[q][v] = tile * tiles == l.out || o + v < l.out ? bias[o + v] : 0.0f;
    for (int c = 0; c < l.in; c++)
      FD_UNROLL for (int ky = 0; ky < l.kernel; ky++) {
        const float *above = from + c * plane + ky * width, *below = above + width;
        FD_UNROLL for (int kx = 0; kx < l.kernel; kx++)
          FD_UNROLL for (int v = 0; v < tile; v++) {
            float tap = w[((c * l.kernel + ky) * l.kernel + kx) * wide + v];
            sum[0][v] += above[kx] * tap;
            sum[1][v] += above[kx + 1] * tap;
            sum[2][v] += below[kx] * tap;
            sum[3][v] += below[kx + 1] * tap;
          }
      }
    FD_UNROLL for (int v = 0; v < tile; v++) {
      if (tile * tiles > l.out && o + v >= l.out) continue;
      float most = sum[0][v];
      int where = 0;
      FD_UNROLL for (int q = 1; q < 4; q++)
        if (sum[q][v] > most || sum[q][v] != sum[q][v]) {  // a NaN is the maximum, as in PyTorch
          most = sum[q][v];
          where = q;
        }
      float value = rounded<T>(most < 0 ? 0.0f : most);
      i64 e = ((client * a.images.batch.samples + first + s) * l.out + o + v) * area + p;
      if (a.pooled[n] != nullptr) put(static_cast<T *>(a.pooled[n]) + e, value);
      if (a.which[n] != nullptr) a.which[n][e] = most <= 0 ? kNothing : static_cast<u8>(where);
      if (last) continue;
      int y = p / pooled_w + next.padding, z = p % pooled_w + next.padding;
      to[s * each + (o + v) * next_plane + y * next_width + z] = value;
    }
  }
}

// The outputs of padded slots, which have no images: maxima of zero that let no gradient through.
template <typename T, int n>
FD_DEVICE void fused_padding(const FusedForward &a, i64 slot, int slots) {
  int size = pooled_size(layer_of<n>(a.net));
  FD_EACH(i, slots * size) {
    if (a.pooled[n] != nullptr) put(static_cast<T *>(a.pooled[n]) + slot * size + i, 0.0f);
    if (a.which[n] != nullptr) a.which[n][slot * size + i] = kNothing;
  }
}

// Layer n and those behind it.
template <typename T, int n>
FD_DEVICE void fused_begin(const FusedForward &a, i64 client, i64 padding, int slots, float *shared) {
  if (n >= a.net.layers) return;
  fused_padding<T, n>(a, padding, slots);
  stage_weights<n>(a, client, shared);
  if constexpr (n + 1 < kFusedLayers) fused_begin<T, n + 1>(a, client, padding, slots, shared);
}
template <typename T, int n>
FD_DEVICE void fused_layers(const FusedForward &a, i64 client, int first, int samples, float *shared) {
  if (n >= a.net.layers) return;
  FD_SYNC;
  fused_layer<T, n>(a, client, first, samples, shared);
  if constexpr (n + 1 < kFusedLayers) fused_layers<T, n + 1>(a, client, first, samples, shared);
}

// A block is a group of samples of a client.
template <typename T>
FD_DEVICE void fused_forward(const FusedForward &a, i64 block, float *shared) {
  int all = a.images.batch.samples, groups = (all + a.together - 1) / a.together;
  i64 client = quotient(block, groups);
  int first = remainder_of(block, groups) * a.together, slots = all - first < a.together ? all - first : a.together;
  int left = count_of(a.images.batch, static_cast<int>(client)) - first;  // slots with images come first
  int samples = left < 0 ? 0 : left < slots ? left : slots;
  fused_begin<T, 0>(a, client, client * all + first + samples, slots - samples, shared);
  float *images = shared + fused_weights<kFusedLayers>(a.net);
  for (int s = 0; s < samples; s++) stage_image<T>(a, client, first + s, images + s * fused_sample(a.net));
  fused_layers<T, 0>(a, client, first, samples, shared);
}
FD_KERNELS_SHAPED(fused_forward, FusedForward)

}  // namespace fd
