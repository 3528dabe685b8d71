// The ways to compute a convolution of stacked clients, and the choice among them for each shape.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace fd {

enum class Way {
  kChoose,   // time those that are possible
  kColumns,  // windows as columns, one batched product
  kGrouped,  // one convolution with a group of channels a client
  kApart,    // a convolution a client, on a CUDA device in streams side by side
  kFused,    // with the ReLU and the maximum behind it, in a kernel of our own
};
const char *name_of(Way way);

class Ways {
 public:
  // fixed: taken wherever it is possible. Without it, and where choices is false, the first candidate is taken.
  Ways(Way fixed, bool choices) : fixed_(fixed), choices_(choices) {}
  // The way for a shape. The first time, trial runs one candidate on the data at hand, forth and back, and the fastest
  // is kept. Where none is possible it throws why.
  Way of(const std::string &shape, const std::vector<Way> &candidates, const at::Device &device,
         const std::function<void(Way)> &trial);
  void forget();  // all choices
  // A line for each shape: its way, and the time of each that was tried.
  std::string report() const;

 private:
  struct Choice {
    Way way;
    std::string tried;
  };
  Way fixed_;
  bool choices_;
  mutable std::mutex mutex_;  // report may come from another thread
  std::map<std::string, Choice> chosen_;
};

}  // namespace fd
