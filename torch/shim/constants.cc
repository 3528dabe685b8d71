#include "constants.h"

#include <c10/util/Exception.h>

namespace fd {

#define FD_VALUE(member) {#member, a.member}

Constants constants_of(const ConvBlock &a) {
  return {"ConvBlock",
          {FD_VALUE(in), FD_VALUE(out), FD_VALUE(height), FD_VALUE(width), FD_VALUE(padding), FD_VALUE(pooled_h),
           FD_VALUE(pooled_w), FD_VALUE(together)}};
}

Constants constants_of(const Columns &a) {
  return {"Columns",
          {FD_VALUE(channels), FD_VALUE(height), FD_VALUE(width), FD_VALUE(kernel), FD_VALUE(stride), FD_VALUE(padding),
           FD_VALUE(out_height), FD_VALUE(out_width)}};
}

Constants constants_of(const Pool &a) {
  return {"Pool",
          {FD_VALUE(channels), FD_VALUE(height), FD_VALUE(width), FD_VALUE(size), FD_VALUE(out_height), FD_VALUE(out_width)}};
}

// A batch norm divides by the number of channels only once per block.
Constants constants_of(const Norm &a) {
  if (a.groups == 1) return {"Norm", {FD_VALUE(plane)}};
  return {"Norm", {FD_VALUE(channels), FD_VALUE(plane), FD_VALUE(groups)}};
}

static Constants constants_of(const char *args, const FusedNet &net) {
  Constants c{args, {{"net.layers", net.layers}, {"net.in", net.in}, {"net.height", net.height}, {"net.width", net.width}}};
  for (int n = 0; n < net.layers; n++) {
    std::string at = "[" + std::to_string(n) + "]";
    c.values.emplace_back("net.out" + at, net.out[n]);
    c.values.emplace_back("net.kernel" + at, net.kernel[n]);
    c.values.emplace_back("net.padding" + at, net.padding[n]);
  }
  return c;
}
Constants constants_of(const FusedForward &a) { return constants_of("FusedForward", a.net); }
Constants constants_of(const FusedBackward &a) { return constants_of("FusedBackward", a.net); }

Constants constants_of(const ConvGemm &a) {
  return {"ConvGemm",
          {FD_VALUE(in), FD_VALUE(out), FD_VALUE(height), FD_VALUE(width), FD_VALUE(padding), FD_VALUE(pooled_h), FD_VALUE(pooled_w)}};
}

std::string name_of(const char *kernel, const Constants &constants) {
  std::string name = kernel;
  for (const auto &v : constants.values) name += "_" + std::to_string(v.second);
  return name;
}

std::string source_of(const char *kernel, const Constants &constants) {
  std::string name = kernel, assignments;
  size_t end = name.rfind('_');
  TORCH_CHECK(end != std::string::npos, "the kernel ", name, " has no type of activations in its name");
  for (const auto &v : constants.values)
    assignments += " args." + v.first + " = " + std::to_string(v.second) + ";";
  return "FD_SHAPED(" + name_of(kernel, constants) + ", " + name.substr(0, end) + ", " +
         (name.substr(end) == "_bf16" ? "fd::bfloat" : "float") + ", " + constants.args + "," + assignments + ")\n";
}

}  // namespace fd
