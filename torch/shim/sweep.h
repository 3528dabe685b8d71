// One pass through all samples of a stack of clients, for evaluation.
#pragma once

#include <algorithm>
#include <vector>

#include "moves.h"
#include "schedule.h"
#include "stack.h"

namespace fd {

constexpr int64_t kSweepBatch = 128;  // number of samples per client at once

// The schedule of a sweep.
inline Schedule sweep_of(const std::vector<Load> &loads) {
  int64_t most = 1;
  for (const Load &load : loads) most = std::max(most, load.samples);
  return Schedule(loads, 1, std::min(most, kSweepBatch));
}

// Calls body with the number of clients that have samples left and their batch, which is on the device.
template <typename Body>
void sweep(const Schedule &schedule, const at::Device &device, Body &&body) {
  at::Tensor slots = uploaded(schedule.slots, device), counts = uploaded(schedule.counts, device);
  at::Tensor step = at::zeros({1}, at::TensorOptions().dtype(at::kLong).device(device));
  Batch batch{reinterpret_cast<const i64 *>(step.data_ptr<int64_t>()), slots.data_ptr<int32_t>(),
              counts.data_ptr<int32_t>(), static_cast<int>(schedule.clients()), static_cast<int>(schedule.batch)};
  for (int64_t clients : schedule.active) {
    body(clients, batch);
    step.add_(1);
  }
}

}  // namespace fd
