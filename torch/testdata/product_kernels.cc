// Kernels with matrix instructions and with copies that go on while a thread computes, right and wrong ones, to test them on
// fibers. main runs one of them on random operands and prints the largest difference from a plain product and the report.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "kernel_warp.h"

namespace fd {

// Per warp: a [16, k], b [k, 8] and the sum [16, 8], to which the product is added; k is 8 for tf32 and 16 for bf16.
struct Matrices {
  const float *a, *b;
  float *sum;
};

template <typename T>
FD_DEVICE u32 word_of(float low, float high) {
  if (Operands<T>::count == 1) return tf32_of(low);
  bfloat l, h;
  put(&l, low);
  put(&h, high);
  return l.bits | static_cast<u32>(h.bits) << 16;
}

// The threads from some on leave out the product if all is false. rounds: operands of tf32 are rounded.
template <typename T>
FD_DEVICE void product_of(const Matrices &m, i64 block, bool all, bool rounds) {
  constexpr int n = Operands<T>::count, k = 8 * n;
  int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  i64 warp = block * 8 + threadIdx.x / 32;
  const float *a = m.a + warp * 16 * k, *b = m.b + warp * k * 8;
  float *to = m.sum + warp * 128, sum[4];
  auto word = [&](float low, float high) { return rounds ? word_of<T>(low, high) : bits_of(low); };
  auto row = [&](int r, int w) { return word(a[r * k + w * n], a[r * k + w * n + n - 1]); };
  auto column = [&](int w) { return word(b[w * n * 8 + g], b[(w * n + n - 1) * 8 + g]); };
  for (int e = 0; e < 4; e++) sum[e] = to[(g + e / 2 * 8) * 8 + 2 * t + e % 2];
  if (all || lane < 20) multiply<T>(sum, row(g, t), row(g + 8, t), row(g, t + 4), row(g + 8, t + 4), column(t), column(t + 4));
  if (!all) FD_SYNC;
  for (int e = 0; e < 4; e++) to[(g + e / 2 * 8) * 8 + 2 * t + e % 2] = sum[e];
}
FD_DEVICE void product_tf32(const Matrices &m, i64 block, float *) { product_of<float>(m, block, true, true); }
FD_DEVICE void product_bf16(const Matrices &m, i64 block, float *) { product_of<bfloat>(m, block, true, true); }
FD_DEVICE void product_of_some(const Matrices &m, i64 block, float *) { product_of<float>(m, block, false, true); }
FD_DEVICE void product_not_rounded(const Matrices &m, i64 block, float *) { product_of<float>(m, block, true, false); }
FD_DEVICE void product_of_the_rest(const Matrices &m, i64 block, float *) {
  if (threadIdx.x % 32 < 20) product_of<float>(m, block, true, true);
}
FD_KERNEL(product_tf32_f32, product_tf32, Matrices)
FD_KERNEL(product_bf16_f32, product_bf16, Matrices)
FD_KERNEL(product_of_some_f32, product_of_some, Matrices)
FD_KERNEL(product_of_the_rest_f32, product_of_the_rest, Matrices)
FD_KERNEL(product_not_rounded_f32, product_not_rounded, Matrices)

// Products of one warp order no accesses of memory: each thread reads what another one wrote before the product.
FD_DEVICE void product_no_barrier(const Matrices &m, i64, float *shared) {
  float sum[4] = {};
  shared[threadIdx.x] = 1;
  multiply<float>(sum, 0, 0, 0, 0, 0, 0);
  m.sum[threadIdx.x] += shared[threadIdx.x ^ 1] - 1;
}
FD_KERNEL(product_no_barrier_f32, product_no_barrier, Matrices)

// Copies the sums to shared memory and back. Without waits, they are read before they are there.
FD_DEVICE void copied(const Matrices &m, i64 block, float *shared, bool waits, bool barrier) {
  float *own = m.sum + block * 1024;
  copy_words(shared + threadIdx.x * 4, own + threadIdx.x * 4);
  copy_word(shared + 1024 + threadIdx.x, own, false);
  if (waits) copies_done();
  if (barrier) FD_SYNC;
  int other = threadIdx.x ^ 32;
  for (int e = 0; e < 4; e++) own[other * 4 + e] = shared[other * 4 + e] + shared[1024 + other];
  if (!waits) copies_done();
}
FD_DEVICE void copies_right(const Matrices &m, i64 block, float *s) { copied(m, block, s, true, true); }
FD_DEVICE void copies_early(const Matrices &m, i64 block, float *s) { copied(m, block, s, false, true); }
FD_DEVICE void copies_alone(const Matrices &m, i64 block, float *s) { copied(m, block, s, true, false); }
FD_DEVICE void copies_left(const Matrices &m, i64, float *s) { copy_word(s + threadIdx.x, m.sum + threadIdx.x, true); }
FD_DEVICE void copies_askew(const Matrices &m, i64, float *s) {
  copy_words(s + threadIdx.x * 5, m.sum + threadIdx.x * 4);
  copies_done();
}
FD_KERNEL(copies_askew_f32, copies_askew, Matrices)
FD_KERNEL(copies_right_f32, copies_right, Matrices)
FD_KERNEL(copies_early_f32, copies_early, Matrices)
FD_KERNEL(copies_alone_f32, copies_alone, Matrices)
FD_KERNEL(copies_left_f32, copies_left, Matrices)

}  // namespace fd

// The value with the given number of bits of mantissa behind its first one. Ties are rounded away from zero for tf32, and to
// even for bf16.
static double rounded(float x, int bits) {
  if (x == 0) return 0;
  int e;
  std::frexp(x, &e);
  double scaled = std::ldexp(static_cast<double>(x), bits + 1 - e);
  return std::ldexp(bits == 10 ? std::round(scaled) : std::nearbyint(scaled), e - bits - 1);
}

int main(int count, char **words) {
  if (count != 4) return 2;
  std::string name = words[1];
  int k = atoi(words[3]), bits = k == 8 ? 10 : 7;  // 0: there is no product
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  constexpr int warps = 16;
  static float a[warps * 256], b[warps * 128], sum[warps * 128], before[warps * 128];
  for (float &x : a) x = normal(random);
  for (float &x : b) x = normal(random);
  for (int i = 0; i < warps * 128; i++) before[i] = sum[i] = normal(random);
  fd::Matrices args{a, b, sum};
  fd_fibers_start(static_cast<unsigned>(atoi(words[2])), "", "");
  if (!fd_fibers_launch(name.c_str(), 2, 1280, &args, sizeof args)) return 1;
  double worst = 0;
  for (int i = 0; i < warps * 128; i++) {
    int w = i / 128, row = i % 128 / 8, column = i % 8;
    double want = before[i];
    for (int j = 0; j < k; j++) want += rounded(a[(w * 16 + row) * k + j], bits) * rounded(b[(w * k + j) * 8 + column], bits);
    double off = std::abs(sum[i] - want);
    if (!(off <= worst)) worst = off;
  }
  std::printf("%g\n%s", worst, fd_fibers_report());
}
