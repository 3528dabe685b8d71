// The shape of a layer as constants of a kernel that is compiled for it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kernel_block.h"
#include "kernel_columns.h"
#include "kernel_fused_backward.h"
#include "kernel_fused_dense.h"
#include "kernel_fused_forward.h"
#include "kernel_fused_step.h"
#include "kernel_gemm_tiles.h"
#include "kernel_norm.h"
#include "kernel_pool.h"

namespace fd {

// Members of a kernel's arguments and their values. The numbers of clients and of samples are not among them, because they
// vary from call to call, and a network must not need more kernels than it has layers.
struct Constants {
  const char *args = nullptr;  // name of the struct of the arguments
  std::vector<std::pair<std::string, int>> values;
};

Constants constants_of(const ConvBlock &a);
Constants constants_of(const Columns &a);
Constants constants_of(const Pool &a);
Constants constants_of(const Norm &a);
Constants constants_of(const FusedForward &a);
Constants constants_of(const FusedBackward &a);
Constants constants_of(const FusedFeatures &a);
Constants constants_of(const FusedDense &a);
Constants constants_of(const FusedStep &a);
Constants constants_of(const ConvGemm &a);

// The name of a kernel ("pool_f32") with constants: its own name, followed by the values.
std::string name_of(const char *kernel, const Constants &constants);
// The source of this kernel, which is a line with FD_SHAPED.
std::string source_of(const char *kernel, const Constants &constants);

}  // namespace fd
