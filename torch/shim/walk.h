// The forward and backward passes through an encoder's layers. Subclasses define the computation of each layer.
#pragma once

#include <ATen/ATen.h>

#include <utility>
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
  // maximum, 2 for a norm with the following ReLU, and for FD_RESIDUAL whose body ends with a norm, if the norm, the addition
  // and the following ReLU are one layer; otherwise 1.
  virtual size_t together(const Step &step) const = 0;
  // draw is null in evaluation.
  virtual at::Tensor ahead(const Step &step, const at::Tensor &x, const Draw *draw) = 0;
  // Writes the gradients of the layer's parameters. Without step.wants_input the result is not used.
  virtual at::Tensor back(const Step &step, const at::Tensor &grad) = 0;
  // The same for a layer of which another gradient of the input is known. Returns the sum of both.
  virtual at::Tensor back_onto(const Step &step, const at::Tensor &grad, const at::Tensor &onto) { return back(step, grad) + onto; }
  // Number of steps at the end of the body of FD_RESIDUAL that are one layer with the addition: 1 if together says so, 2 for a norm
  // and a ReLU, otherwise 0.
  virtual size_t with_sum(const Step &) const { return 0; }
  // The first of these steps. other is the shortcut.
  virtual at::Tensor ahead_to_sum(const Step &step, const at::Tensor &x, const at::Tensor &other, const Draw *draw);
  // If the ReLU is behind the addition, the gradients of x and of other. If it is before, that of x is what back returns.
  virtual std::pair<at::Tensor, at::Tensor> back_from_sum(const Step &step, const at::Tensor &grad);

  const fd_network &network;

 private:
  // The steps [first, end) of a list.
  at::Tensor run(const std::vector<Step> &steps, at::Tensor x, const Draw *draw, size_t first, size_t end);
  // If onto is defined, it is added to the gradient of the input of step first.
  at::Tensor run_back(const std::vector<Step> &steps, at::Tensor grad, size_t first, size_t end, at::Tensor onto = at::Tensor());
  at::Tensor residual(const Step &step, const at::Tensor &x, const Draw *draw);
  at::Tensor residual_back(const Step &step, const at::Tensor &grad);
  void enter(const Step &step);  // notes the layer for errors
  const char *part_;
};

}  // namespace fd
