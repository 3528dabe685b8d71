// Kernels that are right and kernels that are wrong, to test what torch/fibers finds. main runs one of them and prints the
// values that it leaves in global memory and the report.
#include <cstdio>
#include <cstdlib>

#include "kernel_code.h"

struct Values {
  float *out;  // [512]
};

// The sum over each warp by shuffles.
inline void shuffled(const Values &a, long long block, float *) {
  int t = threadIdx.x;
  float sum = static_cast<float>(t);
  for (int d = 16; d > 0; d /= 2) sum += __shfl_xor_sync(0xffffffff, sum, d);
  float other = __shfl_down_sync(0xffffffff, sum, 1), first = __shfl_sync(0xffffffff, static_cast<float>(t), 0);
  a.out[block * 256 + t] = sum + 0 * other + first;
}
FD_KERNEL(shuffles, shuffled, Values)

// Each thread reads what its neighbour in the warp wrote.
inline void neighbour(const Values &a, long long block, float *shared, bool waits) {
  int t = threadIdx.x;
  shared[t] = static_cast<float>(t);
  if (waits) __syncwarp();
  a.out[block * 256 + t] = shared[t ^ 1];
}
inline void warp_waits(const Values &a, long long block, float *shared) { neighbour(a, block, shared, true); }
inline void warp_hurries(const Values &a, long long block, float *shared) { neighbour(a, block, shared, false); }
FD_KERNEL(warp_barrier, warp_waits, Values)
FD_KERNEL(no_warp_barrier, warp_hurries, Values)

// A barrier of the warp does not order what another warp wrote.
inline void across(const Values &a, long long block, float *shared) {
  int t = threadIdx.x;
  shared[t] = static_cast<float>(t);
  __syncwarp();
  a.out[block * 256 + t] = shared[t ^ 32];
}
FD_KERNEL(warp_barrier_across, across, Values)

// All threads read a word, and then one writes it.
inline void late(const Values &a, long long block, float *shared) {
  FD_EACH(i, 1) shared[0] = 1;
  FD_SYNC;
  float x = shared[0];
  FD_EACH(i, 1) shared[0] = 2;
  a.out[block * 256 + threadIdx.x] = x;
}
FD_KERNEL(read_then_write, late, Values)

inline void beyond(const Values &a, long long block, float *shared) {
  FD_EACH(i, 257) shared[i] = 1;
  FD_SYNC;
  FD_EACH(i, 256) a.out[block * 256 + i] = shared[i];
}
FD_KERNEL(beyond_the_end, beyond, Values)

inline void unset(const Values &a, long long block, float *shared) {
  FD_EACH(i, 255) shared[i] = 1;
  FD_SYNC;
  FD_EACH(i, 256) a.out[block * 256 + i] = shared[i];
}
FD_KERNEL(never_written, unset, Values)

// The second block writes over what the first wrote.
inline void overlap(const Values &a, long long block, float *) { FD_EACH(i, 256) a.out[block * 255 + i] = 1; }
FD_KERNEL(overlapping_blocks, overlap, Values)

inline void diverge(const Values &a, long long block, float *shared) {
  FD_EACH(i, 256) shared[i] = 1;
  if (threadIdx.x < 200) FD_SYNC;
  FD_EACH(i, 256) a.out[block * 256 + i] = shared[i];
}
FD_KERNEL(divergent, diverge, Values)

int main(int count, char **words) {
  static float out[512];
  Values args{out};
  if (count != 3) return 2;
  fd_fibers_start(static_cast<unsigned>(atoi(words[2])), "", "");
  if (!fd_fibers_launch(words[1], 2, 256, &args, sizeof args)) return 1;
  for (float x : out) std::printf("%g ", static_cast<double>(x));
  std::printf("\n%s", fd_fibers_report());
}
