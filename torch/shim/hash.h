// Hashes of vectors, computed on their device.
#pragma once

#include <ATen/ATen.h>

#include <array>
#include <vector>

namespace fd {

using HashValue = std::array<uint64_t, 2>;

// The hash of each vector, [n] float32 each: vectors of equal length, on one device. The host waits once for the device.
std::vector<HashValue> hashes_of(const std::vector<at::Tensor> &vectors, const uint64_t seeds[2]);

}  // namespace fd
