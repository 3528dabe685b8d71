// Macros and types that let a kernel be written once. For CUDA devices NVRTC compiles these files when the program starts,
// and a block is a block of threads. For the host they are plain functions, and a block is a loop. So tests without a GPU
// run the code that GPUs run. A kernel is a sequence of phases: FD_EACH distributes the items of a phase over the threads,
// and FD_SYNC ends the phase. Only shared memory lives across phases. With FD_FIBERS, for tests of the barriers, each thread
// of a block is a fiber of torch/fibers.
#pragma once

#ifdef __CUDACC_RTC__
#define FD_DEVICE __device__ __forceinline__
#define FD_SYNC __syncthreads()
#define FD_UNROLL _Pragma("unroll")
#define FD_UNROLL_TWO _Pragma("unroll 2")
#define FD_KERNEL(name, function, Args)                                       \
  extern "C" __global__ void __launch_bounds__(256) name(const Args args) {   \
    extern __shared__ float shared[];                                         \
    function(args, blockIdx.x, shared);                                       \
  }
#else
#include <cmath>
#include <cstring>
#define FD_DEVICE inline
#define FD_UNROLL
#define FD_UNROLL_TWO
#ifdef FD_FIBERS
#include "fibers.h"
#define FD_SYNC fd_fibers_sync(__FILE__, __LINE__)
#define FD_KERNEL(name, function, Args)                                                   \
  static const bool name##_known = fd_fibers_kernel(#name, [](const void *args, long long block, float *shared) { \
    function(*static_cast<const Args *>(args), block, shared);                            \
  });
#else
#define FD_SYNC ((void)0)
#define FD_KERNEL(name, function, Args)                                       \
  inline void name(const void *args, long long block, float *shared) {        \
    function(*static_cast<const Args *>(args), block, shared);                \
  }
#endif
#endif

// The kernel for one shape of a layer: assignments give members of args their values ("args.in = 6;"), which are constants
// for the compiler. The host's loops have no use for it.
#ifdef __CUDACC_RTC__
#define FD_SHAPED(name, kernel, T, Args, assignments)                               \
  extern "C" __global__ void __launch_bounds__(256) name(const fd::Args given) {    \
    extern __shared__ float shared[];                                               \
    fd::Args args = given;                                                          \
    assignments                                                                     \
    fd::kernel<T>(args, blockIdx.x, shared);                                        \
  }
#elif defined(FD_FIBERS)
#define FD_SHAPED(name, kernel, T, Args, assignments)                                                     \
  static const bool name##_known = fd_fibers_kernel(#name, [](const void *given, long long block, float *shared) { \
    fd::Args args = *static_cast<const fd::Args *>(given);                                                \
    assignments                                                                                           \
    fd::kernel<T>(args, block, shared);                                                                   \
  });
#endif

#if defined(__CUDACC_RTC__) || defined(FD_FIBERS)
#define FD_EACH(i, n) for (int i = threadIdx.x; i < (n); i += blockDim.x)
#else
#define FD_EACH(i, n) for (int i = 0; i < (n); i++)
#endif

