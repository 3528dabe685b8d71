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
  if (a.groups == 1) return {"Norm", {FD_VALUE(plane), FD_VALUE(behind)}};
  return {"Norm", {FD_VALUE(channels), FD_VALUE(plane), FD_VALUE(groups), FD_VALUE(behind)}};
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
          {FD_VALUE(in), FD_VALUE(out), FD_VALUE(height), FD_VALUE(width), FD_VALUE(padding), FD_VALUE(quads_h), FD_VALUE(quads_w),
           FD_VALUE(alone), FD_VALUE(stride)}};
}

// whose: what stands before the net, within the arguments.
static Constants constants_of(const char *args, const std::string &whose, const DenseNet &net) {
  Constants c{args, {}};
  auto value = [&](const std::string &member, int v) { c.values.emplace_back(whose + "net." + member, v); };
  value("layers", net.layers);
  value("in", net.in);
  value("inputs", net.inputs);
  value("classes", net.classes);
  value("whole_head", net.whole_head);
  for (int n = 0; n < net.layers; n++) {
    std::string at = "[" + std::to_string(n) + "]";
    value("out" + at, net.out[n]);
    value("whole" + at, net.whole[n]);
  }
  return c;
}
Constants constants_of(const FusedFeatures &a) {
  Constants c = constants_of("FusedFeatures", "", a.net);
  c.values.emplace_back("together", a.together);
  return c;
}
Constants constants_of(const FusedDense &a) {
  Constants c = constants_of("FusedDense", "ahead.", a.ahead.net);
  c.values.emplace_back("ahead.together", a.ahead.together);
  return c;
}
Constants constants_of(const FusedStep &a) {
  Constants c = constants_of("FusedStep", "", a.net);
  c.values.emplace_back("encoder", a.encoder);
  c.values.emplace_back("head", a.head);
  return c;
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
