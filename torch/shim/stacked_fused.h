// All convolutions of a small network in one kernel per pass, for the clients of a stack.
#pragma once

#include <string>

#include "kernel_fused_backward.h"
#include "moves.h"
#include "stack.h"

namespace fd {

// The layers at the front of an encoder that the kernels compute: convolutions, each with a ReLU and a 2x2 maximum behind
// it, up to the first layer that flattens.
class FusedConvs {
 public:
  FusedConvs(const fd_network &network, int part, const Stack &stack);
  // The number of the encoder's steps that they are; 0 if the network has other layers there, or if the weights and the
  // activations of one sample do not fit into the device's shared memory.
  size_t steps() const { return steps_; }
  // Whether the kernel of the backward pass serves them too.
  bool trains() const { return together_ > 0; }
  // The images' last maxima, [A, B, C, H, W]. keep: back will follow, with the same batch.
  at::Tensor ahead(const StackImages &images, bool keep);
  void back(const at::Tensor &grad);  // gradient of the maxima -> sums of gradients for step
  // The step of SGD, whose ranges are not used, for a kernel that takes it with others.
  FusedSgd sums(const Sgd &sgd) const;
  // Takes this step. Returns the number of values, which are the encoder's first.
  int64_t step(const Sgd &sgd) const;

 private:
  void name() const;  // says in messages which layers these are
  int64_t together(int64_t clients, int64_t samples) const;
  const fd_network &network_;
  const char *part_;
  const Stack &s_;
  int64_t begin_;  // offset of the encoder in the rows of the stack
  size_t steps_ = 0;
  FusedNet net_{};
  i64 weight_[kFusedLayers]{}, bias_[kFusedLayers]{};  // offsets within the encoder
  int64_t values_ = 0;                                 // number of values
  int64_t together_ = 0;                               // number of samples per block in the backward pass
  Limits limits_{0, 1, 0};
  GatherImages images_{};
  at::Tensor pooled_[kFusedLayers], which_[kFusedLayers], partial_;  // what the passes keep
};

}  // namespace fd
