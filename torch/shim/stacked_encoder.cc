#include "stacked_encoder.h"

#include "guard.h"
#include "launch.h"

namespace fd {

StackedEncoder::StackedEncoder(const fd_network &network, int part, const Stack &stack)
    : Walk(network, part), s_(stack), begin_(network.encoder_begin(part) - stack.begin), kept_(network.layers.size()),
      fused_(network, part, stack), linear_(network, part, stack, fused_.steps()) {}

at::Tensor StackedEncoder::evaluate(StackImages &images) {
  if (fused_.steps() == 0) return Walk::evaluate(images.gathered());
  at::Tensor x = fused_.ahead(images, false);
  return linear_.evaluates() ? linear_.evaluate(x) : Walk::evaluate(x, fused_.steps());
}

at::Tensor StackedEncoder::forward(StackImages &images, const Draw &draw) {
  return fused_.trains() ? Walk::forward(fused_.ahead(images, true), draw, fused_.steps()) : Walk::forward(images.gathered(), draw);
}

void StackedEncoder::backward(const at::Tensor &grad) {
  if (fused_.trains()) fused_.back(Walk::backward(grad, fused_.steps()));
  else Walk::backward(grad);
}

int64_t StackedEncoder::fused_step(const Sgd &sgd) { return fused_.trains() ? fused_.step(sgd) : 0; }

// A product with the clients' weights [A, out, in], plus their biases [A, out]: [A, B, in] -> [A, B, out].
static at::Tensor affine(const at::Tensor &bias, const at::Tensor &x, const at::Tensor &weight) {
  return at::baddbmm(bias.unsqueeze(1), x, weight.transpose(1, 2));
}

static Pool pool_of(const fd_layer &l, const at::Tensor &x, const at::Tensor &out, const at::Tensor &which) {
  Pool a{};
  a.x = view_of(x);
  a.out = out.data_ptr();
  a.which = which.data_ptr<uint8_t>();
  a.clients = static_cast<int>(x.size(0));
  a.samples = static_cast<int>(x.size(1));
  a.channels = static_cast<int>(x.size(2));
  a.height = static_cast<int>(x.size(3));
  a.width = static_cast<int>(x.size(4));
  a.size = static_cast<int>(l.kernel);
  a.out_height = static_cast<int>(x.size(3) / l.kernel);
  a.out_width = static_cast<int>(x.size(4) / l.kernel);
  return a;
}

at::Tensor StackedEncoder::ahead(const Step &step, const at::Tensor &x, const Draw *draw) {
  const fd_layer &l = layer(step);
  Kept kept;
  at::Tensor y;
  switch (l.kind) {
    case FD_CONV2D:
      kept.conv = std::make_unique<StackedConv>(l, step.block, s_, begin_);
      y = kept.conv->ahead(x, draw != nullptr, step.wants_input);
      break;
    case FD_RELU:
      kept.a = y = at::relu(x);
      break;
    case FD_MAXPOOL2D: {
      kept.a = in_planes(x);
      y = at::empty({x.size(0), x.size(1), x.size(2), x.size(3) / l.kernel, x.size(4) / l.kernel}, x.options());
      kept.b = at::empty(y.sizes(), x.options().dtype(at::kByte));
      Pool a = pool_of(l, kept.a, y, kept.b);
      launch(s_.device(), s_.shaped(FD_KERNEL_FOR(x, pool), a), chunks_of(y.numel()), 0, a);
      break;
    }
    case FD_AVGPOOL2D:
      kept.a = in_planes(x);
      y = kept.a.view({x.size(0), x.size(1), x.size(2), x.size(3) / l.kernel, l.kernel, x.size(4) / l.kernel, l.kernel})
              .mean({4, 6});
      break;
    case FD_DROPOUT:
      y = draw ? drop(step, x) : x;
      break;
    case FD_FLATTEN:
      kept.a = x;
      y = x.flatten(2);  // copies what does not lie in the order of the weights
      break;
    case FD_LINEAR:
      kept.a = x;
      y = affine(vectors(s_.compute, l.bias, l.out), x, stacked(s_.compute, begin_ + l.weight, {l.out, l.in}));
      break;
    case FD_BATCHNORM2D:
    case FD_GROUPNORM:
      y = norm(step, x, at::Tensor(), draw != nullptr, kept);
      break;
    default:
      TORCH_CHECK(false, "unknown layer kind ", l.kind);
  }
  if (draw) kept_[step.layer] = std::move(kept);
  return y;
}

at::Tensor StackedEncoder::back(const Step &step, const at::Tensor &g) {
  const fd_layer &l = layer(step);
  Kept k = std::move(kept_[step.layer]);  // freed behind this layer
  switch (l.kind) {
    case FD_CONV2D:
      return k.conv->back(g, step.wants_input, at::Tensor());
    case FD_RELU:
      return at::threshold_backward(g, k.a, 0);
    case FD_MAXPOOL2D: {
      at::Tensor gy = g.contiguous(), gx = at::empty_strided(k.a.sizes(), k.a.strides(), k.a.options());
      Pool a = pool_of(l, gx, gy, k.b);
      launch(s_.device(), s_.shaped(FD_KERNEL_FOR(g, pool_back), a), chunks_of(gx.numel()), 0, a);
      return gx;
    }
    case FD_AVGPOOL2D: {
      auto wide = g.div(l.kernel * l.kernel).unsqueeze(4).unsqueeze(6);
      return wide.expand({g.size(0), g.size(1), g.size(2), g.size(3), l.kernel, g.size(4), l.kernel}).reshape(k.a.sizes());
    }
    case FD_DROPOUT:
      return drop(step, g);
    case FD_FLATTEN:
      return g.reshape(k.a.sizes());
    case FD_LINEAR:
      keep_product(stacked(s_.grads, begin_ + l.weight, {l.out, l.in}), g.transpose(1, 2), k.a);
      keep_sum(vectors(s_.grads, l.bias, l.out), g, {1});
      return step.wants_input ? at::bmm(g, stacked(s_.compute, begin_ + l.weight, {l.out, l.in})) : at::Tensor();
    case FD_BATCHNORM2D:
    case FD_GROUPNORM:
      kept_[step.layer] = std::move(k);
      return norm_back(step, g, nullptr);
  }
  return g;
}

at::Tensor StackedEncoder::back_onto(const Step &step, const at::Tensor &grad, const at::Tensor &onto) {
  if (layer(step).kind != FD_CONV2D) return Walk::back_onto(step, grad, onto);
  Kept k = std::move(kept_[step.layer]);
  return k.conv->back(grad, step.wants_input, onto);
}

// What the norms' kernels read, of x alone.
static Norm norm_of(const fd_layer &l, int behind, const Stack &s, const at::Tensor &x, const at::Tensor &weights,
                    const at::Tensor &saved, int64_t begin) {
  Norm a{};
  a.batch = s.batch;
  a.x = view_of(x);
  float *values = weights.data_ptr<float>() + begin;
  a.weight = values + l.weight;
  a.bias = values + l.bias;
  a.mean = values + l.mean;
  a.variance = values + l.variance;
  a.client = weights.stride(0);
  a.saved = saved.data_ptr<float>();
  a.samples = static_cast<int>(x.size(1));
  a.channels = static_cast<int>(x.size(2));
  a.plane = static_cast<int>(x.size(3) * x.size(4));
  a.groups = static_cast<int>(l.kind == FD_GROUPNORM ? l.groups : 1);
  a.behind = behind;
  a.eps = static_cast<float>(kNormEps);
  a.momentum = static_cast<float>(kNormMomentum);
  return a;
}

at::Tensor StackedEncoder::ahead_to_sum(const Step &step, const at::Tensor &x, const at::Tensor &other, const Draw *draw) {
  Kept kept;
  at::Tensor y = norm(step, x, other, draw != nullptr, kept);
  if (draw) kept_[step.layer] = std::move(kept);
  return y;
}

std::pair<at::Tensor, at::Tensor> StackedEncoder::back_from_sum(const Step &step, const at::Tensor &grad) {
  at::Tensor other_grad, x_grad = norm_back(step, grad, &other_grad);
  return {x_grad, other_grad};
}

at::Tensor StackedEncoder::norm(const Step &step, const at::Tensor &input, const at::Tensor &other, bool training, Kept &kept) {
  const fd_layer &l = layer(step);
  bool batch = l.kind == FD_BATCHNORM2D;
  at::Tensor x = in_planes(input), y = at::empty_strided(x.sizes(), x.strides(), x.options());
  int64_t blocks = x.size(0) * (batch ? x.size(2) : x.size(1) * l.groups);
  at::Tensor saved = at::empty({blocks, 2}, s_.weights.options());
  int behind = !other.defined() ? (step.norm_relu ? kReluBehind : 0) : step.norm_relu ? kReluThenAddition : kAdditionBehind;
  Norm a = norm_of(l, behind, s_, x, s_.weights, saved, begin_);
  a.y = view_of(y);
  a.training = training;
  at::Tensor added;
  if (other.defined()) {
    added = in_planes(other);
    a.other = view_of(added);
    if (behind == kAdditionBehind) kept.c = y;
  }
  // With the shape as constants, the compiler spills registers of group_norm if a plane's size is not a power of two.
  launch(s_.device(), batch ? s_.shaped(FD_KERNEL_FOR(x, batch_norm), a) : FD_KERNEL_FOR(x, group_norm), blocks, kThreads, a);
  kept.a = x;
  kept.b = saved;
  return y;
}

at::Tensor StackedEncoder::norm_back(const Step &step, const at::Tensor &grad, at::Tensor *other_grad) {
  const fd_layer &l = layer(step);
  Kept k = std::move(kept_[step.layer]);
  at::Tensor g = in_planes(grad), gx;
  Norm a = norm_of(l, other_grad ? kAdditionBehind : step.norm_relu ? kReluBehind : 0, s_, k.a, s_.weights, k.b, begin_);
  a.y = view_of(g);
  if (other_grad) {
    *other_grad = at::empty_strided(k.a.sizes(), k.a.strides(), k.a.options());
    a.other = view_of(*other_grad);
    a.out = view_of(k.c);
  }
  a.weight_grad = s_.grads.data_ptr<float>() + begin_ + l.weight;
  a.bias_grad = s_.grads.data_ptr<float>() + begin_ + l.bias;
  if (step.wants_input) {
    gx = at::empty_strided(k.a.sizes(), k.a.strides(), k.a.options());
    a.x_grad = view_of(gx);
  }
  int64_t channels = g.size(0) * g.size(2);
  if (l.kind == FD_BATCHNORM2D) {
    launch(s_.device(), s_.shaped(FD_KERNEL_FOR(g, batch_norm_back), a), channels, 2 * kThreads, a);
    return gx;
  }
  launch(s_.device(), s_.shaped(FD_KERNEL_FOR(g, group_norm_scale_back), a), channels, 2 * kThreads, a);
  if (step.wants_input)
    launch(s_.device(), s_.shaped(FD_KERNEL_FOR(g, group_norm_back), a), g.size(0) * g.size(1) * l.groups, 2 * kThreads, a);
  return gx;
}

// Activations, or gradients of them, times the factors that this step and layer draw.
at::Tensor StackedEncoder::drop(const Step &step, const at::Tensor &input) {
  at::Tensor x = input.contiguous(), y = at::empty_like(x);
  Dropped a{};
  a.step = s_.batch.step;
  a.seeds = s_.seeds;
  a.in = x.data_ptr();
  a.out = y.data_ptr();
  a.clients = x.size(0);
  a.size = x.numel() / x.size(0);
  a.layer = static_cast<int>(step.layer);
  a.p = static_cast<float>(layer(step).p);
  launch(s_.device(), FD_KERNEL_FOR(x, dropout), chunks_of(x.numel()), 0, a);
  return y;
}

at::Tensor StackedHead::weight(const at::Tensor &of) const {
  return stacked(of, begin_, {network_.classes, network_.head_inputs()});
}
at::Tensor StackedHead::bias(const at::Tensor &of) const {
  return stacked(of, begin_ + network_.classes * network_.head_inputs(), {network_.classes});
}

at::Tensor StackedHead::forward(const at::Tensor &features) const {
  where.part = "head";
  where.layer = "linear";
  at::Tensor logits = affine(bias(s_.compute), features, weight(s_.compute));
  where.layer = nullptr;
  return logits;
}

void StackedHead::backward(const at::Tensor &grad, const at::Tensor &features) const {
  keep_product(weight(s_.grads), grad.transpose(1, 2), features);
  keep_sum(bias(s_.grads), grad, {1});
}

at::Tensor StackedHead::to_features(const at::Tensor &grad, int part) const {
  int64_t begin = part == FD_SECONDARY ? network_.features : 0;
  return at::bmm(grad, weight(s_.compute).slice(2, begin, begin + network_.features));
}

}  // namespace fd
