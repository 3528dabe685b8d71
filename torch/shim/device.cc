#include "device.h"

#include <ATen/ATen.h>

#include <cstdlib>

#include "fd.h"
#include "guard.h"

#ifdef FD_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime_api.h>
#endif

namespace fd {

void check_device(const c10::Device &device) {
  try {
    TORCH_CHECK(at::ones({2}, at::TensorOptions().device(device)).sum().item<float>() == 2, device, " cannot add");
  } catch (const c10::Error &e) {
    std::string what = e.what_without_backtrace();
#ifdef FD_CUDA
    if (device.is_cuda() && what.find("no kernel image") != std::string::npos) {
      const auto *p = at::cuda::getDeviceProperties(device.index());
      TORCH_CHECK(false, device, " is a ", p->name, " of compute capability ", p->major, ".", p->minor,
                  ", for which this libtorch has no code: use one that has, or --device cpu");
    }
#endif
    TORCH_CHECK(false, device, " does not work: ", what);
  }
}

void set_math(bool tf32, bool deterministic) {
  auto &context = at::globalContext();
  context.setAllowTF32CuBLAS(tf32);
  context.setAllowTF32CuDNN(tf32);
  context.setDeterministicCuDNN(deterministic);
  context.setBenchmarkCuDNN(!deterministic);
  // cuBLAS reads the variable when its first handle is made.
  if (deterministic) setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
}

#ifdef FD_CUDA
static std::string cuda_version(int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); }

// Why there is no CUDA device; empty if there is one.
static std::string cuda_problem() {
  int count = 0, driver = 0, runtime = 0;
  cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count > 0) return "";
  (void)cudaGetLastError();
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (driver == 0) return "there is no NVIDIA driver";
  if (error == cudaErrorInsufficientDriver || error == cudaErrorSystemDriverMismatch)
    return "the driver knows CUDA " + cuda_version(driver) + ", this libtorch is built for CUDA " + cuda_version(runtime) +
           ": update the driver, or use a libtorch for CUDA " + cuda_version(driver);
  return std::string(cudaGetErrorString(error == cudaSuccess ? cudaErrorNoDevice : error)) +
         "; check nvidia-smi and CUDA_VISIBLE_DEVICES";
}
#endif

}  // namespace fd

extern "C" {

char *fd_device_problem(char **text) {
  return fd::guard([&] {
#ifdef FD_CUDA
    *text = strdup(fd::cuda_problem().c_str());
#else
    *text = strdup("this libtorch was built without CUDA");
#endif
  });
}

char *fd_cuda_version(char **text) {
  return fd::guard([&] {
    std::string version;
#ifdef FD_CUDA
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    version = fd::cuda_version(runtime) + (driver == 0 ? ", no driver" : ", driver " + fd::cuda_version(driver));
#endif
    *text = strdup(version.c_str());
  });
}

char *fd_device_name(const char *name, char **text) {
  return fd::guard([&] {
    c10::Device device{std::string(name)};
    *text = nullptr;
#ifdef FD_CUDA
    if (device.is_cuda()) *text = strdup(at::cuda::getDeviceProperties(device.index())->name);
#endif
    if (*text == nullptr) *text = strdup("");
  });
}

char *fd_device_memory(const char *name, int64_t *available, int64_t *total, int64_t *peak) {
  return fd::guard([&] {
    c10::Device device{std::string(name)};
    TORCH_CHECK(device.is_cuda(), device, " is not a CUDA device, so its memory is not known");
#ifdef FD_CUDA
    c10::cuda::CUDAGuard guard(device);
    size_t free_bytes = 0, total_bytes = 0;
    C10_CUDA_CHECK(cudaMemGetInfo(&free_bytes, &total_bytes));
    auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(device.index());
    // Memory that the allocator has cached counts as free.
    *available = static_cast<int64_t>(free_bytes) + stats.reserved_bytes[0].current - stats.allocated_bytes[0].current;
    *total = static_cast<int64_t>(total_bytes);
    *peak = stats.reserved_bytes[0].peak;
#else
    (void)available;
    (void)total;
    (void)peak;
#endif
  });
}

}  // extern "C"
