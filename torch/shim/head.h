// The linear classifier on the concatenated features of the encoders.
#pragma once

#include "network.h"

namespace fd {

class HeadPass {
 public:
  HeadPass(const fd_network &network, const at::Tensor &weights, const at::Tensor &grads);
  at::Tensor forward(const at::Tensor &features) const;  // [b, F or 2F] -> logits [b, classes]
  void backward(const at::Tensor &grad, const at::Tensor &features);
  // The gradient of an encoder's features: [b, classes] -> [b, F].
  at::Tensor to_features(const at::Tensor &grad, int part) const;

 private:
  const fd_network &network_;
  at::Tensor weight_, bias_, weight_grad_, bias_grad_;
};

}  // namespace fd
