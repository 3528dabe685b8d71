// The machine that runs a kernel with a fiber for each thread, and its watch on memory.
#pragma once

#include "fibers.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "product.h"
#include "shadow.h"
#include "wait.h"

namespace fibers {

constexpr size_t kStack = 128 << 10;         // bytes of a fiber's stack
constexpr size_t kMostShared = 227 << 10;    // bytes of shared memory that a block may have at most (sm_90)
constexpr int kThreads = 256;                // threads of a block, as torch/shim/kernel_code.h has it
constexpr int kReported = 3;                 // findings of one kind and kernel that are reported in full

struct Fiber {
  ucontext_t first;  // how it begins
  jmp_buf later;     // where it goes on
  bool begun = false;
  int thread = -1;  // the thread that it runs
};

// A copy to shared memory that a thread has begun.
struct Copy {
  char *to;
  size_t bytes;
  char values[16];
};

// Runs the blocks of a launch, one after another, and keeps what it finds.
class Machine {
 public:
  Machine() {
    stacks_ = static_cast<char *>(mmap(nullptr, kThreads * kStack, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (stacks_ == MAP_FAILED) abort();
    cells_.resize(kMostShared);
  }

  void start(uint64_t seed, const char *kernel, const char *without) {
    random_.seed(seed);
    without_kernel_ = kernel;
    without_ = without;
    findings_.clear();
    lines_.clear();
    seen_.clear();
  }

  bool launch(const char *name, long long blocks, long long shared, const void *args, size_t size) {
    auto found = kernels().find(name);
    if (found == kernels().end() || static_cast<size_t>(shared) * 4 > kMostShared) return false;
    name_ = name;
    kernel_ = found->second;
    args_ = static_cast<const char *>(args);
    args_size_ = size;
    asked_ = static_cast<size_t>(shared) * 4;
    seen_.insert("ran " + name_);
    drops_ = name_ == without_kernel_;
    shadow_.tidy();
    clock_.begin_launch();
    std::vector<long long> order(static_cast<size_t>(blocks));
    for (size_t i = 0; i < order.size(); i++) order[i] = static_cast<long long>(i);
    std::shuffle(order.begin(), order.end(), random_);
    for (long long block : order) run(block);
    return true;
  }

  std::string report() const {
    std::string text;
    for (const std::string &line : seen_) text += line + "\n";
    for (const std::string &line : lines_) text += "finding " + line + "\n";
    for (const auto &f : findings_)
      if (f.second > kReported) text += "finding " + f.first + ": " + std::to_string(f.second) + " in all\n";
    return text;
  }

  int thread() const { return thread_; }

  void sync(const char *file, int line) {
    Wait here{"barrier", file, line};
    if (line != last_line_ || file != last_file_ || last_kernel_ != kernel_) {
      last_line_ = line, last_file_ = file, last_kernel_ = kernel_;
      site_ = std::string(base_name(file)) + ":" + std::to_string(line);
      seen_.insert("barrier " + name_ + " " + site_);
    }
    if (drops_ && site_ == without_) return;
    waits_[thread_] = here;
    waiting_++;
    leave();
  }

  void sync_warp(const char *file, int line) { wait_in_warp({"barrier of a warp", file, line}); }

  float shuffle(float value, int lane) {
    int warp = thread_ / kLanes, turn = turns_[thread_]++ % 2;  // two buffers: the next shuffle may begin before all have read
    handed_[warp][turn][thread_ % kLanes] = value;
    wait_in_warp({"shuffle", "", 0});
    return handed_[warp][turn][lane];
  }

  void multiply(int values, const uint32_t *words, float *sum) {
    int warp = thread_ / kLanes, lane = thread_ % kLanes, turn = turns_[thread_]++ % 2;
    Fragments *all = fragments_[warp][turn];
    for (int w = 0; w < 6; w++) {
      all[lane].words[w] = words[w];
      if (values == 1 && (words[w] & 0x1fff) != 0)
        found("operand", "an operand of a product of thread " + std::to_string(thread_) + " is not rounded to tf32");
    }
    wait_in_warp({values == 1 ? "product of tf32" : "product of bf16", "", 0});
    add_product(all, values, lane, sum);
  }

  // The bytes count as written now, and again when the thread has waited for them.
  void copy(void *to, const void *from, size_t bytes) {
    if (from != nullptr) touch(reinterpret_cast<uintptr_t>(from), bytes, false);
    touch(reinterpret_cast<uintptr_t>(to), bytes, true);
    check_aligned(to, bytes);
    if (from != nullptr) check_aligned(from, bytes);
    Copy c{static_cast<char *>(to), bytes, {}};
    if (from != nullptr) memcpy(c.values, from, bytes);
    copies_[thread_].push_back(c);
    memset(to, 0xff, bytes);
  }
  void copies_done() {
    for (const Copy &c : copies_[thread_]) {
      touch(reinterpret_cast<uintptr_t>(c.to), c.bytes, true);
      memcpy(c.to, c.values, c.bytes);
    }
    copies_[thread_].clear();
  }

  // For accesses of several words at once, which a GPU can only make at whole multiples of their size.
  void check_aligned(const void *p, size_t bytes) {
    if (reinterpret_cast<uintptr_t>(p) % bytes != 0)
      found("alignment", "thread " + std::to_string(thread_) + " accesses " + std::to_string(bytes) + " bytes at a wrong address");
  }

  void touch(uintptr_t address, size_t size, bool writes) {
    if (thread_ < 0 || address - reinterpret_cast<uintptr_t>(stacks_) < kThreads * kStack ||
        address - reinterpret_cast<uintptr_t>(args_) < args_size_)
      return;
    uintptr_t offset = address - reinterpret_cast<uintptr_t>(shared());
    if (offset >= kMostShared) {
      for (uintptr_t a = address; a < address + size; a += 4)
        check(shadow_.at(a), clock_, writes, [&] { return "global memory"; });
      return;
    }
    auto where = [&] { return "shared word " + std::to_string(offset / 4); };
    if (offset + size > asked_) {
      found("shared memory outside", where() + " is used by thread " + std::to_string(thread_) + "; the launch asks for " +
                                         std::to_string(asked_ / 4) + " words");
      return;
    }
    for (uintptr_t i = offset; i < offset + size; i++) {
      Cell &cell = cells_[i];
      if (!writes && cell.writer.when < block_clock_.launch) {
        found("shared memory unset", where() + " is read by thread " + std::to_string(thread_) + " before it is written");
        return;
      }
      if (check(cell, block_clock_, writes, where)) return;
    }
  }

  static std::map<std::string, FiberKernel> &kernels() {
    static std::map<std::string, FiberKernel> all;
    return all;
  }

 private:
  static char *shared() {
    alignas(128) static char memory[kMostShared];
    return memory;
  }

  void found(const std::string &kind, const std::string &text) {
    if (++findings_[name_ + ", " + kind] <= kReported) lines_.push_back(name_ + ", block " + std::to_string(block_) + ": " + text);
  }

  // Reports what the access conflicts with, if anything, and keeps the access.
  template <typename Where>
  bool check(Cell &cell, const Clock &clock, bool writes, const Where &where) {
    const Access *conflict = clock.before(cell.writer, thread_) ? nullptr : &cell.writer;
    const char *did = "wrote";
    if (conflict == nullptr && writes) {
      conflict = cell.conflicting_reader(clock, thread_);
      did = "read";
    }
    if (conflict != nullptr) {
      bool elsewhere = conflict->when < clock.block;
      found(std::string("race in ") + (&clock == &clock_ ? "global" : "shared") + " memory",
            std::string(where()) + " is " + (writes ? "written" : "read") + " by thread " + std::to_string(thread_) + "; thread " +
                std::to_string(conflict->thread) + (elsewhere ? " of another block " : " ") + did +
                " it, with no barrier between");
    }
    if (writes) cell.write(clock, thread_);
    else cell.read(clock, thread_);
    return conflict != nullptr;
  }

  void run(long long block) {
    block_ = block;
    clock_.begin_block();
    block_clock_.begin_launch();
    memset(shared(), 0xff, asked_);
    ready_.clear();
    for (int t = 0; t < kThreads; t++) {
      ready_.push_back(t);
      fiber_of_[t] = -1;
      waits_[t] = Wait();
      turns_[t] = 0;
      copies_[t].clear();
    }
    idle_.clear();
    for (int f = kThreads; f-- > 0;) idle_.push_back(f);
    alive_ = kThreads;
    waiting_ = 0;
    for (int w = 0; w < kThreads / kLanes; w++) alive_in_[w] = kLanes, waiting_in_[w] = 0;
    pending_ = -1;
    while (alive_ > 0) {
      if (pending_ < 0 && ready_.empty() && !release()) {
        // The threads that wait can never go on. Their fibers begin anew in the next block.
        for (Fiber &f : fibers_) f.begun = false;
        break;
      }
      int t = pending_ >= 0 ? pending_ : pick();
      pending_ = -1;
      if (fiber_of_[t] < 0) {
        fiber_of_[t] = idle_.back();
        idle_.pop_back();
        fibers_[fiber_of_[t]].thread = t;
      }
      enter(fibers_[fiber_of_[t]]);
    }
    thread_ = -1;
  }

  int pick() {
    size_t k = random_() % ready_.size();
    int t = ready_[k];
    ready_[k] = ready_.back();
    ready_.pop_back();
    return t;
  }

  // Lets the block pass its barrier. Returns false if threads wait elsewhere.
  bool release() {
    const Wait *first = nullptr;
    for (int t = 0; t < kThreads; t++) {
      if (waits_[t].what == nullptr) continue;
      if (first == nullptr) first = &waits_[t];
      if (*first != waits_[t]) {
        found("divergent barrier", "some threads wait in a " + text_of(*first) + ", others in a " + text_of(waits_[t]));
        break;
      }
    }
    if (waiting_ < alive_) return false;
    if (alive_ < kThreads)
      found("divergent barrier", std::to_string(alive_) + " threads wait in a " + text_of(*first) + ", the others have ended");
    for (int t = 0; t < kThreads; t++)
      if (waits_[t].what != nullptr) {
        waits_[t] = Wait();
        ready_.push_back(t);
      }
    waiting_ = 0;
    clock_.barrier();
    block_clock_.barrier();
    return true;
  }

  void wait_in_warp(const Wait &here) {
    int warp = thread_ / kLanes;
    waits_[thread_] = here;
    waiting_in_[warp]++;
    release_warp(warp);
    leave();
  }

  void release_warp(int warp) {
    if (waiting_in_[warp] == 0 || waiting_in_[warp] < alive_in_[warp]) return;
    const Wait *first = nullptr;
    for (int t = warp * kLanes; t < (warp + 1) * kLanes; t++) {
      if (waits_[t].what == nullptr) continue;
      if (first == nullptr) first = &waits_[t];
      if (*first != waits_[t])
        found("divergent warp", "some threads of a warp wait in a " + text_of(*first) + ", others in a " + text_of(waits_[t]));
      ready_.push_back(t);
    }
    if (alive_in_[warp] < kLanes)
      found("divergent warp", std::to_string(alive_in_[warp]) + " threads of a warp wait in a " + text_of(*first) +
                                  ", the others have ended");
    if (strcmp(first->what, "barrier of a warp") == 0) {
      clock_.warp[warp]++;
      block_clock_.warp[warp]++;
    }
    for (int t = warp * kLanes; t < (warp + 1) * kLanes; t++) waits_[t] = Wait();
    waiting_in_[warp] = 0;
  }

  // Goes on with a fiber until it waits or has no more threads to run.
  void enter(Fiber &f) {
    current_ = &f;
    thread_ = f.thread;
    if (_setjmp(scheduler_) != 0) return;
    if (f.begun) _longjmp(f.later, 1);
    f.begun = true;
    getcontext(&f.first);
    f.first.uc_stack.ss_sp = stacks_ + (&f - fibers_) * kStack;
    f.first.uc_stack.ss_size = kStack;
    f.first.uc_link = nullptr;
    makecontext(&f.first, &Machine::begin, 0);
    setcontext(&f.first);
  }

  void leave() {
    if (_setjmp(current_->later) == 0) _longjmp(scheduler_, 1);
  }

  static void begin();

  // The threads of a fiber, one after another.
  void work() {
    for (;;) {
      kernel_(args_, block_, reinterpret_cast<float *>(shared()));
      if (!copies_[thread_].empty())
        found("copy", "thread " + std::to_string(thread_) + " has ended without waiting for its copies");
      int warp = thread_ / kLanes;
      alive_--;
      alive_in_[warp]--;
      release_warp(warp);
      // A thread that has not begun can run here, without a fiber of its own.
      pending_ = ready_.empty() ? -1 : pick();
      if (pending_ >= 0 && fiber_of_[pending_] < 0) {
        current_->thread = thread_ = pending_;
        fiber_of_[thread_] = static_cast<int>(current_ - fibers_);
        pending_ = -1;
        continue;
      }
      idle_.push_back(static_cast<int>(current_ - fibers_));
      leave();
    }
  }

  std::mt19937_64 random_;
  std::string without_kernel_, without_;  // the barrier that is left out
  bool drops_ = false;                    // whether the kernel that runs is the one that lacks it

  std::string name_;
  FiberKernel kernel_ = nullptr;
  const char *args_ = nullptr;
  size_t args_size_ = 0, asked_ = 0;  // bytes of arguments and of shared memory
  long long block_ = 0;

  char *stacks_;
  Fiber fibers_[kThreads];
  Fiber *current_ = nullptr;
  jmp_buf scheduler_;
  int thread_ = -1, pending_ = -1;  // the thread that runs; the one that is to run next, or -1
  std::vector<int> ready_, idle_;   // threads that may run; fibers without a thread
  int fiber_of_[kThreads];
  Wait waits_[kThreads];
  int alive_ = 0, waiting_ = 0;  // threads that have not ended; those that wait for the block
  int alive_in_[kThreads / kLanes], waiting_in_[kThreads / kLanes];
  float handed_[kThreads / kLanes][2][kLanes];
  int turns_[kThreads];  // number of shuffles and products of each thread
  Fragments fragments_[kThreads / kLanes][2][kLanes];
  std::vector<Copy> copies_[kThreads];  // begun and not waited for

  Clock clock_, block_clock_;  // of global memory, and of shared memory, where a launch is a block
  Shadow shadow_;
  std::vector<Cell> cells_;  // by byte of shared memory

  std::map<std::string, int64_t> findings_;  // number of findings by kernel and kind
  std::vector<std::string> lines_;
  std::set<std::string> seen_;  // kernels and barriers
  std::string site_;
  const char *last_file_ = nullptr;
  int last_line_ = 0;
  FiberKernel last_kernel_ = nullptr;
};

}  // namespace fibers
