// A hash of a vector's values, which tells whether vectors are equal without copying them to the host.
#pragma once

#include "kernel_code.h"

namespace fd {

struct Hash {
  const float *values;  // [n]
  i64 n;
  u64 seeds[2];
  u64 *sums;  // [chunks, 2]: of each chunk, what the two halves of the hash are sums of
};

// A block is a chunk. Each value is mixed with its place, and the sum does not depend on the order. Shared memory: two rows
// of kThreads sums of 64 bits.
FD_DEVICE void hash(const Hash &a, i64 block, float *shared) {
  u64 *partial = reinterpret_cast<u64 *>(shared);
  i64 begin = chunk_begin(block);
  int size = chunk_size(block, a.n);
  FD_EACH(t, kThreads) {
    u64 first = 0, second = 0;
    for (int i = t; i < size; i += kThreads) {
      u64 value = static_cast<u64>(begin + i) << 32 ^ bits_of(a.values[begin + i]);
      first += mixed(value ^ a.seeds[0]);
      second += mixed(value + a.seeds[1]);
    }
    partial[t] = first;
    partial[kThreads + t] = second;
  }
  add_up(partial);
  add_up(partial + kThreads);
  FD_EACH(h, 2) a.sums[2 * block + h] = partial[h * kThreads];
}
FD_KERNEL(hash_chunks, hash, Hash)

}  // namespace fd
