// Process-wide settings, and information about the linked libtorch.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <dlfcn.h>
#include <malloc.h>
#include <torch/version.h>

#include <cstring>

#include "fd.h"
#include "guard.h"
#include "handles.h"

namespace {

// A copy of text on the C heap, which fd_free_message frees.
char *copy(const std::string &text) {
  char *out = strdup(text.c_str());
  if (out == nullptr) throw std::bad_alloc();
  return out;
}

// A function that a library in this process may export; null if none does.
template <typename Function>
Function *find(const char *name) {
  return reinterpret_cast<Function *>(dlsym(RTLD_DEFAULT, name));
}

}  // namespace

extern "C" {

void fd_free_message(char *message) { std::free(message); }

char *fd_init(void) {
  return fd::guard([] {
    // A training step repeatedly frees and allocates the same few megabytes. Without these thresholds, glibc returns them to
    // the kernel each time, and the page faults take a quarter of the time of the step.
    mallopt(M_MMAP_THRESHOLD, 512 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    // libtorch's thread count does not apply to OpenBLAS, whose threads would compete with the engine's workers.
    if (auto *set_threads = find<void(int)>("openblas_set_num_threads")) set_threads(1);
    at::set_num_threads(1);
  });
}

char *fd_version(const char **version) {
  return fd::guard([&] { *version = TORCH_VERSION; });
}

char *fd_config(char **text) {
  return fd::guard([&] { *text = copy(at::show_config()); });
}

char *fd_openblas(char **text) {
  return fd::guard([&] {
    std::string name;
    if (auto *core = find<char *()>("openblas_get_corename")) {
      name = "OpenBLAS";
      // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...": the version is the second word.
      if (auto *config = find<char *()>("openblas_get_config")) {
        std::string words = config();
        name = words.substr(0, words.find(' ', words.find(' ') + 1));
      }
      name += std::string(" ") + core();
    }
    *text = copy(name);
  });
}

char *fd_onednn_isa(int *isa) {
  return fd::guard([&] {
    auto *effective = find<int()>("dnnl_get_effective_cpu_isa");
    *isa = effective ? effective() : 0;
  });
}

char *fd_features(int *onednn, int *cuda_built, int *cuda_devices) {
  return fd::guard([&] {
    *onednn = at::hasMKLDNN();
#ifdef FD_CUDA
    *cuda_built = 1;
#else
    *cuda_built = 0;
#endif
    // hasCUDA reports whether a device works, not whether there is CUDA code. It is false for a CUDA build on a machine
    // without a device.
    *cuda_devices = at::hasCUDA() ? static_cast<int>(at::detail::getCUDAHooks().getNumGPUs()) : 0;
  });
}

void fd_live(int64_t *handles, int64_t *bytes) {
  *handles = fd::live_handles;
  *bytes = fd::live_bytes;
}

}  // extern "C"
