// Checks and settings of devices.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <string>

namespace fd {

// Throws with a reason unless small work runs on the device.
void check_device(const c10::Device &device);

// Arithmetic settings of the process, which each call of an engine sets. TF32 is off in products and
// convolutions unless it is asked for; libtorch's default is on in convolutions. Two engines that run at the same time must
// have the same settings; the program makes its engines for one precision.
void set_math(bool tf32, bool deterministic);

}  // namespace fd
