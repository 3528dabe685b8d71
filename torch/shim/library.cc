// Process-wide settings and facts about the libtorch that was linked.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <malloc.h>
#include <torch/version.h>

#include "fd.h"
#include "guard.h"
#include "handles.h"

extern "C" {

void fd_free_message(char *message) { std::free(message); }

char *fd_init(void) {
  return fd::guard([] {
    // A training step frees and takes again the same few megabytes. Without these thresholds glibc returns them to the
    // kernel each time, and the page faults cost a quarter of the step.
    mallopt(M_MMAP_THRESHOLD, 512 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    // libtorch's thread count does not reach OpenBLAS, whose threads would fight with the engine's workers.
    using set_threads = void (*)(int);
    if (void *f = dlsym(RTLD_DEFAULT, "openblas_set_num_threads")) reinterpret_cast<set_threads>(f)(1);
    at::set_num_threads(1);
  });
}

char *fd_version(const char **version) {
  return fd::guard([&] { *version = TORCH_VERSION; });
}

char *fd_features(int *onednn, int *cuda_built, int *cuda_devices) {
  return fd::guard([&] {
    *onednn = at::hasMKLDNN();
#ifdef FD_CUDA
    *cuda_built = 1;
#else
    *cuda_built = 0;
#endif
    // hasCUDA asks for a device that works, not for code: a CUDA build on a machine without one says no.
    *cuda_devices = at::hasCUDA() ? static_cast<int>(at::detail::getCUDAHooks().getNumGPUs()) : 0;
  });
}

void fd_live(int64_t *handles, int64_t *bytes) {
  *handles = fd::live_handles;
  *bytes = fd::live_bytes;
}

}  // extern "C"
