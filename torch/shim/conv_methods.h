// The methods to compute a convolution of stacked clients, and the choice among them for each shape of convolution.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace fd {

enum class ConvMethod {
  kChoose,     // times the methods that are possible
  kColumns,    // lays out the windows as columns, and computes one batched product
  kGrouped,    // computes one convolution with one group of channels per client
  kPerClient,  // computes one convolution per client, on a CUDA device in concurrent streams
  kFused,      // computes the convolution with the following ReLU and max pooling in feddag's own kernel
  kTensorCores,  // the same, or a convolution without bias, as products on the tensor cores of a GPU, in tf32 or bf16
};
const char *name_of(ConvMethod method);

class ConvMethods {
 public:
  // fixed is used wherever it is possible; kTensorCores is tried before, because the trial confirms its results. Without fixed,
  // and if choices is false, the first candidate is used.
  // shapes: kernels on a CUDA device are compiled for the shapes of layers.
  // fused: all layers of a small network are computed in few kernels where this is possible, whatever else is chosen.
  // tf32: products of float32 may round their operands to tf32.
  ConvMethods(ConvMethod fixed, bool choices, bool shapes, bool fused, bool tf32)
      : shapes(shapes), fused(fused), tf32(tf32), fixed_(fixed), choices_(choices) {}
  // The method for a shape. The first time, trial runs each candidate on the current data, forwards and backwards, and the
  // fastest is kept. If none is possible, it throws the reason. The choice is only used again for the same candidates.
  ConvMethod of(const std::string &shape, const std::vector<ConvMethod> &candidates, const at::Device &device,
                const std::function<void(ConvMethod)> &trial);
  void forget();  // forgets all choices
  void note(const std::string &line);  // for the report
  // A line for each shape: its method, and the time of each that was tried. Then the lines that were noted.
  std::string report() const;

  const bool shapes, fused, tf32;

 private:
  struct Choice {
    ConvMethod method;
    std::string tried;
  };
  ConvMethod fixed_;
  bool choices_;
  mutable std::mutex mutex_;  // report may come from another thread
  std::map<std::pair<std::string, std::vector<ConvMethod>>, Choice> chosen_;  // by shape and candidates
  std::set<std::string> notes_;
};

}  // namespace fd