// A kernel for each type of activations; on a CUDA device for the one in use, which halves the wait. With FD_ALONE there is
// none beside that of FD_SHAPED.
#ifdef FD_ALONE
#undef FD_KERNEL
#define FD_KERNEL(name, function, Args)
#define FD_KERNELS(name, Args)
#elif !defined(__CUDACC_RTC__)
#define FD_KERNELS(name, Args)             \
  FD_KERNEL(name##_f32, name<float>, Args) \
  FD_KERNEL(name##_bf16, name<bfloat>, Args)
#elif defined(FD_BF16)
#define FD_KERNELS(name, Args) FD_KERNEL(name##_bf16, name<bfloat>, Args)
#else
#define FD_KERNELS(name, Args) FD_KERNEL(name##_f32, name<float>, Args)
#endif
// Kernels that a CUDA device has for shapes of layers only.
#ifdef __CUDACC_RTC__
#define FD_KERNELS_SHAPED(name, Args)
#else
#define FD_KERNELS_SHAPED(name, Args) FD_KERNELS(name, Args)
#endif
// The same for kernels with matrix instructions (kernel_warp.h), which cannot run as loops.
#ifdef FD_FIBERS
#define FD_KERNELS_WARP(name, Args) FD_KERNELS(name, Args)
#else
#define FD_KERNELS_WARP(name, Args)
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

// The value that an activation of type T keeps.
template <typename T>
FD_DEVICE float rounded_to(float x) {
  T kept;
  put(&kept, x);
  return get(&kept);
}

// Four neighbours, the first of which begins a word of 16 bytes.
FD_DEVICE void load_four(const float *from, float *to) {
#ifdef __CUDACC_RTC__
  float4 word = *reinterpret_cast<const float4 *>(from);
  to[0] = word.x, to[1] = word.y, to[2] = word.z, to[3] = word.w;
#else
#ifdef FD_FIBERS
  fd_fibers_aligned(from, 16);
#endif
  for (int v = 0; v < 4; v++) to[v] = from[v];
#endif
}
FD_DEVICE void store_four(float *to, const float *from) {
#ifdef __CUDACC_RTC__
  *reinterpret_cast<float4 *>(to) = make_float4(from[0], from[1], from[2], from[3]);
#else
#ifdef FD_FIBERS
  fd_fibers_aligned(to, 16);
#endif
  for (int v = 0; v < 4; v++) to[v] = from[v];
#endif
}

// The same for activations; bfloat16 values begin a word of 8 bytes.
FD_DEVICE void get_four(const float *from, float *to) { load_four(from, to); }
FD_DEVICE void put_four(float *to, const float *from) { store_four(to, from); }
FD_DEVICE void get_four(const bfloat *from, float *to) {
  alignas(8) bfloat kept[4];
#ifdef __CUDACC_RTC__
  *reinterpret_cast<uint2 *>(kept) = *reinterpret_cast<const uint2 *>(from);
#else
  std::memcpy(kept, from, sizeof kept);
#endif
  FD_UNROLL for (int v = 0; v < 4; v++) to[v] = get(kept + v);
}
FD_DEVICE void put_four(bfloat *to, const float *from) {
  alignas(8) bfloat kept[4];
  FD_UNROLL for (int v = 0; v < 4; v++) put(kept + v, from[v]);
#ifdef __CUDACC_RTC__
  *reinterpret_cast<uint2 *>(to) = *reinterpret_cast<const uint2 *>(kept);
#else
  std::memcpy(to, kept, sizeof kept);
#endif
}

// Four values of a row of n, from an index on that is a multiple of four. Beyond the end of the row they are zeros, and
// nothing is written. Rows follow each other, so that those of a multiple of four values begin a word.
template <typename T>
FD_DEVICE void get_row(const T *row, int at, int n, float *to) {
  if (n % 4 == 0) {
    get_four(row + at, to);
    return;
  }
  FD_UNROLL for (int v = 0; v < 4; v++) to[v] = at + v < n ? get(row + at + v) : 0.0f;
}
template <typename T>
FD_DEVICE void put_row(T *row, int at, int n, const float *from) {
  if (n % 4 == 0) {
    put_four(row + at, from);
    return;
  }
  FD_UNROLL for (int v = 0; v < 4; v++)
    if (at + v < n) put(row + at + v, from[v]);
}

// A hash of 64 bits that spreads neighbours apart: splitmix64's finaliser.
FD_DEVICE u64 mixed(u64 z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
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

// A quotient and a remainder of numbers below 2^31, such as a block's: a GPU divides 64-bit integers in a subroutine.
FD_DEVICE int quotient(i64 a, i64 b) { return static_cast<int>(static_cast<u32>(a) / static_cast<u32>(b)); }
FD_DEVICE int remainder_of(i64 a, i64 b) { return static_cast<int>(static_cast<u32>(a) % static_cast<u32>(b)); }

// The number of a block's elements when n are dealt out in chunks, and where they begin.
FD_DEVICE i64 chunk_begin(i64 chunk) { return chunk * kChunk; }
FD_DEVICE int chunk_size(i64 chunk, i64 n) {
  i64 left = n - chunk * kChunk;
  return static_cast<int>(left < kChunk ? left : kChunk);
}

// Adds up kThreads partial sums in shared memory; the total stands in partial[0].
template <typename T>
FD_DEVICE void add_up(T *partial) {
  FD_SYNC;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    FD_EACH(t, half) partial[t] += partial[t + half];
    FD_SYNC;
  }
}

}  // namespace fd
