#include "block.h"

#include "block_avx2.h"
#include "kernels.h"

namespace fd {
namespace {

constexpr int64_t kSlack = 16;  // the kernels read and write whole vectors, past the last pixel

// An uninitialised or zero tensor [b, c, h, w] in channels-last order, with kSlack values after its end.
at::Tensor with_slack(int64_t b, int64_t c, int64_t h, int64_t w, bool zero) {
  auto options = at::TensorOptions().dtype(at::kFloat);
  at::Tensor flat = zero ? at::zeros({b * c * h * w + kSlack}, options) : at::empty({b * c * h * w + kSlack}, options);
  return flat.as_strided({b, c, h, w}, {c * h * w, 1, w * c, c});
}

BlockShape shape_of(const fd_layer &conv, const at::Tensor &padded) {
  BlockShape s;
  s.images = padded.size(0);
  s.in = conv.in;
  s.out = conv.out;
  s.kernel = conv.kernel;
  s.height = padded.size(2);
  s.width = padded.size(3);
  s.pooled_h = (s.height - s.kernel + 1) / 2;
  s.pooled_w = (s.width - s.kernel + 1) / 2;
  return s;
}

// weight [out, in, k, k] as [out, k, row] with zeros after each kernel row.
at::Tensor kernel_rows(const BlockShape &s, const at::Tensor &weight) {
  at::Tensor rows = at::zeros({s.out, s.kernel, s.row()}, weight.options());
  rows.slice(2, 0, s.kernel * s.in).copy_(weight.permute({0, 2, 3, 1}).reshape({s.out, s.kernel, s.kernel * s.in}));
  return rows;
}

}  // namespace

bool block_supported(const fd_layer &conv) {
#if defined(__x86_64__) && defined(__GNUC__)
  static const bool cpu = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return cpu && conv.stride == 1;
#else
  (void)conv;
  return false;
#endif
}

Block block_forward(const fd_layer &conv, const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias) {
  int64_t pad = conv.padding;
  Block block;
  block.x = with_slack(x.size(0), x.size(1), x.size(2) + 2 * pad, x.size(3) + 2 * pad, pad > 0);
  block.x.slice(2, pad, pad + x.size(2)).slice(3, pad, pad + x.size(3)).copy_(x);
  BlockShape s = shape_of(conv, block.x);
  if (s.wide() > 16) {
    // oneDNN is fast for wide convolutions, so that only the backward pass is faster as a block.
    at::Tensor y = at::conv2d(block.x, weight, bias);
    Pooled p = relu_pool2(y.contiguous(at::MemoryFormat::ChannelsLast));
    block.out = p.out;
    block.which = p.which;
    return block;
  }
  at::Tensor packed = at::zeros({s.kernel, s.kernel, s.in, s.wide()}, weight.options());
  packed.slice(3, 0, s.out).copy_(weight.permute({2, 3, 1, 0}));
  at::Tensor wide_bias = at::zeros({s.wide()}, bias.options());
  wide_bias.slice(0, 0, s.out).copy_(bias);
  block.out = with_slack(s.images, s.out, s.pooled_h, s.pooled_w, false);
  block.which = at::empty(block.out.sizes(), block.out.options().dtype(at::kByte), at::MemoryFormat::ChannelsLast);
  block_forward_avx2(s, block.x.data_ptr<float>(), packed.data_ptr<float>(), wide_bias.data_ptr<float>(),
                     block.out.data_ptr<float>(), block.which.data_ptr<uint8_t>());
  return block;
}

at::Tensor block_backward(const fd_layer &conv, const Block &kept, const at::Tensor &grad, const at::Tensor &weight,
                          at::Tensor weight_grad, at::Tensor bias_grad, bool want_input) {
  BlockShape s = shape_of(conv, kept.x);
  at::Tensor g = grad.contiguous(at::MemoryFormat::ChannelsLast);
  // A tensor with one channel or one pixel counts as contiguous in both orders. This makes sure that it has the order that
  // the kernels read.
  if (g.stride(1) != 1) g = at::empty_like(g, g.options(), at::MemoryFormat::ChannelsLast).copy_(g);
  at::Tensor rows = at::zeros({s.out, s.kernel, s.row()}, weight.options());
  bias_grad.zero_();
  block_weight_grad_avx2(s, kept.x.data_ptr<float>(), g.data_ptr<float>(), kept.which.data_ptr<uint8_t>(),
                         rows.data_ptr<float>(), bias_grad.data_ptr<float>());
  weight_grad.copy_(
      rows.slice(2, 0, s.kernel * s.in).view({s.out, s.kernel, s.kernel, s.in}).permute({0, 3, 1, 2}));
  if (!want_input) return at::Tensor();
  at::Tensor gx = with_slack(s.images, s.in, s.height, s.width, true);
  at::Tensor packed = kernel_rows(s, weight);
  block_input_grad_avx2(s, packed.data_ptr<float>(), g.data_ptr<float>(), kept.which.data_ptr<uint8_t>(),
                        gx.data_ptr<float>());
  int64_t pad = conv.padding;
  return gx.slice(2, pad, s.height - pad).slice(3, pad, s.width - pad);
}

}  // namespace fd
