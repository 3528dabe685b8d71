// The linear layers of a small network in few kernels, for the clients of a stack, and a step of training in which all layers
// are fused.
#pragma once

#include <memory>

#include "kernel_fused_step.h"
#include "moves.h"
#include "stacked_fused.h"

namespace fd {

// The layers of an encoder behind its fused convolutions: Flatten, and linear layers, each with a ReLU and a dropout behind it
// or without.
class FusedLinear {
 public:
  // first: number of the encoder's steps in front of them. part 0, for training with frozen encoders, has no layers.
  FusedLinear(const fd_network &network, int part, const Stack &stack, size_t first);
  // Whether these are the encoder's last layers, and evaluation fits into the device's shared memory.
  bool evaluates() const;
  at::Tensor evaluate(const at::Tensor &x) const;  // maxima [A, B, ...] -> features [A, B, F]

 private:
  friend class FusedTraining;
  int together(int64_t clients, int64_t samples) const;  // number of samples per block
  int64_t blocks(int together) const;
  const fd_network &network_;
  const Stack &s_;
  Limits limits_{0, 1, 0};
  bool all_ = false;         // whether these are all of the remaining layers
  FusedFeatures layers_{};   // without tensors
};

class FusedTraining {
 public:
  FusedTraining(const fd_network &network, int parts, const Stack &stack);
  // Whether the kernels compute all layers of the network, and one encoder at most is trained.
  bool possible() const { return possible_; }
  // One step. tables: by row, the features of the encoders, undefined for those that are trained.
  void step(const StackImages &images, const at::Tensor *tables, const CrossEntropy &loss, const Sgd &sgd);

 private:
  void note(int together, int64_t shared) const;
  const fd_network &network_;
  const Stack &s_;
  int part_;  // the encoder that is trained, or 0
  bool head_, possible_ = false;
  FusedConvs convs_;  // the encoder's convolutions
  FusedLinear linear_;
  FusedStep step_{};  // without tensors
};

}  // namespace fd
