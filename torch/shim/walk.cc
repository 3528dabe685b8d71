#include "walk.h"

#include <tuple>

#include "guard.h"

namespace fd {

at::Tensor Walk::evaluate(const at::Tensor &x, size_t first) { return run(network.steps, x, nullptr, first, network.steps.size()); }
at::Tensor Walk::forward(const at::Tensor &x, const Draw &draw, size_t first) {
  return run(network.steps, x, &draw, first, network.steps.size());
}
at::Tensor Walk::backward(const at::Tensor &grad, size_t first) {
  return run_back(network.steps, grad, first, network.steps.size());
}

at::Tensor Walk::ahead_to_sum(const Step &, const at::Tensor &, const at::Tensor &, const Draw *) {
  TORCH_CHECK(false, "this engine has no layers with an addition");
}
std::pair<at::Tensor, at::Tensor> Walk::back_from_sum(const Step &, const at::Tensor &) {
  TORCH_CHECK(false, "this engine has no layers with an addition");
}

void Walk::enter(const Step &step) {
  where.part = part_;
  where.layer = layer(step).name;
}

at::Tensor Walk::run(const std::vector<Step> &steps, at::Tensor x, const Draw *draw, size_t first, size_t end) {
  for (size_t s = first; s < end; s++) {
    const Step &step = steps[s];
    if (layer(step).kind == FD_RESIDUAL) {
      x = residual(step, x, draw);
    } else {
      enter(step);
      x = ahead(step, x, draw);
    }
    s += together(step) - 1;
  }
  where.layer = nullptr;
  return x;
}

at::Tensor Walk::residual(const Step &step, const at::Tensor &x, const Draw *draw) {
  size_t rest = step.body.size() - with_sum(step);
  at::Tensor y = run(step.body, x, draw, 0, rest);
  at::Tensor other = run(step.shortcut, x, draw, 0, step.shortcut.size());
  if (rest == step.body.size()) return y + other;
  enter(step.body[rest]);
  return ahead_to_sum(step.body[rest], y, other, draw);
}

at::Tensor Walk::run_back(const std::vector<Step> &steps, at::Tensor g, size_t first, size_t end, at::Tensor onto) {
  for (size_t s = end; s-- > first;) {
    for (size_t before : {2, 1})
      if (s >= before && together(steps[s - before]) == before + 1) {
        s -= before;
        break;
      }
    const Step &step = steps[s];
    if (layer(step).kind == FD_RESIDUAL) {
      g = residual_back(step, g);
    } else {
      enter(step);
      g = s == first && onto.defined() ? back_onto(step, g, std::exchange(onto, at::Tensor())) : back(step, g);
    }
    // No earlier layer has parameters, and the gradient of the images is never needed.
    if (!step.wants_input) break;
  }
  where.layer = nullptr;
  return onto.defined() ? g + onto : g;
}

at::Tensor Walk::residual_back(const Step &step, const at::Tensor &grad) {
  at::Tensor left = grad, right = grad;
  size_t rest = step.body.size();
  if (together(step) > 1) {
    const Step &last = step.body[--rest];
    enter(last);
    std::tie(left, right) = back_from_sum(last, grad);
    if (!last.wants_input) rest = 0;
  }
  right = run_back(step.shortcut, right, 0, step.shortcut.size());
  return run_back(step.body, left, 0, rest, step.wants_input ? right : at::Tensor());
}

}  // namespace fd
