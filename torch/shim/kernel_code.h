// Macros and types that let a kernel be written once. For CUDA devices NVRTC compiles these files when the program starts,
// and a block is a block of threads. For the host they are plain functions, and a block is a loop. So tests without a GPU
// run the code that GPUs run. A kernel is a sequence of phases: FD_EACH distributes the items of a phase over the threads,
// and FD_SYNC ends the phase. Only shared memory lives across phases.
#pragma once

#ifdef __CUDACC_RTC__
#define FD_DEVICE __device__ __forceinline__
#define FD_EACH(i, n) for (int i = threadIdx.x; i < (n); i += blockDim.x)
#define FD_SYNC __syncthreads()
#define FD_KERNEL(name, function, Args)                                       \
  extern "C" __global__ void __launch_bounds__(256) name(const Args args) {   \
    extern __shared__ float shared[];                                         \
    function(args, blockIdx.x, shared);                                       \
  }
#else
#include <cmath>
#include <cstring>
#define FD_DEVICE inline
#define FD_EACH(i, n) for (int i = 0; i < (n); i++)
#define FD_SYNC ((void)0)
#define FD_KERNEL(name, function, Args)                                       \
  inline void name(const void *args, long long block, float *shared) {        \
    function(*static_cast<const Args *>(args), block, shared);                \
  }
#endif

// A kernel for each type of activations; on a CUDA device for the one in use, which halves the wait.
#ifndef __CUDACC_RTC__
#define FD_KERNELS(name, Args)             \
  FD_KERNEL(name##_f32, name<float>, Args) \
  FD_KERNEL(name##_bf16, name<bfloat>, Args)
#elif defined(FD_BF16)
#define FD_KERNELS(name, Args) FD_KERNEL(name##_bf16, name<bfloat>, Args)
#else
#define FD_KERNELS(name, Args) FD_KERNEL(name##_f32, name<float>, Args)
#endif

namespace fd {

typedef long long i64;
typedef unsigned long long u64;
typedef unsigned int u32;
typedef unsigned char u8;

constexpr int kThreads = 256;  // threads per block
constexpr int kChunk = 2048;   // elements of a block where any number is possible

// bfloat16 as it lies in memory; arithmetic is in float32.
struct bfloat {
  unsigned short bits;
};

FD_DEVICE u32 bits_of(float x) {
#ifdef __CUDACC_RTC__
  return __float_as_uint(x);
#else
  u32 u;
  std::memcpy(&u, &x, sizeof u);
  return u;
#endif
}

FD_DEVICE float float_of(u32 u) {
#ifdef __CUDACC_RTC__
  return __uint_as_float(u);
#else
  float x;
  std::memcpy(&x, &u, sizeof x);
  return x;
#endif
}

FD_DEVICE float get(const float *p) { return *p; }
FD_DEVICE float get(const bfloat *p) { return float_of(static_cast<u32>(p->bits) << 16); }
FD_DEVICE void put(float *p, float x) { *p = x; }
FD_DEVICE void put(bfloat *p, float x) {  // to the nearest, ties to even; a NaN stays one
  u32 u = bits_of(x);
  u32 rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
  p->bits = static_cast<unsigned short>(x != x ? 0x7fc0 : rounded);
}

// Activations [clients, samples, channels, plane] in any order of the first three; a plane's values lie together.
struct View {
  void *data;
  i64 client, sample, channel;  // strides, in values
};

template <typename T>
FD_DEVICE T *at_plane(const View &v, i64 client, i64 sample, i64 channel) {
  return static_cast<T *>(v.data) + client * v.client + sample * v.sample + channel * v.channel;
}

// The number of a block's elements when n are dealt out in chunks, and where they begin.
FD_DEVICE i64 chunk_begin(i64 chunk) { return chunk * kChunk; }
FD_DEVICE int chunk_size(i64 chunk, i64 n) {
  i64 left = n - chunk * kChunk;
  return static_cast<int>(left < kChunk ? left : kChunk);
}

// Adds up kThreads partial sums in shared memory; the total stands in partial[0].
FD_DEVICE void add_up(float *partial) {
  FD_SYNC;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    FD_EACH(t, half) partial[t] += partial[t + half];
    FD_SYNC;
  }
}

}  // namespace fd
