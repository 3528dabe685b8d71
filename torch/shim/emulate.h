// For tests: runs kernels on the host with fibers (torch/fibers), which finds missing barriers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "launch.h"

namespace fd {

// Runs a kernel in the library that fd_kernels_emulate has loaded, with the given number of floats in shared memory. Returns
// false if there is no library. If the library has no code for a kernel with constants, the kernel runs without them.
bool emulate(const Kernel &kernel, int64_t blocks, int64_t shared, const void *args, size_t size);

bool emulating();  // whether there is a library

}  // namespace fd
