#include "encoder.h"

#include "kernels.h"

namespace fd {

EncoderPass::EncoderPass(const fd_network &network, int part, const at::Tensor &weights, const at::Tensor &grads,
                         bool plain)
    : Walk(network, part), plain_(plain || !weights.is_cpu()), kept_(network.layers.size()) {
  int64_t begin = network.encoder_begin(part), end = begin + network.encoder_size;
  weights_ = weights.slice(0, begin, end);
  if (grads.defined()) grads_ = grads.slice(0, begin, end);
}

bool EncoderPass::as_one(const Step &step) const { return step.block && !plain_ && block_supported(layer(step)); }

at::Tensor EncoderPass::ahead(const Step &step, const at::Tensor &x, const Draw *draw) {
  const fd_layer &l = layer(step);
  Kept kept;
  at::Tensor y;
  switch (l.kind) {
    case FD_CONV2D:
      if (as_one(step)) {
        kept.block = block_forward(l, x, weight_of(l, weights_), bias_of(l, weights_));
        y = kept.block.out;
        break;
      }
      kept.a = x;
      if (network.channels_last && x.is_cpu()) kept.a = x.contiguous(at::MemoryFormat::ChannelsLast);
      y = at::conv2d(kept.a, weight_of(l, weights_), bias_of(l, weights_), l.stride, l.padding);
      break;
    case FD_RELU:
      kept.a = y = at::relu(x);
      break;
    case FD_MAXPOOL2D:
      kept.a = x;
      std::tie(y, kept.b) = at::max_pool2d_with_indices(x, {l.kernel, l.kernel});
      break;
    case FD_AVGPOOL2D:
      kept.a = x;
      y = at::avg_pool2d(x, {l.kernel, l.kernel});
      break;
    case FD_DROPOUT:
      y = x;
      if (draw) {
        kept.a = dropout_mask(draw->seed, draw->step, static_cast<int64_t>(step.layer), l.p, x.sizes(), x.device());
        y = x * kept.a;
      }
      break;
    case FD_FLATTEN:
      kept.a = x;
      y = x.flatten(1);  // copies a channels-last tensor to the order of the weights
      break;
    case FD_LINEAR:
      kept.a = x;
      y = at::addmm(bias_of(l, weights_), x, weight_of(l, weights_).t());
      break;
    case FD_BATCHNORM2D:
      y = batch_norm(l, x, draw != nullptr, kept);
      break;
    case FD_GROUPNORM:
      kept.a = x.contiguous();
      std::tie(y, kept.b, kept.c) =
          at::native_group_norm(kept.a, weight_of(l, weights_), bias_of(l, weights_), x.size(0), l.out,
                                x.size(2) * x.size(3), l.groups, kNormEps);
      break;
    default:
      TORCH_CHECK(false, "unknown layer kind ", l.kind);
  }
  if (draw) kept_[step.layer] = std::move(kept);
  return y;
}

at::Tensor EncoderPass::batch_norm(const fd_layer &l, const at::Tensor &x, bool training, Kept &kept) {
  TORCH_CHECK(!training || x.numel() > l.out, "batch statistics need more than one value per channel");
  auto [y, mean, deviation] = at::native_batch_norm(
      x, weight_of(l, weights_), bias_of(l, weights_), shaped(weights_, l.mean, {l.out}),
      shaped(weights_, l.variance, {l.out}), training, kNormMomentum, kNormEps);
  kept.a = x;
  kept.b = mean;
  kept.c = deviation;
  return y;
}

void EncoderPass::keep_gradients(const fd_layer &l, const at::Tensor &weight, const at::Tensor &bias) {
  weight_of(l, grads_).copy_(weight);
  if (l.bias >= 0) bias_of(l, grads_).copy_(bias);
}

at::Tensor EncoderPass::back(const Step &step, const at::Tensor &g) {
  const fd_layer &l = layer(step);
  Kept &k = kept_[step.layer];
  bool want = step.wants_input;
  switch (l.kind) {
    case FD_CONV2D: {
      at::Tensor w = weight_of(l, weights_);
      if (as_one(step))
        return block_backward(l, k.block, g, w, weight_of(l, grads_), bias_of(l, grads_), want);
      auto [gx, gw, gb] =
          at::convolution_backward(g, k.a, w, at::OptionalIntArrayRef(at::IntArrayRef(&l.out, 1)), {l.stride, l.stride},
                                   {l.padding, l.padding}, {1, 1}, false, {0, 0}, 1, {want, true, l.bias >= 0});
      keep_gradients(l, gw, gb);
      return gx;
    }
    case FD_RELU:
      return at::threshold_backward(g, k.a, 0);
    case FD_MAXPOOL2D:
      return at::max_pool2d_with_indices_backward(g, k.a, {l.kernel, l.kernel}, {l.kernel, l.kernel}, {0, 0}, {1, 1},
                                                  false, k.b);
    case FD_AVGPOOL2D:
      return at::avg_pool2d_backward(g, k.a, {l.kernel, l.kernel}, {l.kernel, l.kernel}, {0, 0}, false, true, {});
    case FD_DROPOUT:
      return g * k.a;
    case FD_FLATTEN:
      return g.view(k.a.sizes());
    case FD_LINEAR: {
      at::Tensor gw = weight_of(l, grads_), gb = bias_of(l, grads_);
      at::mm_out(gw, g.t(), k.a);
      at::sum_out(gb, g, {0});
      return want ? at::mm(g, weight_of(l, weights_)) : at::Tensor();
    }
    case FD_BATCHNORM2D: {
      auto [gx, gw, gb] = at::native_batch_norm_backward(
          g, k.a, weight_of(l, weights_), shaped(weights_, l.mean, {l.out}), shaped(weights_, l.variance, {l.out}),
          k.b, k.c, true, kNormEps, {want, true, true});
      keep_gradients(l, gw, gb);
      return gx;
    }
    case FD_GROUPNORM: {
      auto [gx, gw, gb] = at::native_group_norm_backward(g.contiguous(), k.a, k.b, k.c, weight_of(l, weights_),
                                                         k.a.size(0), l.out, k.a.size(2) * k.a.size(3), l.groups,
                                                         {want, true, true});
      keep_gradients(l, gw, gb);
      return gx;
    }
  }
  return g;
}

}  // namespace fd
