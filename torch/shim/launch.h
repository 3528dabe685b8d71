// Starts kernels: on a CUDA device in the current stream, on the host as a loop over the blocks.
#pragma once

#include <ATen/ATen.h>

#include "constants.h"
#include "kernel_block.h"
#include "kernel_columns.h"
#include "kernel_fused_backward.h"
#include "kernel_fused_dense.h"
#include "kernel_fused_forward.h"
#include "kernel_fused_step.h"
#include "kernel_gemm_weight.h"
#include "kernel_hash.h"
#include "kernel_loss.h"
#include "kernel_norm.h"
#include "kernel_pool.h"
#include "kernel_sgd.h"

namespace fd {

struct Kernel {
  const char *name;                                             // name of the kernel on the CUDA device
  void (*host)(const void *args, long long block, float *shared);  // null: only GPUs and fibers can run it
  Constants constants = {};  // values of its arguments for which it is compiled on the CUDA device; none: for all values
};

constexpr int64_t kSharedFloats = 12288;  // shared memory that a block may have on every CUDA device: 48 KB

// What a device has for a kernel.
struct Limits {
  int64_t shared;      // floats of shared memory that a block may have there
  int64_t processors;  // number of multiprocessors
  int64_t capability;  // ten times the compute capability; 0 on the host
};
// The host has the shared memory of sm_90 and one multiprocessor.
Limits limits_of(const at::Device &device);

// Runs the given number of blocks, each with the given number of floats of shared memory.
// args points to size bytes, the kernel's struct.
void launch(const at::Device &device, const Kernel &kernel, int64_t blocks, int64_t shared, const void *args, size_t size);

template <typename Args>
void launch(const at::Device &device, const Kernel &kernel, int64_t blocks, int64_t shared, const Args &args) {
  launch(device, kernel, blocks, shared, &args, sizeof args);
}

// The kernel with the given name for activations of x's type.
#define FD_KERNEL_FOR(x, name) \
  ((x).scalar_type() == at::kBFloat16 ? ::fd::Kernel{#name "_bf16", ::fd::name##_bf16} : ::fd::Kernel{#name "_f32", ::fd::name##_f32})

inline int64_t chunks_of(int64_t n) { return (n + kChunk - 1) / kChunk; }

// x [clients, samples, channels, height, width] as kernels see it. Its planes must lie in one piece: see in_planes.
View view_of(const at::Tensor &x);
// x itself, or a copy whose planes lie in one piece.
at::Tensor in_planes(const at::Tensor &x);

}  // namespace fd
