#include "network.h"

#include "guard.h"
#include "kernels.h"

namespace fd {

EncoderPass::EncoderPass(const fd_network &network, int part, const at::Tensor &weights, const at::Tensor &grads,
                         bool plain)
    : network_(network), name_(part == FD_SECONDARY ? "secondary" : "primary"), plain_(plain || !weights.is_cpu()) {
  int64_t begin = network.encoder_begin(part), end = begin + network.encoder_size;
  weights_ = weights.slice(0, begin, end);
  if (grads.defined()) grads_ = grads.slice(0, begin, end);
  kept_.resize(network.layers.size());
}

static at::Tensor shaped(const at::Tensor &flat, int64_t begin, at::IntArrayRef shape) {
  return flat.slice(0, begin, begin + c10::multiply_integers(shape)).view(shape);
}

static at::Tensor weight_of(const fd_layer &l, const at::Tensor &flat) {
  if (l.kind == FD_CONV2D) return shaped(flat, l.weight, {l.out, l.in, l.kernel, l.kernel});
  return shaped(flat, l.weight, {l.out, l.in});
}

at::Tensor EncoderPass::weight(size_t i) const { return weight_of(network_.layers[i], weights_); }

at::Tensor EncoderPass::bias(size_t i) const {
  const fd_layer &l = network_.layers[i];
  return shaped(weights_, l.bias, {l.out});
}

bool EncoderPass::is_block(size_t i) const {
  const auto &l = network_.layers;
  return !plain_ && i + 2 < l.size() && l[i].kind == FD_CONV2D && l[i + 1].kind == FD_RELU &&
         l[i + 2].kind == FD_MAXPOOL2D && l[i + 2].kernel == 2 && block_supported(l[i]);
}

at::Tensor EncoderPass::evaluate(const at::Tensor &x) { return run(x, nullptr); }
at::Tensor EncoderPass::forward(const at::Tensor &x, const Draw &draw) { return run(x, &draw); }

at::Tensor EncoderPass::run(at::Tensor x, const Draw *draw) {
  where.part = name_;
  if (network_.channels_last && x.is_cpu()) x = x.contiguous(at::MemoryFormat::ChannelsLast);
  for (size_t i = 0; i < network_.layers.size(); i++) {
    const fd_layer &l = network_.layers[i];
    where.layer = l.name;
    Kept kept;
    switch (l.kind) {
      case FD_CONV2D:
        if (is_block(i)) {
          Block block = block_forward(l, x, weight(i), bias(i));
          x = block.out;
          if (draw) kept_[i].block = block;
          i += 2;  // the ReLU and the maximum are done
          continue;
        }
        kept.a = x;
        x = at::conv2d(x, weight(i), bias(i), l.stride, l.padding);
        break;
      case FD_RELU:
        x = at::relu(x);
        kept.a = x;
        break;
      case FD_MAXPOOL2D: {
        auto [out, index] = at::max_pool2d_with_indices(x, {l.kernel, l.kernel});
        kept = {x, index};
        x = out;
        break;
      }
      case FD_DROPOUT:
        if (draw) {
          kept.a = dropout_mask(draw->seed, draw->step, static_cast<int64_t>(i), l.p, x.sizes(), x.device());
          x = x * kept.a;
        }
        break;
      case FD_FLATTEN:
        kept.a = x;
        x = x.flatten(1);  // copies a channels-last tensor into the order of the weights
        break;
      case FD_LINEAR:
        kept.a = x;
        x = at::addmm(bias(i), x, weight(i).t());
        break;
      default:
        TORCH_CHECK(false, "unknown layer kind ", l.kind);
    }
    if (draw) kept_[i] = kept;
  }
  where.layer = nullptr;
  return x;
}

void EncoderPass::backward(at::Tensor g) {
  where.part = name_;
  // The gradient of the images themselves is never needed: the first layer with parameters ends the way back.
  size_t first = 0;
  while (first < network_.layers.size() && network_.layers[first].kind != FD_CONV2D &&
         network_.layers[first].kind != FD_LINEAR)
    first++;
  for (size_t i = network_.layers.size(); i-- > first;) {
    if (i >= 2 && is_block(i - 2)) i -= 2;
    const fd_layer &l = network_.layers[i];
    where.layer = l.name;
    Kept &k = kept_[i];
    switch (l.kind) {
      case FD_CONV2D: {
        at::Tensor w = weight(i);
        if (is_block(i)) {
          g = block_backward(l, k.block, g, w, weight_of(l, grads_), shaped(grads_, l.bias, {l.out}), i > first);
          break;
        }
        auto [gx, gw, gb] = at::convolution_backward(g, k.a, w, at::IntArrayRef(&l.out, 1), {l.stride, l.stride},
                                                     {l.padding, l.padding}, {1, 1}, false, {0, 0}, 1,
                                                     {i > first, true, true});
        weight_of(l, grads_).copy_(gw);
        shaped(grads_, l.bias, {l.out}).copy_(gb);
        g = gx;
        break;
      }
      case FD_RELU:
        g = at::threshold_backward(g, k.a, 0);
        break;
      case FD_MAXPOOL2D:
        g = at::max_pool2d_with_indices_backward(g, k.a, {l.kernel, l.kernel}, {l.kernel, l.kernel}, {0, 0}, {1, 1},
                                                 false, k.b);
        break;
      case FD_DROPOUT:
        g = g * k.a;
        break;
      case FD_FLATTEN:
        g = g.view(k.a.sizes());
        break;
      case FD_LINEAR: {
        at::Tensor gw = weight_of(l, grads_), gb = shaped(grads_, l.bias, {l.out});
        at::mm_out(gw, g.t(), k.a);
        at::sum_out(gb, g, {0});
        if (i > first) g = at::mm(g, weight(i));
        break;
      }
    }
  }
  where.layer = nullptr;
}

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

extern "C" {

char *fd_network_new(const fd_layer *layers, int64_t count, const int64_t input[3], int64_t encoder_size,
                     int64_t features, int64_t classes, int dual, fd_network **out) {
  return fd::guard([&] {
    auto n = std::make_unique<fd_network>();
    n->layers.assign(layers, layers + count);
    for (int i = 0; i < 3; i++) n->input[i] = input[i];
    n->encoder_size = encoder_size;
    n->features = features;
    n->classes = classes;
    n->dual = dual != 0;
    // Channels-last pays where convolutions are wide enough to fill vector registers with channels.
    n->channels_last = false;
    for (const fd_layer &l : n->layers)
      if (l.kind == FD_CONV2D) n->channels_last = l.out >= 32;
    *out = n.release();
  });
}

void fd_network_close(fd_network *network) { delete network; }

}  // extern "C"
