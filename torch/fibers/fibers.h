// What CUDA gives to a kernel, for kernels whose threads are fibers: where a thread is, barriers, shuffles and matrix
// instructions of a warp, and copies that go on while a thread computes.
#pragma once

#include <cstddef>
#include <cstdint>

typedef void (*FiberKernel)(const void *args, long long block, float *shared);

struct FiberIndex {
  int x;
};

extern "C" {
// Makes a kernel known by its name.
bool fd_fibers_kernel(const char *name, FiberKernel kernel);
FiberIndex fd_fibers_thread();
FiberIndex fd_fibers_threads();
// Waits for all threads of the block. file and line name the barrier.
void fd_fibers_sync(const char *file, int line);
// Waits for all threads of the warp.
void fd_fibers_sync_warp(const char *file, int line);
// Hands value to the other threads of the warp; returns the one of the thread at lane. It orders no memory.
float fd_fibers_shuffle(float value, int lane);
// The product of fd::multiply (torch/shim/kernel_warp.h), of words with one value of tf32 or two of bf16. words are a0 to a3, b0
// and b1. It orders no memory.
void fd_fibers_multiply(int values, const uint32_t *words, float *sum);
// Begins to copy bytes to shared memory, or to write zeros there without from. Until copies_done, the bytes there are those of
// a NaN.
void fd_fibers_copy(void *to, const void *from, size_t bytes);
void fd_fibers_copies_done();
// Reports an address that is not a whole multiple of bytes.
void fd_fibers_aligned(const void *p, size_t bytes);

// What runs the kernels calls these.
#define FIBERS_API __attribute__((visibility("default")))
// Forgets what was found. The barrier named without ("kernel_block.h:74") is left out of the kernel.
FIBERS_API void fd_fibers_start(uint64_t seed, const char *kernel, const char *without);
// Runs all blocks. Returns whether the kernel is known and the shared memory, in floats, is available.
FIBERS_API bool fd_fibers_launch(const char *kernel, long long blocks, long long shared, const void *args, size_t size);
// Lines "ran KERNEL", "barrier KERNEL FILE:LINE" and "finding TEXT", for the caller to free.
FIBERS_API char *fd_fibers_report();
// The names of all kernels, a line each, for the caller to free.
FIBERS_API char *fd_fibers_kernels();
}

#define threadIdx fd_fibers_thread()
#define blockDim fd_fibers_threads()
#define __syncthreads() fd_fibers_sync(__FILE__, __LINE__)
#define __syncwarp() fd_fibers_sync_warp(__FILE__, __LINE__)

inline float __shfl_sync(unsigned, float value, int lane) { return fd_fibers_shuffle(value, lane & 31); }
inline float __shfl_xor_sync(unsigned, float value, int mask) {
  return fd_fibers_shuffle(value, ((threadIdx.x & 31) ^ mask) & 31);
}
// Beyond the last lane a thread gets its own value.
inline float __shfl_down_sync(unsigned, float value, int delta) {
  int lane = threadIdx.x & 31;
  return fd_fibers_shuffle(value, lane + delta < 32 ? lane + delta : lane);
}
