#include "schedule.h"

#include <algorithm>
#include <numeric>

namespace fd {

Schedule::Schedule(const std::vector<Load> &loads, int64_t epochs, int64_t batch) : batch(batch) {
  int64_t k = static_cast<int64_t>(loads.size());
  client.resize(k);
  std::iota(client.begin(), client.end(), 0);
  std::stable_sort(client.begin(), client.end(), [&](int64_t a, int64_t b) { return loads[a].samples > loads[b].samples; });
  steps = at::empty({k}, at::kInt);
  sizes = at::empty({k}, at::kInt);
  int64_t most = 0;
  for (int64_t p = 0; p < k; p++) {
    int64_t n = loads[client[p]].samples;
    first.push_back(rows);
    rows += n;
    steps.data_ptr<int32_t>()[p] = static_cast<int32_t>((n + batch - 1) / batch);
    sizes.data_ptr<int32_t>()[p] = static_cast<int32_t>(n);
    most = std::max(most, (n + batch - 1) / batch * epochs);
  }
  TORCH_CHECK(rows <= INT32_MAX, "a stack of clients has ", rows, " samples, which are too many");
  active.assign(most, 0);
  slots = at::full({most, k, batch}, -1, at::kInt);
  counts = at::zeros({most, k}, at::kInt);
  for (int64_t p = 0; p < k; p++) {
    const Load &load = loads[client[p]];
    int64_t each = steps.data_ptr<int32_t>()[p];
    for (int64_t step = 0; step < each * epochs; step++) {
      int64_t epoch = step / each, begin = step % each * batch, n = std::min(batch, load.samples - begin);
      int32_t *slot = slots.data_ptr<int32_t>() + (step * k + p) * batch;
      for (int64_t j = 0; j < n; j++) {
        int64_t position = load.order == nullptr ? begin + j : load.order[epoch * load.samples + begin + j];
        slot[j] = static_cast<int32_t>(first[p] + position);
      }
      counts.data_ptr<int32_t>()[step * k + p] = static_cast<int32_t>(n);
      active[step] = p + 1;
    }
  }
}

}  // namespace fd
