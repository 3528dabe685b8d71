// The cosine of pairs of rows, and its derivatives.
#pragma once

#include <ATen/ATen.h>

namespace fd {

struct Cosine {
  at::Tensor u, v, value;  // [b, h], [b, h], [b, 1]
  at::Tensor nu, nv;       // lengths, [b, 1]

  Cosine(const at::Tensor &left, const at::Tensor &right) : u(left), v(right) {
    nu = u.norm(2, 1, true).clamp_min(1e-8);
    nv = v.norm(2, 1, true).clamp_min(1e-8);
    value = (u * v).sum(1, true) / (nu * nv);
  }
  // The gradient of each side, from the gradient of the value: [b, 1] -> [b, h].
  at::Tensor left(const at::Tensor &g) const { return (v / (nu * nv) - u * (value / (nu * nu))) * g; }
  at::Tensor right(const at::Tensor &g) const { return (u / (nu * nv) - v * (value / (nv * nv))) * g; }
};

}  // namespace fd
