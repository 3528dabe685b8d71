// What a warp of 32 threads does together: matrix instructions; and copies to shared memory that go on while a thread
// computes. On a CUDA device these are PTX instructions, for compute capability 8.0 and above. On fibers they are functions
// of torch/fibers. As loops there are no warps, so the program cannot run kernels with FD_KERNELS_WARP on the CPU.
#pragma once

#include "kernel_code.h"

namespace fd {

// The value rounded to tf32: 8 bits of exponent and 10 of mantissa, to the nearest, ties away from zero.
FD_DEVICE u32 tf32_of(float x) {
#ifdef __CUDACC_RTC__
  u32 rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
  return rounded;
#else
  u32 u = bits_of(x);
  if (x != x) return 0x7fc00000;
  return (u & 0x7f800000) == 0x7f800000 ? u : (u + 0x1000) & ~0x1fffu;
#endif
}

// Deals out items over the threads. Their number is a constant, so that the compiler can unroll the loop.
#define FD_EACH_THREAD(i, n) for (int i = threadIdx.x; i < (n); i += kThreads)

// A product of matrices of operands of type T: float, of which each word is a value that tf32_of has rounded, or bfloat, of
// which each word has two values. Operands is the number of values of a word.
template <typename T>
struct Operands;
template <>
struct Operands<float> {
  static constexpr int count = 1;
};
template <>
struct Operands<bfloat> {
  static constexpr int count = 2;
};

#if defined(__CUDACC_RTC__) || defined(FD_FIBERS)

// sum += a b, of all threads of a warp. In words, a is [16, 8] and b is [8, 8]; each row of a and each column of b has 8 values
// of tf32 or 16 of bf16. With g = lane / 4 and t = lane % 4, a thread has the words
//   a0 = a[g][t], a1 = a[g + 8][t], a2 = a[g][t + 4], a3 = a[g + 8][t + 4];  b0 = b[t][g], b1 = b[t + 4][g]
// and of the sums [16, 8] those of rows g, g, g + 8, g + 8 and columns 2 t, 2 t + 1, 2 t, 2 t + 1. Sums are in float32.
template <typename T>
FD_DEVICE void multiply(float (&sum)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
#ifdef __CUDACC_RTC__
  if constexpr (Operands<T>::count == 1)
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
  else
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
#else
  const u32 words[6] = {a0, a1, a2, a3, b0, b1};
  fd_fibers_multiply(Operands<T>::count, words, sum);
#endif
}

// Begins to copy a word to shared memory, or to write zero there if inside is false; from must be an address either way. The
// word is there for this thread after copies_done, and for others after a barrier behind it.
FD_DEVICE void copy_word(float *to, const float *from, bool inside) {
#ifdef __CUDACC_RTC__
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(static_cast<u32>(__cvta_generic_to_shared(to))), "l"(from),
               "r"(inside ? 4 : 0)
               : "memory");
#else
  fd_fibers_copy(to, inside ? from : nullptr, 4);
#endif
}
// Likewise four words, which lie at whole multiples of 16 bytes.
FD_DEVICE void copy_words(float *to, const float *from) {
#ifdef __CUDACC_RTC__
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(static_cast<u32>(__cvta_generic_to_shared(to))), "l"(from)
               : "memory");
#else
  fd_fibers_copy(to, from, 16);
#endif
}
// Waits for the copies that this thread has begun.
FD_DEVICE void copies_done() {
#ifdef __CUDACC_RTC__
  asm volatile("cp.async.wait_all;" ::: "memory");
#else
  fd_fibers_copies_done();
#endif
}

#endif

}  // namespace fd
