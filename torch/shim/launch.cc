#include "launch.h"

#include <vector>

#include "cuda_kernels.h"
#include "emulate.h"

namespace fd {

void launch(const at::Device &device, const Kernel &kernel, int64_t blocks, int64_t shared, const void *args,
            size_t size) {
  TORCH_CHECK(shared <= limits_of(device).shared, kernel.name, " asks for ", 4 * shared, " bytes of shared memory");
  if (blocks == 0) return;
  if (device.is_cuda()) {
    cuda_launch(device, kernel, blocks, kThreads, 4 * shared, args, size);
    return;
  }
  if (emulate(kernel, blocks, shared, args, size)) return;
  TORCH_CHECK(kernel.host != nullptr, kernel.name, " has matrix instructions and cannot run on the CPU");
  static thread_local std::vector<float> memory(kSharedFloats);
  if (shared > static_cast<int64_t>(memory.size())) memory.resize(shared);
  for (int64_t b = 0; b < blocks; b++) kernel.host(args, b, memory.data());
}

Limits limits_of(const at::Device &device) { return device.is_cuda() ? cuda_limits(device) : Limits{(227 << 10) / 4, 1, 0}; }

// Whether each plane lies in one piece. The stride of an axis of one means nothing.
static bool planes_whole(const at::Tensor &x) {
  return (x.size(4) == 1 || x.stride(4) == 1) && (x.size(3) == 1 || x.stride(3) == x.size(4));
}

View view_of(const at::Tensor &x) {
  TORCH_CHECK(x.dim() == 5 && planes_whole(x), "activations of strides ", x.strides());
  return View{x.data_ptr(), x.stride(0), x.stride(1), x.stride(2)};
}

at::Tensor in_planes(const at::Tensor &x) { return planes_whole(x) ? x : x.contiguous(); }

}  // namespace fd
