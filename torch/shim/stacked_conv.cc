#include "stacked_conv.h"

#include "graph.h"
#include "launch.h"
#include "stacked_gemm.h"

namespace fd {
namespace {

int64_t out_size(int64_t in, const fd_layer &l) { return (in + 2 * l.padding - l.kernel) / l.stride + 1; }

// Whether a convolution's columns are its input.
bool is_product(const fd_layer &l) { return l.kernel == 1 && l.stride == 1 && l.padding == 0; }

Columns columns_of(const fd_layer &l, const at::Tensor &x, const at::Tensor &cols) {
  Columns a{};
  a.x = view_of(x);
  a.cols = cols.data_ptr();
  a.samples = static_cast<int>(x.size(1));
  a.channels = static_cast<int>(x.size(2));
  a.height = static_cast<int>(x.size(3));
  a.width = static_cast<int>(x.size(4));
  a.kernel = static_cast<int>(l.kernel);
  a.stride = static_cast<int>(l.stride);
  a.padding = static_cast<int>(l.padding);
  a.out_height = static_cast<int>(out_size(x.size(3), l));
  a.out_width = static_cast<int>(out_size(x.size(4), l));
  return a;
}

// [A, B, C, H, W] -> [A, C, B, H, W] in one piece: no copy where it lies so.
at::Tensor by_channel(const at::Tensor &x) { return x.transpose(1, 2).contiguous(); }
// [A, B, C, H, W] -> [B, A C, H, W]
at::Tensor by_sample(const at::Tensor &x) {
  return x.transpose(0, 1).contiguous().view({x.size(1), x.size(0) * x.size(2), x.size(3), x.size(4)});
}
// and back
at::Tensor by_client(const at::Tensor &x, int64_t clients) {
  return x.view({x.size(0), clients, x.size(1) / clients, x.size(2), x.size(3)}).transpose(0, 1);
}

Pool pool_of(const at::Tensor &x, const at::Tensor &out, const at::Tensor &which) {
  Pool a{};
  a.x = view_of(x);
  a.out = out.data_ptr();
  a.which = which.data_ptr<uint8_t>();
  a.clients = static_cast<int>(x.size(0));
  a.samples = static_cast<int>(x.size(1));
  a.channels = static_cast<int>(x.size(2));
  a.height = static_cast<int>(x.size(3));
  a.width = static_cast<int>(x.size(4));
  a.size = 2;
  a.out_height = static_cast<int>(out.size(3));
  a.out_width = static_cast<int>(out.size(4));
  return a;
}

// A range of numbers of clients that share a choice of method: timing every number would take longer than it saves.
std::string clients_text(int64_t clients) {
  int64_t most = 1;
  while (most < clients) most *= 2;
  return most <= 2 ? std::to_string(most) + (most == 1 ? " client" : " clients")
                   : std::to_string(most / 2 + 1) + " to " + std::to_string(most) + " clients";
}

// Of the fused kernels: samples that share a block in the forward pass, and in the backward pass to the weights.
struct Together {
  int64_t ahead, back;
};
constexpr Together kTogether{4, 8};

// The floats of shared memory that the three fused kernels need at most; infinity of them where there is no kernel.
int64_t fused_shared(const fd_layer &l, const at::Tensor &x, bool wants_input) {
  if (l.stride != 1 || (l.kernel != 3 && l.kernel != 5) || l.bias < 0) return INT64_MAX;
  int64_t taps = l.in * l.kernel * l.kernel, wide = (l.out + kOutputs - 1) / kOutputs * kOutputs;
  int64_t plane = l.in * (x.size(3) + 2 * l.padding) * (x.size(4) + 2 * l.padding);
  int64_t area = out_size(x.size(3), l) / 2 * (out_size(x.size(4), l) / 2);
  int64_t ahead = taps * wide + kTogether.ahead * plane, back = kOutputs * (taps + 2 * area) + plane;
  int64_t input = wants_input ? l.out * (taps + 2 * area) : 0;
  return std::max({ahead, back, input});
}

}  // namespace

at::Tensor StackedConv::weight() const {
  return stacked(s_.compute, begin_ + l_.weight, {l_.out, l_.in, l_.kernel, l_.kernel});
}
at::Tensor StackedConv::weight_grad() const {
  return stacked(s_.grads, begin_ + l_.weight, {l_.out, l_.in, l_.kernel, l_.kernel});
}

std::vector<ConvMethod> StackedConv::candidates(const at::Tensor &x, bool wants_input) const {
  constexpr int64_t kMost = int64_t{1} << 31;  // bytes of columns, beyond which they are not worth their memory
  std::vector<ConvMethod> methods;
  if (block_ && fused_shared(l_, x, wants_input) <= kSharedFloats) methods.push_back(ConvMethod::kFused);
  int64_t cols = x.numel() * l_.kernel * l_.kernel / (l_.stride * l_.stride) * x.element_size();
  if (is_product(l_) || cols <= kMost) methods.insert(methods.begin(), ConvMethod::kColumns);
  methods.push_back(ConvMethod::kPerClient);
  methods.push_back(ConvMethod::kGrouped);
  if (gemm_possible(l_, block_, s_, x, wants_input)) methods.push_back(ConvMethod::kTensorCores);
  return methods;
}

at::Tensor StackedConv::ahead(const at::Tensor &input, bool keep, bool wants_input) {
  at::Tensor x = in_planes(input);
  std::string shape = std::string(block_ ? "block " : "conv ") + std::to_string(l_.in) + "x" + std::to_string(x.size(3)) +
                      "x" + std::to_string(x.size(4)) + " -> " + std::to_string(l_.out) + " kernel " +
                      std::to_string(l_.kernel) + " stride " + std::to_string(l_.stride) + " padding " +
                      std::to_string(l_.padding) + ", " + clients_text(x.size(0)) + " of " + std::to_string(x.size(1)) +
                      " samples" + (!keep ? ", evaluation" : wants_input ? "" : ", no gradient of the input");
  auto trial = [&](ConvMethod method) {
    at::Tensor y = run(method, x);
    at::Tensor g = keep ? run_back(method, y, wants_input) : at::Tensor();
    if (method == ConvMethod::kTensorCores && !capturing(s_.device())) confirm(x, y, g, keep);
  };
  method_ = s_.methods->of(shape, candidates(x, wants_input), s_.device(), trial);
  at::Tensor y = run(method_, x);
  if (!keep) x_ = input_ = y_ = out_ = which_ = at::Tensor();
  return y;
}

at::Tensor StackedConv::back(const at::Tensor &grad, bool wants_input, const at::Tensor &onto) {
  bool adds = method_ == ConvMethod::kTensorCores;
  at::Tensor g = adds ? gemm_back(grad, wants_input, onto) : run_back(method_, grad, wants_input);
  x_ = input_ = y_ = out_ = which_ = at::Tensor();
  return adds || !onto.defined() ? g : g + onto;
}

at::Tensor StackedConv::run(ConvMethod method, const at::Tensor &x) {
  x_ = x;
  if (method == ConvMethod::kFused) return fused(x);
  if (method == ConvMethod::kTensorCores) return gemm(x);
  at::Tensor y = conv(method, x);
  if (!block_) {
    if (l_.bias >= 0) y.add_(stacked(s_.compute, begin_ + l_.bias, {1, l_.out, 1, 1}));
    return y;
  }
  y_ = in_planes(y);
  out_ = at::empty({x.size(0), x.size(1), l_.out, y.size(3) / 2, y.size(4) / 2}, y.options());
  which_ = at::empty(out_.sizes(), y.options().dtype(at::kByte));
  Pool a = pool_of(y_, out_, which_);
  at::Tensor bias = l_.bias >= 0 ? stacked(s_.weights, begin_ + l_.bias, {l_.out})
                                 : at::zeros({1, l_.out}, s_.weights.options()).expand({x.size(0), l_.out});
  a.bias = bias.data_ptr<float>();
  a.bias_client = bias.stride(0);
  launch(s_.device(), s_.shaped(FD_KERNEL_FOR(y_, pool), a), chunks_of(out_.numel()), 0, a);
  return out_;
}

at::Tensor StackedConv::run_back(ConvMethod method, const at::Tensor &grad, bool wants_input) {
  if (method == ConvMethod::kFused) return fused_back(grad, wants_input);
  if (method == ConvMethod::kTensorCores) return gemm_back(grad, wants_input, at::Tensor());
  if (!block_) {
    at::Tensor g = in_planes(grad);
    if (l_.bias >= 0) keep_sum(stacked(s_.grads, begin_ + l_.bias, {l_.out}), g, {1, 3, 4});
    return conv_back(method, g, wants_input);
  }
  at::Tensor g = grad.contiguous(), gy = at::empty_strided(y_.sizes(), y_.strides(), y_.options());
  Pool a = pool_of(gy, g, which_);
  launch(s_.device(), s_.shaped(FD_KERNEL_FOR(g, pool_back), a), chunks_of(gy.numel()), 0, a);
  if (l_.bias >= 0) {
    at::Tensor bias_grad = stacked(s_.grads, begin_ + l_.bias, {l_.out});
    a.bias_grad = bias_grad.data_ptr<float>();
    a.bias_client = bias_grad.stride(0);
    launch(s_.device(), s_.shaped(FD_KERNEL_FOR(g, pool_bias_back), a), g.size(0) * l_.out, kThreads, a);
  }
  return conv_back(method, gy, wants_input);
}

at::Tensor StackedConv::conv(ConvMethod method, const at::Tensor &x) {
  int64_t clients = x.size(0), samples = x.size(1), h = out_size(x.size(3), l_), w = out_size(x.size(4), l_);
  at::Tensor weights = weight();
  switch (method) {
    case ConvMethod::kGrouped:
      input_ = by_sample(x);
      return by_client(at::conv2d(input_, weights.reshape({clients * l_.out, l_.in, l_.kernel, l_.kernel}), {}, l_.stride,
                                  l_.padding, 1, clients),
                       clients);
    case ConvMethod::kPerClient: {
      input_ = x.contiguous();
      at::Tensor y = at::empty({clients, samples, l_.out, h, w}, x.options());
      side_by_side(s_.device(), clients,
                   [&](int64_t k) { y[k].copy_(at::conv2d(input_[k], weights[k], {}, l_.stride, l_.padding)); });
      return y;
    }
    default: {
      if (is_product(l_)) {
        input_ = by_channel(x).view({clients, l_.in, samples * h * w});
      } else {
        input_ = at::empty({clients, l_.in * l_.kernel * l_.kernel, samples * h * w}, x.options());
        Columns a = columns_of(l_, x, input_);
        a.chunks = chunks_of(samples * h * w);
        launch(s_.device(), s_.shaped(FD_KERNEL_FOR(x, to_columns), a), clients * input_.size(1) * a.chunks, 0, a);
      }
      return at::bmm(weights.flatten(2), input_).view({clients, l_.out, samples, h, w}).transpose(1, 2);
    }
  }
}

at::Tensor StackedConv::conv_back(ConvMethod method, const at::Tensor &g, bool wants_input) {
  int64_t clients = g.size(0), samples = g.size(1);
  at::Tensor weights = weight(), weight_grads = weight_grad();
  switch (method) {
    case ConvMethod::kGrouped: {
      auto [gx, gw, gb] = at::convolution_backward(
          by_sample(g), input_, weights.reshape({clients * l_.out, l_.in, l_.kernel, l_.kernel}), c10::nullopt,
          {l_.stride, l_.stride}, {l_.padding, l_.padding}, {1, 1}, false, {0, 0}, clients, {wants_input, true, false});
      weight_grads.copy_(gw.view(weight_grads.sizes()));
      return wants_input ? by_client(gx, clients) : at::Tensor();
    }
    case ConvMethod::kPerClient: {
      at::Tensor gy = g.contiguous(), gx = wants_input ? at::empty_like(input_) : at::Tensor();
      side_by_side(s_.device(), clients, [&](int64_t k) {
        auto [x_grad, w_grad, b_grad] = at::convolution_backward(
            gy[k], input_[k], weights[k], c10::nullopt, {l_.stride, l_.stride}, {l_.padding, l_.padding}, {1, 1}, false,
            {0, 0}, 1, {wants_input, true, false});
        weight_grads[k].copy_(w_grad);
        if (wants_input) gx[k].copy_(x_grad);
      });
      return gx;
    }
    default: {
      at::Tensor gy = by_channel(g).view({clients, l_.out, -1});
      keep_product(weight_grads.flatten(2), gy, input_.transpose(1, 2));
      if (!wants_input) return at::Tensor();
      at::Tensor cols = at::bmm(weights.flatten(2).transpose(1, 2), gy);
      if (is_product(l_)) return cols.view({clients, l_.in, samples, g.size(3), g.size(4)}).transpose(1, 2);
      at::Tensor gx = at::empty_strided(x_.sizes(), x_.strides(), x_.options());
      Columns a = columns_of(l_, gx, cols);
      a.chunks = chunks_of(samples * gx.size(3) * gx.size(4));
      launch(s_.device(), s_.shaped(FD_KERNEL_FOR(gx, from_columns), a), clients * l_.in * a.chunks, 0, a);
      return gx;
    }
  }
}

static ConvBlock conv_block(const fd_layer &l, const Stack &s, int64_t begin, const at::Tensor &x,
                            const at::Tensor &pooled, const at::Tensor &which) {
  ConvBlock a{};
  a.x = view_of(x);
  at::Tensor weight = stacked(s.weights, begin + l.weight, {l.out}), bias = stacked(s.weights, begin + l.bias, {l.out});
  a.weight = weight.data_ptr<float>();
  a.bias = bias.data_ptr<float>();
  a.client = weight.stride(0);
  a.pooled = pooled.data_ptr();
  a.which = which.data_ptr<uint8_t>();
  a.samples = static_cast<int>(x.size(1));
  a.in = static_cast<int>(l.in);
  a.out = static_cast<int>(l.out);
  a.height = static_cast<int>(x.size(3));
  a.width = static_cast<int>(x.size(4));
  a.padding = static_cast<int>(l.padding);
  a.pooled_h = static_cast<int>(pooled.size(3));
  a.pooled_w = static_cast<int>(pooled.size(4));
  return a;
}

// The kernel of either size.
#define FD_FUSED(x, l, name) ((l).kernel == 3 ? FD_KERNEL_FOR(x, name##_3) : FD_KERNEL_FOR(x, name##_5))

at::Tensor StackedConv::fused(const at::Tensor &x) {
  int64_t clients = x.size(0), samples = x.size(1);
  out_ = at::empty({clients, samples, l_.out, out_size(x.size(3), l_) / 2, out_size(x.size(4), l_) / 2}, x.options());
  which_ = at::empty(out_.sizes(), x.options().dtype(at::kByte));
  ConvBlock a = conv_block(l_, s_, begin_, x, out_, which_);
  a.together = kTogether.ahead;
  int64_t wide = (l_.out + kOutputs - 1) / kOutputs * kOutputs;
  launch(s_.device(), s_.shaped(FD_FUSED(x, l_, block_ahead), a), clients * groups_of(a),
         l_.in * (l_.kernel * l_.kernel * wide + a.together * padded_plane(a)), a);
  return out_;
}

at::Tensor StackedConv::fused_back(const at::Tensor &grad, bool wants_input) {
  at::Tensor g = grad.contiguous();
  int64_t clients = g.size(0), taps = l_.in * l_.kernel * l_.kernel, area = g.size(3) * g.size(4);
  ConvBlock a = conv_block(l_, s_, begin_, x_, g, which_);
  a.together = kTogether.back;
  at::Tensor partial = at::empty({clients, groups_of(a), l_.out * taps}, s_.weights.options());
  a.partial = partial.data_ptr<float>();
  launch(s_.device(), s_.shaped(FD_FUSED(g, l_, block_weight_back), a),
         clients * groups_of(a) * ((l_.out + kOutputs - 1) / kOutputs), kOutputs * (taps + 2 * area) + l_.in * padded_plane(a), a);
  keep_sum(stacked(s_.grads, begin_ + l_.weight, {l_.out * taps}), partial, {1});
  bias_back(g);
  if (!wants_input) return at::Tensor();
  at::Tensor gx = at::empty_strided(x_.sizes(), x_.strides(), x_.options());
  a.x_grad = view_of(gx);
  launch(s_.device(), s_.shaped(FD_FUSED(g, l_, block_input_back), a), clients * g.size(1), l_.out * (taps + 2 * area), a);
  return gx;
}

void StackedConv::bias_back(const at::Tensor &grad) const {
  Pool sums = pool_of(x_, grad, which_);
  at::Tensor bias_grad = stacked(s_.grads, begin_ + l_.bias, {l_.out});
  sums.channels = static_cast<int>(l_.out);
  sums.bias_grad = bias_grad.data_ptr<float>();
  sums.bias_client = bias_grad.stride(0);
  launch(s_.device(), s_.shaped(FD_KERNEL_FOR(grad, pool_bias_back), sums), grad.size(0) * l_.out, kThreads, sums);
}

at::Tensor StackedConv::gemm(const at::Tensor &x) {
  int64_t window = block_ ? 2 : 1;
  at::Tensor out = at::empty({x.size(0), x.size(1), l_.out, out_size(x.size(3), l_) / window, out_size(x.size(4), l_) / window},
                             x.options());
  if (block_) which_ = at::empty(out.sizes(), x.options().dtype(at::kByte));
  gemm_forward(l_, s_, begin_, x, out, which_);
  return out;
}

at::Tensor StackedConv::gemm_back(const at::Tensor &grad, bool wants_input, const at::Tensor &onto) {
  at::Tensor g = block_ ? grad.contiguous() : in_planes(grad);
  at::Tensor gx = wants_input ? at::empty_strided(x_.sizes(), x_.strides(), x_.options()) : at::Tensor();
  if (block_) bias_back(g);
  fd::gemm_back(l_, s_, begin_, x_, g, which_, gx, onto.defined() ? in_planes(onto) : onto);
  return gx;
}

// No GPU has run the method yet, so it is compared once for each shape. Rounding can move a maximum to another place, and with it a
// gradient. Outputs of padded slots are not compared, because nothing depends on them.
void StackedConv::confirm(const at::Tensor &x, const at::Tensor &y, const at::Tensor &x_grad, bool keep) {
  bool bf16 = x.scalar_type() == at::kBFloat16;
  auto ints = at::TensorOptions().dtype(at::kInt).device(s_.device());
  int64_t step = at::from_blob(const_cast<i64 *>(s_.batch.step), {1}, ints.dtype(at::kLong)).item<int64_t>();
  at::Tensor counts = at::from_blob(const_cast<int *>(s_.batch.counts) + step * s_.batch.capacity, {x.size(0), 1}, ints);
  at::Tensor used = at::arange(x.size(1), ints).lt(counts).view({x.size(0), x.size(1), 1, 1, 1});
  auto close = [&](const char *what, const at::Tensor &got, const at::Tensor &want, double most) {
    at::Tensor w = want.to(at::kFloat);
    double off = (got.to(at::kFloat) - w).norm().item<double>(), size = w.norm().item<double>();
    TORCH_CHECK(off <= most * size, what, " differ from those of libtorch by ", off, ", their norm is ", size);
  };
  at::Tensor grad = keep ? weight_grad().clone() : at::Tensor(), other = run(ConvMethod::kPerClient, x);
  close("outputs", y.mul(used), other.mul(used), bf16 ? 0.05 : 0.01);
  if (!keep) return;
  at::Tensor other_grad = run_back(ConvMethod::kPerClient, y, x_grad.defined());
  close("gradients of the weights", grad, weight_grad(), bf16 ? 0.5 : 0.2);
  if (x_grad.defined()) close("gradients of the input", x_grad.mul(used), other_grad.mul(used), bf16 ? 0.5 : 0.2);
}

}  // namespace fd
