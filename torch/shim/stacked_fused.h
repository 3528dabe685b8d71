// All convolutions of a small network in one kernel, for the clients of a stack.
#pragma once

#include <string>

#include "kernel_fused_forward.h"
#include "moves.h"
#include "stack.h"

namespace fd {

// The layers at the front of an encoder that the kernel computes: convolutions, each with a ReLU and a 2x2 maximum behind
// it, up to the first layer that flattens.
class FusedConvs {
 public:
  FusedConvs(const fd_network &network, int part, const Stack &stack);
  // The number of the encoder's steps that they are; 0 if the network has other layers there, or if the weights and the
  // activations of one sample do not fit into the device's shared memory.
  size_t steps() const { return steps_; }
  at::Tensor ahead(const StackImages &images) const;  // the images' last maxima, [A, B, C, H, W]

 private:
  int64_t together(int64_t clients, int64_t samples) const;
  const fd_network &network_;
  const char *part_;
  const Stack &s_;
  int64_t begin_;  // begin of the encoder in the clients' vectors
  size_t steps_ = 0;
  FusedNet net_{};
  Limits limits_{0, 1};
};

}  // namespace fd
