#include "head.h"

#include "guard.h"

namespace fd {

HeadPass::HeadPass(const fd_network &network, const at::Tensor &weights, const at::Tensor &grads) : network_(network) {
  int64_t begin = network.head_begin(), inputs = network.head_inputs(), classes = network.classes;
  weight_ = shaped(weights, begin, {classes, inputs});
  bias_ = shaped(weights, begin + classes * inputs, {classes});
  if (!grads.defined()) return;
  weight_grad_ = shaped(grads, begin, {classes, inputs});
  bias_grad_ = shaped(grads, begin + classes * inputs, {classes});
}

at::Tensor HeadPass::forward(const at::Tensor &features) const {
  where.part = "head";
  where.layer = "linear";
  at::Tensor logits = at::addmm(bias_, features, weight_.t());
  where.layer = nullptr;
  return logits;
}

void HeadPass::backward(const at::Tensor &grad, const at::Tensor &features) {
  at::mm_out(weight_grad_, grad.t(), features);
  at::sum_out(bias_grad_, grad, {0});
}

at::Tensor HeadPass::to_features(const at::Tensor &grad, int part) const {
  int64_t begin = part == FD_SECONDARY ? network_.features : 0;
  return at::mm(grad, weight_.slice(1, begin, begin + network_.features));
}

}  // namespace fd
