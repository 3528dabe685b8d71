// The forward and backward passes through an encoder's layers. Subclasses define the computation of each layer.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "network.h"

namespace fd {

class Walk {
 public:
  virtual ~Walk() = default;
  // Images -> features. first is the number of steps at the front that x has been through already.
  at::Tensor evaluate(const at::Tensor &x, size_t first = 0);
  // The same in training: keeps what backward needs.
  at::Tensor forward(const at::Tensor &x, const Draw &draw, size_t first = 0);
  // Gradient of the features -> gradients of the parameters. Returns the gradient of the input of step first.
  at::Tensor backward(const at::Tensor &grad, size_t first = 0);

 protected:
  Walk(const fd_network &network, int part) : network(network), part_(part == FD_SECONDARY ? "secondary" : "primary") {}
  const fd_layer &layer(const Step &step) const { return network.layers[step.layer]; }

  // Number of steps, from the given one on, that are one layer for this class: 3 for a convolution with the following ReLU and
  // maximum, 2 for a norm with the following ReLU, otherwise 1.
  virtual size_t together(const Step &step) const = 0;
  // draw is null in evaluation.
  virtual at::Tensor ahead(const Step &step, const at::Tensor &x, const Draw *draw) = 0;
  // Writes the gradients of the layer's parameters. Without step.wants_input the result is not used.
  virtual at::Tensor back(const Step &step, const at::Tensor &grad) = 0;

  const fd_network &network;

 private:
  at::Tensor run(const std::vector<Step> &steps, at::Tensor x, const Draw *draw, size_t first = 0);
  at::Tensor run_back(const std::vector<Step> &steps, at::Tensor grad, size_t first = 0);
  const char *part_;
};

}  // namespace fd
