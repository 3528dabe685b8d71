// The kernels on CUDA devices. They are all compiled when the first of them starts; a kernel with constants is compiled when
// it first starts.
#pragma once

#include <c10/core/Device.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "launch.h"

namespace fd {

// Starts a kernel in the current stream of the device. args points to size bytes, its only parameter.
void cuda_launch(const c10::Device &device, const Kernel &kernel, int64_t blocks, int threads, int64_t shared_bytes,
                 const void *args, size_t size);

Limits cuda_limits(const c10::Device &device);

// Compiles the kernels for an architecture ("sm_90") and a type of activations, and returns the size of the code. This is
// all that can be checked without a device.
int64_t cuda_compile(const std::string &architecture, bool bf16);

}  // namespace fd
