#include "emulate.h"

#include <dlfcn.h>

#include <atomic>
#include <mutex>
#include <set>
#include <string>

#include "fd.h"
#include "guard.h"

namespace fd {
namespace {

// The functions of torch/fibers/fibers.cc.
struct Fibers {
  void (*start)(uint64_t seed, const char *kernel, const char *without) = nullptr;
  bool (*launch)(const char *kernel, long long blocks, long long shared, const void *args, size_t size) = nullptr;
  char *(*report)() = nullptr;
  char *(*kernels)() = nullptr;
};

struct Emulator {
  std::atomic<bool> active{false};  // checked before each kernel, without the mutex
  std::mutex mutex;                 // a library runs one kernel at a time
  Fibers fibers;
  std::set<std::string> shaped;  // sources of the kernels with constants that were requested
};

Emulator &emulator() {
  static Emulator e;
  return e;
}

template <typename Function>
void find(void *library, const char *path, const char *name, Function &function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  TORCH_CHECK(function != nullptr, path, " has no ", name, "; scripts/build_fibers.sh builds such a library");
}

}  // namespace

bool emulate(const Kernel &kernel, int64_t blocks, int64_t shared, const void *args, size_t size) {
  Emulator &e = emulator();
  if (!e.active) return false;
  std::lock_guard<std::mutex> lock(e.mutex);
  if (e.fibers.launch == nullptr) return false;
  if (kernel.constants.args != nullptr) {
    e.shaped.insert(source_of(kernel.name, kernel.constants));
    if (e.fibers.launch(name_of(kernel.name, kernel.constants).c_str(), blocks, shared, args, size)) return true;
  }
  TORCH_CHECK(e.fibers.launch(kernel.name, blocks, shared, args, size), "the library of fibers cannot run ", kernel.name,
              " with ", 4 * shared, " bytes of shared memory");
  return true;
}

bool emulating() { return emulator().active; }

}  // namespace fd

extern "C" {

char *fd_kernels_emulate(const char *library, uint64_t seed, const char *kernel, const char *without) {
  return fd::guard([&] {
    fd::Emulator &e = fd::emulator();
    std::lock_guard<std::mutex> lock(e.mutex);
    e.active = false;
    e.fibers = fd::Fibers();
    e.shaped.clear();
    if (*library == '\0') return;
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    TORCH_CHECK(handle != nullptr, "loading the kernels on fibers: ", dlerror());
    fd::Fibers f;
    fd::find(handle, library, "fd_fibers_start", f.start);
    fd::find(handle, library, "fd_fibers_launch", f.launch);
    fd::find(handle, library, "fd_fibers_report", f.report);
    fd::find(handle, library, "fd_fibers_kernels", f.kernels);
    f.start(seed, kernel, without);
    e.fibers = f;
    e.active = true;
  });
}

char *fd_kernels_findings(char **kernels, char **report) {
  return fd::guard([&] {
    fd::Emulator &e = fd::emulator();
    std::lock_guard<std::mutex> lock(e.mutex);
    TORCH_CHECK(e.fibers.report != nullptr, "no kernels run on fibers");
    *kernels = e.fibers.kernels();
    char *happened = e.fibers.report();
    std::string text = happened;
    std::free(happened);
    for (const std::string &line : e.shaped) text += "shaped " + line;
    *report = strdup(text.c_str());
  });
}

}  // extern "C"
