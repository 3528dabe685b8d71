// The memory that calls use.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <atomic>
#include <memory>

namespace fd {

// Adds up the allocations and deallocations of the watching threads.
class Allocations : public c10::MemoryReportingInfoBase {
 public:
  std::atomic<int64_t> now{0}, peak{0};
  bool memoryProfilingEnabled() const override { return true; }
  // The type of the totals differs between releases of libtorch.
  void reportMemoryUsage(void *, int64_t size, int64_t, int64_t, c10::Device) { add(size); }
  void reportMemoryUsage(void *, int64_t size, size_t, size_t, c10::Device) { add(size); }

 private:
  void add(int64_t size) {
    int64_t n = now += size;
    if (n > peak) peak = n;
  }
};

// Makes this thread watch during the lifetime of the object.
class Watching {
 public:
  explicit Watching(const std::shared_ptr<Allocations> &a) : guard_(c10::DebugInfoKind::PROFILER_STATE, a) {}

 private:
  c10::DebugInfoGuard guard_;
};

}  // namespace fd
