// What every step begins and ends with: which samples it takes, their images, their rows of a table; dropout.
#pragma once

#include "kernel_code.h"

namespace fd {

// The samples of all steps. A slot holds a row of the tables of samples, or -1 where a short batch is padded.
struct Batch {
  const i64 *step;    // the step that is due
  const int *slots;   // [steps, capacity, samples]
  const int *counts;  // [steps, capacity], the number of slots in use
  int capacity;       // number of clients for which a step has room
  int samples;        // B
};

FD_DEVICE int slot_of(const Batch &b, int client, int sample) {
  return b.slots[(*b.step * b.capacity + client) * b.samples + sample];
}
FD_DEVICE int count_of(const Batch &b, int client) { return b.counts[*b.step * b.capacity + client]; }

struct GatherImages {
  Batch batch;
  const int *image_of;                 // by row: which image
  const unsigned char *pixels;         // [images, channels, plane]
  const float *table;                  // [channels, 256]: the normalised value of each byte
  void *out;                           // [clients, samples, channels, plane]
  int channels, plane;
};

// A block is a slot. Padding is zero.
template <typename T>
FD_DEVICE void gather_images(const GatherImages &a, i64 block, float *) {
  int row = slot_of(a.batch, quotient(block, a.batch.samples), remainder_of(block, a.batch.samples));
  int size = a.channels * a.plane;
  T *out = static_cast<T *>(a.out) + block * size;
  const u8 *image = a.pixels + (row < 0 ? 0 : static_cast<i64>(a.image_of[row]) * size);
  FD_EACH(i, size) put(out + i, row < 0 ? 0.0f : a.table[i / a.plane * 256 + image[i]]);
}
FD_KERNELS(gather_images, GatherImages)

// Rows between a table [rows, width] and activations [clients, samples, row], whose columns from begin on they are.
struct MoveRows {
  Batch batch;
  void *table;
  void *activations;
  int width, row, begin;
};

// A block is a slot. Padding is zero.
template <typename T>
FD_DEVICE void gather_rows(const MoveRows &a, i64 block, float *) {
  int row = slot_of(a.batch, quotient(block, a.batch.samples), remainder_of(block, a.batch.samples));
  const T *from = static_cast<const T *>(a.table) + static_cast<i64>(row < 0 ? 0 : row) * a.width;
  T *to = static_cast<T *>(a.activations) + block * a.row + a.begin;
  FD_EACH(i, a.width) put(to + i, row < 0 ? 0.0f : get(from + i));
}
FD_KERNELS(gather_rows, MoveRows)

template <typename T>
FD_DEVICE void scatter_rows(const MoveRows &a, i64 block, float *) {
  int row = slot_of(a.batch, quotient(block, a.batch.samples), remainder_of(block, a.batch.samples));
  if (row < 0) return;
  const T *from = static_cast<const T *>(a.activations) + block * a.row + a.begin;
  T *to = static_cast<T *>(a.table) + static_cast<i64>(row) * a.width;
  FD_EACH(i, a.width) to[i] = from[i];
}
FD_KERNELS(scatter_rows, MoveRows)

// Whether dropout zeroes activation i of a client, which depends only on (seed, step, layer, i). murmur3's finaliser
// spreads neighbouring activations apart.
FD_DEVICE u64 dropout_key(u64 seed, i64 step, int layer) {
  return mixed(seed + 0x9e3779b97f4a7c15ULL * (static_cast<u64>(step) * 65536 + static_cast<u64>(layer) + 1));
}
FD_DEVICE float dropout_factor(u64 key, u32 i, float p) {
  u32 h = (i * 0x9e3779b9u) ^ static_cast<u32>(key);
  h = (h ^ (h >> 16)) * 0x85ebca6bu ^ static_cast<u32>(key >> 32);
  h = (h ^ (h >> 13)) * 0xc2b2ae35u;
  h ^= h >> 16;
  return static_cast<float>(h) * 2.3283064365386963e-10f < p ? 0.0f : 1.0f / (1.0f - p);
}

struct Dropped {
  const i64 *step;
  const u64 *seeds;  // by client
  const void *in;    // [clients, size]
  void *out;
  i64 size, clients;
  int layer;
  float p;
};

// A block is a chunk of all activations. Activations and their gradients take the same factors.
template <typename T>
FD_DEVICE void dropout(const Dropped &a, i64 block, float *) {
  i64 first = chunk_begin(block) / a.size, rest = chunk_begin(block) - first * a.size;
  FD_EACH(i, chunk_size(block, a.size * a.clients)) {
    i64 k = chunk_begin(block) + i, client = first, at = rest + i;
    for (; at >= a.size; at -= a.size) client++;
    u64 key = dropout_key(a.seeds[client], *a.step, a.layer);
    float factor = dropout_factor(key, static_cast<u32>(at), a.p);
    put(static_cast<T *>(a.out) + k, get(static_cast<const T *>(a.in) + k) * factor);
  }
}
FD_KERNELS(dropout, Dropped)

}  // namespace fd
