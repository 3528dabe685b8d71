// Which of the encoders of a call are equal. Models often contain equal encoders: related clusters of FedDAG share an encoder and
// have a head each, and with two encoders the clients of a cluster train on top of the same frozen one.
#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace fd {

// Returns a number for each encoder; encoders have the same number if and only if their values have the same bits. The encoders
// are contiguous float32 tensors of equal length. On a GPU, their hashes are compared, and the host waits once for
// the device.
std::vector<int64_t> number_equal(const std::vector<at::Tensor> &encoders);

}  // namespace fd
