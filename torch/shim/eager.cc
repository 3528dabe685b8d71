// Guarded calls on gotorch's tensors: gotorch's own versions have no status, and an exception there ends the process.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "fd.h"
#include "guard.h"
#include "kernels.h"

static at::Tensor &tensor(void *handle) {
  TORCH_CHECK(handle != nullptr, "a closed tensor was used");
  return *static_cast<at::Tensor *>(handle);
}

static void copy_out(const at::Tensor &t, float *values, int64_t n) {
  TORCH_CHECK(t.numel() == n, "a tensor of ", t.numel(), " values, ", n, " were asked for");
  at::from_blob(values, {n}, at::kFloat).copy_(t.reshape({-1}));
}

extern "C" {

char *fd_eager_require_grad(void *handle) {
  return fd::guard([&] { tensor(handle).set_requires_grad(true); });
}

char *fd_eager_backward(void *loss) {
  return fd::guard([&] {
    at::Tensor &t = tensor(loss);
    TORCH_CHECK(t.numel() == 1, "backward needs a scalar, got a tensor of shape ", t.sizes());
    t.backward();
  });
}

char *fd_eager_grad(void *handle, float *values, int64_t n) {
  return fd::guard([&] {
    at::Tensor &t = tensor(handle);
    if (!t.grad().defined()) {
      std::fill(values, values + n, 0.0f);
      return;
    }
    copy_out(t.grad(), values, n);
  });
}

char *fd_eager_values(void *handle, float *values, int64_t n) {
  return fd::guard([&] { copy_out(tensor(handle).detach(), values, n); });
}

char *fd_eager_cosine(void *u, void *v, void **out) {
  return fd::guard([&] { *out = new at::Tensor(at::cosine_similarity(tensor(u), tensor(v), 1, 1e-8)); });
}

char *fd_eager_softplus(void *x, void **out) {
  return fd::guard([&] { *out = new at::Tensor(at::softplus(tensor(x))); });
}

char *fd_eager_derivative(void *loss, void *x, void **out) {
  return fd::guard([&] {
    TORCH_CHECK(tensor(loss).numel() == 1, "the derivative of a tensor of shape ", tensor(loss).sizes(), ", not of a scalar");
    *out = new at::Tensor(torch::autograd::grad({tensor(loss)}, {tensor(x)}, {}, true, true)[0]);
  });
}

char *fd_dropout_mask(uint64_t seed, int64_t step, int64_t layer, double p, int64_t n, float *mask) {
  return fd::guard([&] { copy_out(fd::dropout_mask(seed, step, layer, p, {n}, at::kCPU), mask, n); });
}

}  // extern "C"
