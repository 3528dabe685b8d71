#include "walk.h"

#include "guard.h"

namespace fd {

at::Tensor Walk::evaluate(const at::Tensor &x, size_t first) { return run(network.steps, x, nullptr, first); }
at::Tensor Walk::forward(const at::Tensor &x, const Draw &draw, size_t first) { return run(network.steps, x, &draw, first); }
at::Tensor Walk::backward(const at::Tensor &grad, size_t first) { return run_back(network.steps, grad, first); }

at::Tensor Walk::run(const std::vector<Step> &steps, at::Tensor x, const Draw *draw, size_t first) {
  for (size_t s = first; s < steps.size(); s++) {
    const Step &step = steps[s];
    if (layer(step).kind == FD_RESIDUAL) {
      at::Tensor y = run(step.body, x, draw);
      x = y + run(step.shortcut, x, draw);
      continue;
    }
    where.part = part_;
    where.layer = layer(step).name;
    x = ahead(step, x, draw);
    s += together(step) - 1;
  }
  where.layer = nullptr;
  return x;
}

at::Tensor Walk::run_back(const std::vector<Step> &steps, at::Tensor g, size_t first) {
  for (size_t s = steps.size(); s-- > first;) {
    for (size_t before : {2, 1})
      if (s >= before && together(steps[s - before]) == before + 1) {
        s -= before;
        break;
      }
    const Step &step = steps[s];
    if (layer(step).kind == FD_RESIDUAL) {
      at::Tensor left = run_back(step.body, g), right = run_back(step.shortcut, g);
      if (step.wants_input) g = left + right;
    } else {
      where.part = part_;
      where.layer = layer(step).name;
      g = back(step, g);
    }
    // No earlier layer has parameters, and the gradient of the images is never needed.
    if (!step.wants_input) break;
  }
  where.layer = nullptr;
  return g;
}

}  // namespace fd
