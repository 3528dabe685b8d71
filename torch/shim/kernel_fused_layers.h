// The convolutions of a small network, each with bias, ReLU and 2x2 maximum, for the kernels that compute all of them.
#pragma once

#include "kernel_block.h"
#include "kernel_code.h"

namespace fd {

constexpr int kFusedLayers = 4;    // number of convolutions of a network at most
constexpr int kMostTogether = 8;   // number of samples of a block at most

struct FusedNet {
  int layers;             // number of convolutions
  int in, height, width;  // shape of the images
  int out[kFusedLayers], kernel[kFusedLayers], padding[kFusedLayers];
};

// One of the convolutions; height and width are those of its input.
struct FusedLayer {
  int in, height, width, out, kernel, padding;
};

FD_DEVICE int pooled_height(const FusedLayer &l) { return (l.height + 2 * l.padding - l.kernel + 1) / 2; }
FD_DEVICE int pooled_width(const FusedLayer &l) { return (l.width + 2 * l.padding - l.kernel + 1) / 2; }
FD_DEVICE int pooled_size(const FusedLayer &l) { return l.out * pooled_height(l) * pooled_width(l); }
FD_DEVICE int padded_width(const FusedLayer &l) { return l.width + 2 * l.padding; }
FD_DEVICE int padded_size(const FusedLayer &l) { return l.in * (l.height + 2 * l.padding) * padded_width(l); }
FD_DEVICE int taps_of(const FusedLayer &l) { return l.in * l.kernel * l.kernel; }

// Layer n. An index that varies would put the net on the stack of every thread.
template <int n>
FD_DEVICE FusedLayer layer_of(const FusedNet &net) {
  if constexpr (n == 0) {
    return FusedLayer{net.in, net.height, net.width, net.out[0], net.kernel[0], net.padding[0]};
  } else {
    FusedLayer l = layer_of<n - 1>(net);
    return FusedLayer{l.out, pooled_height(l), pooled_width(l), net.out[n], net.kernel[n], net.padding[n]};
  }
}

// The output channels are dealt out in tiles of equal size, at most kOutputs, which a thread computes at once. In shared
// memory a tile takes whole words of 16 bytes.
FD_DEVICE int tiles_of(int channels) { return (channels + kOutputs - 1) / kOutputs; }
FD_DEVICE int tile_of(int channels) { return (channels + tiles_of(channels) - 1) / tiles_of(channels); }
FD_DEVICE int in_words(int floats) { return (floats + 3) / 4 * 4; }
FD_DEVICE int wide_of(int channels) { return tiles_of(channels) * in_words(tile_of(channels)); }

}  // namespace fd
