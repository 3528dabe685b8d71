// The assignment of samples to the steps of the clients of a stack.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "kernel_batch.h"

namespace fd {

// The samples of a client of a stack.
struct Load {
  int64_t samples;       // n
  const int32_t *order;  // [epochs, n] positions in its samples; null: one pass in the order of the samples
};

// The steps of a stack of clients. Clients with the most steps come first, so that the clients with steps left are always the
// first ones. Clients do not wait for each other: a client with few samples begins its next epoch while others are in their
// first.
struct Schedule {
  Schedule(const std::vector<Load> &loads, int64_t epochs, int64_t batch);

  std::vector<int64_t> client;  // index of the load at each place in the stack
  std::vector<int64_t> first;   // by place: first row in the tables of samples, which are in the order of places
  std::vector<int64_t> active;  // by step: the number of clients with steps left
  int64_t rows = 0;             // number of rows of the tables
  int64_t batch;                // number of slots per client and step

  // On the host, int32.
  at::Tensor slots;         // [steps, clients, batch]: a row, or -1 for none
  at::Tensor counts;        // [steps, clients]: number of slots in use
  at::Tensor steps, sizes;  // [clients]: numbers of steps and samples in an epoch

  int64_t clients() const { return static_cast<int64_t>(client.size()); }
};

}  // namespace fd
