// For tests: kernels of the host on fibers (torch/fibers), which find barriers that are missing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "launch.h"

namespace fd {

// Runs a kernel in the library that fd_kernels_emulate has loaded, with shared floats of shared memory. Returns false
// without one. A kernel with constants for which the library has no code runs without them.
bool emulate(const Kernel &kernel, int64_t blocks, int64_t shared, const void *args, size_t size);

}  // namespace fd
