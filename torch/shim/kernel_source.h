// The text of the kernels, for NVRTC.
#pragma once

#include <vector>

namespace fd {

struct SourceFile {
  const char *name;  // as #include names it
  const char *text;
};

// All kernel_*.h.
const std::vector<SourceFile> &kernel_sources();

}  // namespace fd
