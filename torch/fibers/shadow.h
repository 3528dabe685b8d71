// Shadow memory: who wrote and who read each word last, and whether a barrier lies between two accesses.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace fibers {

constexpr int kMostThreads = 1024, kLanes = 32;

// An access: the number of barriers and blocks before it, the thread, and the number of its warp's barriers since then.
struct Access {
  uint32_t when = 0;
  uint16_t thread = 0, warp_when = 0;
};

// The clock that orders accesses. when counts the beginnings of blocks and the barriers of all launches, from 1 on.
struct Clock {
  uint32_t when = 1, block = 1, launch = 1;  // now; at the beginning of the block; at the beginning of the launch
  uint16_t warp[kMostThreads / kLanes] = {};

  void barrier() {
    when++;
    for (uint16_t &w : warp) w = 0;
  }
  void begin_block() {
    barrier();
    block = when;
  }
  void begin_launch() {
    barrier();
    launch = when;
  }
  Access now(int thread) const {
    return {when, static_cast<uint16_t>(thread), warp[thread / kLanes]};
  }
  // Whether an access cannot run at the same time as what the thread does now.
  bool before(const Access &a, int thread) const {
    if (a.when < launch) return true;
    if (a.when < block) return false;  // another block of the same launch
    if (a.when < when || a.thread == thread) return true;
    return a.thread / kLanes == thread / kLanes && a.warp_when < warp[thread / kLanes];
  }
};

// The last accesses to a word. Three readers suffice: the latest one, the latest other thread of its warp, and one of
// another warp or block.
struct Cell {
  Access writer, reader, second, other;

  void read(const Clock &clock, int thread) {
    Access now = clock.now(thread);
    if (reader.when < clock.launch) {
      second = other = Access();
    } else if (reader.when < clock.block) {
      other = reader;  // it conflicts with all writers to the end of the launch
      second = Access();
    } else if (reader.when < clock.when) {
      second = Access();
      if (other.when >= clock.block) other = Access();
    } else if (reader.thread / kLanes == thread / kLanes) {
      if (reader.thread != thread) second = reader;
    } else {
      if (other.when < clock.launch || other.when >= clock.block) other = reader;
      second = Access();
    }
    reader = now;
  }
  // The reader that a write of the thread conflicts with, or null.
  const Access *conflicting_reader(const Clock &clock, int thread) const {
    for (const Access *a : {&reader, &second, &other})
      if (!clock.before(*a, thread)) return a;
    return nullptr;
  }
  void write(const Clock &clock, int thread) {
    writer = clock.now(thread);
    reader = second = other = Access();
  }
};

// Cells of the memory outside the block, by the address at which an access begins. They are made when they are needed.
class Shadow {
 public:
  Cell &at(uintptr_t address) {
    uintptr_t number = address / kPage;
    if (number != last_number_ || last_ == nullptr) {
      last_ = &pages_[number];
      last_number_ = number;
    }
    // Floats are at addresses that are whole multiples of four: they fill the first of four quarters.
    std::unique_ptr<Cell[]> &quarter = last_->quarters[address % 4];
    if (!quarter) {
      quarter = std::make_unique<Cell[]>(kPage / 4);
      quarters_++;
    }
    return quarter[address % kPage / 4];
  }
  // Between launches: forgets all accesses once they take much memory.
  void tidy() {
    if (quarters_ < kMost) return;
    pages_.clear();
    last_ = nullptr;
    quarters_ = 0;
  }

 private:
  static constexpr uintptr_t kPage = 4096;
  static constexpr int64_t kMost = 4096;  // quarters: 128 MiB
  struct Page {
    std::unique_ptr<Cell[]> quarters[4];
  };
  std::unordered_map<uintptr_t, Page> pages_;
  uintptr_t last_number_ = 0;
  Page *last_ = nullptr;
  int64_t quarters_ = 0;
};

}  // namespace fibers
