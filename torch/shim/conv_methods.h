// The methods to compute a convolution of stacked clients, and the choice among them for each shape of convolution.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace fd {

enum class ConvMethod {
  kChoose,     // times the methods that are possible
  kColumns,    // lays out the windows as columns, and computes one batched product
  kGrouped,    // computes one convolution with one group of channels per client
  kPerClient,  // computes one convolution per client, on a CUDA device in concurrent streams
  kFused,      // computes the convolution with the following ReLU and max pooling in feddag's own kernel
};
const char *name_of(ConvMethod method);

class ConvMethods {
 public:
  // fixed is used wherever it is possible. If it is not possible and choices is false, the first candidate is used. shapes:
  // kernels on a CUDA device are compiled for the shapes of layers.
  ConvMethods(ConvMethod fixed, bool choices, bool shapes) : shapes(shapes), fixed_(fixed), choices_(choices) {}
  // The method for a shape. The first time, trial runs each candidate on the current data, forwards and backwards, and the
  // fastest is kept. If none is possible, it throws the reason. The choice is only used again for the same candidates.
  ConvMethod of(const std::string &shape, const std::vector<ConvMethod> &candidates, const at::Device &device,
                const std::function<void(ConvMethod)> &trial);
  void forget();  // forgets all choices
  // A line for each shape, with its method and the time of each method that was tried.
  std::string report() const;

  const bool shapes;

 private:
  struct Choice {
    ConvMethod method;
    std::string tried;
  };
  ConvMethod fixed_;
  bool choices_;
  mutable std::mutex mutex_;  // report may come from another thread
  std::map<std::pair<std::string, std::vector<ConvMethod>>, Choice> chosen_;  // by shape and candidates
};

}  // namespace fd
