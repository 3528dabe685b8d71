// For tests: kernels of the host on fibers (torch/fibers), which find barriers that are missing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fd {

// Runs a kernel in the library that fd_kernels_emulate has loaded, with shared floats of shared memory. Returns false
// without one.
bool emulate(const char *kernel, int64_t blocks, int64_t shared, const void *args, size_t size);

}  // namespace fd
