#include "stacked_gemm.h"

#include "emulate.h"
#include "kernel_gemm_weight.h"

namespace fd {
namespace {

// The kernel with the given name of either size of filter, for activations of x's type. It cannot run as loops.
#define FD_GEMM(x, l, name)                                                                                \
  Kernel {                                                                                                 \
    (x).scalar_type() == at::kBFloat16 ? ((l).kernel == 3 ? name "_3_bf16" : name "_5_bf16")               \
                                       : ((l).kernel == 3 ? name "_3_f32" : name "_5_f32"),                \
        nullptr                                                                                            \
  }

// Numbers of packed weights per client, of blocks, and of floats of shared memory, for activations of type T and filters of k.
struct Sizes {
  int64_t packed, pack_blocks, blocks, shared;
};
template <typename T, int k>
Sizes sizes_of(const GemmShape &g, int64_t clients, int samples) {
  return {packed_size<T, k>(g), clients * result_tiles(g) * source_chunks<T>(g), clients * result_tiles(g) * quad_tiles(g, samples),
          gemm_shared<T, k>(g)};
}
Sizes sizes_of(const GemmShape &g, const fd_layer &l, const at::Tensor &x) {
  int samples = static_cast<int>(x.size(1));
  if (x.scalar_type() == at::kBFloat16)
    return l.kernel == 3 ? sizes_of<bfloat, 3>(g, x.size(0), samples) : sizes_of<bfloat, 5>(g, x.size(0), samples);
  return l.kernel == 3 ? sizes_of<float, 3>(g, x.size(0), samples) : sizes_of<float, 5>(g, x.size(0), samples);
}
GemmShape input_shape_of(const fd_layer &l, const ConvGemm &a) { return l.kernel == 3 ? input_shape<3>(a) : input_shape<5>(a); }
int weight_tiles_of(const fd_layer &l, const ConvGemm &a) { return l.kernel == 3 ? weight_tiles<3>(a) : weight_tiles<5>(a); }
int64_t weight_shared_of(const fd_layer &l, const ConvGemm &a, const at::Tensor &x) {
  if (x.scalar_type() == at::kBFloat16) return l.kernel == 3 ? weight_shared<bfloat, 3>(a) : weight_shared<bfloat, 5>(a);
  return l.kernel == 3 ? weight_shared<float, 3>(a) : weight_shared<float, 5>(a);
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
  a.quads_h = static_cast<int>((x.size(3) + 2 * l.padding - l.kernel + 1 + a.alone) / 2);
  a.quads_w = static_cast<int>((x.size(4) + 2 * l.padding - l.kernel + 1 + a.alone) / 2);
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
  if (l.stride != 1 || (l.kernel != 3 && l.kernel != 5) || (l.bias >= 0) != block || l.padding >= l.kernel) return false;
  Limits limits = limits_of(s.device());
  bool rounds = x.scalar_type() == at::kBFloat16 || s.methods->tf32;
  if (s.device().is_cuda() ? !s.methods->shapes || !rounds || limits.capability < 80 : !emulating()) return false;
  ConvGemm a = shape_of(l, block, s, x);
  if (a.quads_h < 1 || a.quads_w < 1) return false;
  int64_t shared = std::max(sizes_of(forward_shape(a), l, x).shared, weight_shared_of(l, a, x));
  if (wants_input) shared = std::max(shared, sizes_of(input_shape_of(l, a), l, x).shared);
  return shared <= limits.shared;
}

void gemm_forward(const fd_layer &l, const Stack &s, int64_t begin, const at::Tensor &x, const at::Tensor &out,
                  const at::Tensor &which) {
  ConvGemm a = gemm_of(l, s, begin, x, out, which);
  Sizes z = sizes_of(forward_shape(a), l, x);
  at::Tensor packed = at::empty({x.size(0), z.packed}, s.weights.options());
  a.packed = packed.data_ptr<float>();
  launch(s.device(), s.shaped(FD_GEMM(x, l, "conv_gemm_pack"), a), z.pack_blocks, 0, a);
  launch(s.device(), s.shaped(FD_GEMM(x, l, "conv_gemm_forward"), a), z.blocks, z.shared, a);
}

void gemm_back(const fd_layer &l, const Stack &s, int64_t begin, const at::Tensor &x, const at::Tensor &grad,
               const at::Tensor &which, const at::Tensor &x_grad) {
  // The number of slices does not depend on that of the clients, nor do the sums of a client's gradients. Convolutions alone
  // belong to larger networks, so more blocks have enough to do.
  ConvGemm a = gemm_of(l, s, begin, x, grad, which);
  int tiles = weight_tiles_of(l, a), blocks = a.alone ? 64 : 16;
  a.slices = std::max(1, std::min(blocks / tiles, static_cast<int>(x.size(1))));
  int64_t values = l.out * l.in * l.kernel * l.kernel, parts = a.slices * weight_parts(a);
  at::Tensor weight_grad = stacked(s.grads, begin + l.weight, {values});
  at::Tensor sums = parts == 1 ? weight_grad.unsqueeze(1) : at::empty({x.size(0), parts, values}, s.weights.options());
  a.sums = sums.data_ptr<float>();
  a.sums_client = sums.stride(0);
  a.sums_slice = values;
  launch(s.device(), s.shaped(FD_GEMM(x, l, "conv_gemm_weight"), a), x.size(0) * a.slices * tiles, weight_shared_of(l, a, x), a);
  if (parts > 1) keep_sum(weight_grad, sums, {1});
  if (!x_grad.defined()) return;
  a.x_grad = view_of(x_grad);
  Sizes z = sizes_of(input_shape_of(l, a), l, x);
  at::Tensor packed = at::empty({x.size(0), z.packed}, s.weights.options());
  a.packed = packed.data_ptr<float>();
  launch(s.device(), s.shaped(FD_GEMM(x, l, "conv_gemm_turn"), a), z.pack_blocks, 0, a);
  launch(s.device(), s.shaped(FD_GEMM(x, l, "conv_gemm_input"), a), z.blocks, z.shared, a);
}

}  // namespace fd
