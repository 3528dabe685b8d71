// The product of a warp's matrix instruction, from the words that its threads hold.
#pragma once

#include <cstdint>
#include <cstring>

namespace fibers {

struct Fragments {
  uint32_t words[6];  // a0 to a3, b0, b1
};

// The value at place i of a word of tf32 (one value) or bf16 (two values).
inline double value_of(uint32_t word, int values, int i) {
  uint32_t bits = values == 1 ? word & ~0x1fffu : (i == 0 ? word << 16 : word & 0xffff0000u);
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// Adds a lane's part of the product: rows g, g, g + 8, g + 8 and columns 2 t, 2 t + 1, 2 t, 2 t + 1 with g = lane / 4 and
// t = lane % 4.
inline void add_product(const Fragments *all, int values, int lane, float *sum) {
  for (int e = 0; e < 4; e++) {
    int row = lane / 4, column = lane % 4 * 2 + e % 2;
    double total = sum[e];
    for (int k = 0; k < 8; k++) {
      uint32_t a = all[row * 4 + k % 4].words[k / 4 * 2 + e / 2], b = all[column * 4 + k % 4].words[4 + k / 4];
      for (int i = 0; i < values; i++) total += value_of(a, values, i) * value_of(b, values, i);
    }
    sum[e] = static_cast<float>(total);
  }
}

}  // namespace fibers
