#include "stacked_gemm.h"

#include "emulate.h"
#include "kernel_gemm_weight.h"

namespace fd {
namespace {

// The kernel with the given name for the size of the filter and for activations of x's type. It cannot run as loops.
#define FD_GEMM_OF(x, k, name) (x).scalar_type() == at::kBFloat16 ? name "_" #k "_bf16" : name "_" #k "_f32"
#define FD_GEMM(x, l, name)                                                                                            \
  Kernel {                                                                                                             \
    (l).kernel == 1 ? FD_GEMM_OF(x, 1, name) : (l).kernel == 3 ? FD_GEMM_OF(x, 3, name) : FD_GEMM_OF(x, 5, name), nullptr \
  }

// Numbers of packed weights per client, of blocks, and of floats of shared memory. weight_tiles and weight_shared are those of the
// weights' gradient.
struct Sizes {
  int64_t packed, pack_blocks, blocks, shared, weight_tiles, weight_shared;
};
template <typename T, int k>
Sizes sizes_of(const ConvGemm &a, bool back, int64_t clients) {
  GemmShape g = back ? input_shape<k>(a) : forward_shape<k>(a);
  return {packed_size<T, k>(g),
          clients * result_tiles(g) * source_chunks<T>(g),
          clients * result_tiles(g) * quad_tiles(g, a.batch.samples),
          gemm_shared<T, k>(g),
          weight_tiles<k>(a),
          weight_shared<T, k>(a)};
}
// Of the forward pass, or with back of the gradient of the input.
Sizes sizes_of(const ConvGemm &a, const fd_layer &l, bool back, const at::Tensor &x) {
  auto sizes = [&](auto type) {
    using T = decltype(type);
    return l.kernel == 1   ? sizes_of<T, 1>(a, back, x.size(0))
           : l.kernel == 3 ? sizes_of<T, 3>(a, back, x.size(0))
                           : sizes_of<T, 5>(a, back, x.size(0));
  };
  return x.scalar_type() == at::kBFloat16 ? sizes(bfloat{}) : sizes(0.0f);
}

int64_t quads_of(int64_t size, const fd_layer &l, bool block) {
  int64_t out = (size + 2 * l.padding - l.kernel) / l.stride + 1;
  return (block ? out : out + 1) / 2;
}

ConvGemm shape_of(const fd_layer &l, bool block, const Stack &s, const at::Tensor &x) {
  ConvGemm a{};
  a.batch = s.batch;
  a.in = static_cast<int>(l.in);
  a.out = static_cast<int>(l.out);
  a.height = static_cast<int>(x.size(3));
  a.width = static_cast<int>(x.size(4));
  a.padding = static_cast<int>(l.padding);
  a.alone = !block;
  a.stride = static_cast<int>(l.stride);
  a.quads_h = static_cast<int>(quads_of(x.size(3), l, block));
  a.quads_w = static_cast<int>(quads_of(x.size(4), l, block));
  return a;
}

ConvGemm gemm_of(const fd_layer &l, const Stack &s, int64_t begin, const at::Tensor &x, const at::Tensor &out,
                 const at::Tensor &which) {
  ConvGemm a = shape_of(l, which.defined(), s, x);
  at::Tensor weight = stacked(s.weights, begin + l.weight, {l.out});
  a.x = view_of(x);
  a.weight = weight.data_ptr<float>();
  a.client = weight.stride(0);
  if (a.alone) {
    a.y = view_of(out);
    return a;
  }
  a.bias = stacked(s.weights, begin + l.bias, {l.out}).data_ptr<float>();
  a.pooled = out.data_ptr();
  a.which = which.data_ptr<uint8_t>();
  return a;
}

}  // namespace

bool gemm_possible(const fd_layer &l, bool block, const Stack &s, const at::Tensor &x, bool wants_input) {
  bool strides = l.stride == 2 && (l.kernel == 1 || (l.kernel == 3 && l.padding == 1));
  bool filters = l.kernel == 3 || l.kernel == 5 || l.kernel == 1;
  if ((l.bias >= 0) != block || !filters || l.padding >= l.kernel || (l.stride != 1 && !strides)) return false;
  if (block && (l.stride != 1 || l.kernel == 1)) return false;
  Limits limits = limits_of(s.device());
  bool rounds = x.scalar_type() == at::kBFloat16 || s.methods->tf32;
  if (s.device().is_cuda() ? !s.methods->shapes || !rounds || limits.capability < 80 : !emulating()) return false;
  ConvGemm a = shape_of(l, block, s, x);
  if (a.quads_h < 1 || a.quads_w < 1) return false;
  Sizes ahead = sizes_of(a, l, false, x);
  int64_t shared = std::max(ahead.shared, ahead.weight_shared);
  if (wants_input) shared = std::max(shared, sizes_of(a, l, true, x).shared);
  return shared <= limits.shared;
}

void gemm_forward(const fd_layer &l, const Stack &s, int64_t begin, const at::Tensor &x, const at::Tensor &out,
                  const at::Tensor &which) {
  ConvGemm a = gemm_of(l, s, begin, x, out, which);
  Sizes z = sizes_of(a, l, false, x);
  at::Tensor packed = at::empty({x.size(0), z.packed}, s.weights.options());
  a.packed = packed.data_ptr<float>();
  launch(s.device(), s.shaped(FD_GEMM(x, l, "conv_gemm_pack"), a), z.pack_blocks, 0, a);
  launch(s.device(), s.shaped(FD_GEMM(x, l, "conv_gemm_forward"), a), z.blocks, z.shared, a);
}

void gemm_back(const fd_layer &l, const Stack &s, int64_t begin, const at::Tensor &x, const at::Tensor &grad,
               const at::Tensor &which, const at::Tensor &x_grad, const at::Tensor &onto) {
  // The number of slices does not depend on that of the clients, nor do the sums of a client's gradients. Convolutions alone
  // belong to larger networks, so more blocks have enough to do.
  ConvGemm a = gemm_of(l, s, begin, x, grad, which);
  Sizes z = sizes_of(a, l, true, x);
  int tiles = static_cast<int>(z.weight_tiles), blocks = a.alone ? 64 : 16;
  a.slices = std::max(1, std::min(blocks / tiles, static_cast<int>(x.size(1))));
  int64_t values = l.out * l.in * l.kernel * l.kernel, parts = a.slices * weight_parts(a);
  at::Tensor weight_grad = stacked(s.grads, begin + l.weight, {values});
  at::Tensor sums = parts == 1 ? weight_grad.unsqueeze(1) : at::empty({x.size(0), parts, values}, s.weights.options());
  a.sums = sums.data_ptr<float>();
  a.sums_client = sums.stride(0);
  a.sums_slice = values;
  launch(s.device(), s.shaped(FD_GEMM(x, l, "conv_gemm_weight"), a), x.size(0) * a.slices * tiles, z.weight_shared, a);
  if (parts > 1) keep_sum(weight_grad, sums, {1});
  if (!x_grad.defined()) return;
  a.x_grad = view_of(x_grad);
  if (onto.defined()) a.onto = view_of(onto);
  at::Tensor packed = at::empty({x.size(0), z.packed}, s.weights.options());
  a.packed = packed.data_ptr<float>();
  launch(s.device(), s.shaped(FD_GEMM(x, l, "conv_gemm_turn"), a), z.pack_blocks, 0, a);
  launch(s.device(), s.shaped(FD_GEMM(x, l, "conv_gemm_input"), a), z.blocks, z.shared, a);
}

}  // namespace fd
