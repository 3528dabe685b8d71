// Runs the kernels on the host with a fiber for each thread of a block, and watches their memory. The order of blocks and
// threads is drawn from a seed. The kernels are compiled with -fsanitize=thread, which makes the compiler call a function
// __tsan_* before each access to memory. Those functions are here, so the kernels' source needs no change. Reported are:
//
//   two threads that touch the same word, one of them writing, with no barrier between, in shared and in global memory
//   shared memory that is read before it is written, or that the launch did not ask for
//   barriers, shuffles and products that not all threads of a block, or of a warp, reach
//   operands of products that are not rounded to tf32; copies that a thread has begun and not waited for
//   copies, and loads that say so, of several words at addresses that are not whole multiples of their size
//
// For tests of this program, one barrier of a kernel can be left out. Accesses of one or two bytes are told apart in
// global memory by the address at which they begin. This file is not compiled with -fsanitize=thread.
#include "fibers.h"

#include <cstring>

#include "machine.h"

namespace fibers {

Machine &machine() {
  static Machine *m = new Machine;
  return *m;
}

void Machine::begin() { machine().work(); }

}  // namespace fibers

extern "C" {

bool fd_fibers_kernel(const char *name, FiberKernel kernel) {
  return fibers::Machine::kernels().emplace(name, kernel).second;
}
FiberIndex fd_fibers_thread() { return {fibers::machine().thread()}; }
FiberIndex fd_fibers_threads() { return {fibers::kThreads}; }
void fd_fibers_sync(const char *file, int line) { fibers::machine().sync(file, line); }
void fd_fibers_sync_warp(const char *file, int line) { fibers::machine().sync_warp(file, line); }
float fd_fibers_shuffle(float value, int lane) { return fibers::machine().shuffle(value, lane); }
void fd_fibers_multiply(int values, const uint32_t *words, float *sum) { fibers::machine().multiply(values, words, sum); }
void fd_fibers_copy(void *to, const void *from, size_t bytes) { fibers::machine().copy(to, from, bytes); }
void fd_fibers_copies_done() { fibers::machine().copies_done(); }
void fd_fibers_aligned(const void *p, size_t bytes) { fibers::machine().check_aligned(p, bytes); }

void fd_fibers_start(uint64_t seed, const char *kernel, const char *without) {
  fibers::machine().start(seed, kernel, without);
}
bool fd_fibers_launch(const char *kernel, long long blocks, long long shared, const void *args, size_t size) {
  return fibers::machine().launch(kernel, blocks, shared, args, size);
}
char *fd_fibers_report() { return strdup(fibers::machine().report().c_str()); }
char *fd_fibers_kernels() {
  std::string text;
  for (const auto &k : fibers::Machine::kernels()) text += k.first + "\n";
  return strdup(text.c_str());
}

// What the compiler calls.
#define FIBERS_ACCESS(size)                                                                                          \
  void __tsan_read##size(void *p) { fibers::machine().touch(reinterpret_cast<uintptr_t>(p), size, false); }          \
  void __tsan_write##size(void *p) { fibers::machine().touch(reinterpret_cast<uintptr_t>(p), size, true); }          \
  void __tsan_unaligned_read##size(void *p) { fibers::machine().touch(reinterpret_cast<uintptr_t>(p), size, false); } \
  void __tsan_unaligned_write##size(void *p) { fibers::machine().touch(reinterpret_cast<uintptr_t>(p), size, true); }
FIBERS_ACCESS(1)
FIBERS_ACCESS(2)
FIBERS_ACCESS(4)
FIBERS_ACCESS(8)
FIBERS_ACCESS(16)
void __tsan_read_range(void *p, size_t size) { fibers::machine().touch(reinterpret_cast<uintptr_t>(p), size, false); }
void __tsan_write_range(void *p, size_t size) { fibers::machine().touch(reinterpret_cast<uintptr_t>(p), size, true); }
void __tsan_init() {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit() {}

}  // extern "C"
