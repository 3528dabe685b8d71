// Tensors of the eager executor. gotorch's functions for backward passes and for reading tensors do not report errors, and it
// lacks most operations that losses need. Every function here is guarded.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <vector>

#include "fd.h"
#include "guard.h"
#include "handles.h"
#include "kernels.h"

namespace {

at::Tensor &tensor(void *handle) {
  TORCH_CHECK(handle != nullptr, "a tensor that was freed, or never made, was used");
  return *static_cast<at::Tensor *>(handle);
}

std::vector<at::Tensor> tensors(void *const *handles, int64_t n) {
  std::vector<at::Tensor> all;
  for (int64_t i = 0; i < n; i++) all.push_back(tensor(handles[i]));
  return all;
}

void give(void **out, const at::Tensor &t) { *out = new at::Tensor(t); }

void copy_out(const at::Tensor &t, float *values, int64_t n) {
  TORCH_CHECK(t.numel() == n, "the tensor has ", t.numel(), " values, but ", n, " were requested");
  at::from_blob(values, {n}, at::kFloat).copy_(t.detach().reshape({-1}));
}

// Indices as an int64 tensor on the device of t. They are checked on the host, because on a GPU an index outside the range
// would make all further work on the device fail.
at::Tensor indices(const int64_t *values, int64_t n, int64_t limit, const at::Tensor &t) {
  for (int64_t i = 0; i < n; i++)
    TORCH_CHECK(0 <= values[i] && values[i] < limit, "index ", values[i], " at position ", i, " is outside 0 to ", limit - 1);
  at::Tensor index = at::from_blob(const_cast<int64_t *>(values), {n}, at::kLong);
  return index.to(t.device(), at::kLong, false, true);
}

void check_scalar(const at::Tensor &t) {
  TORCH_CHECK(t.numel() == 1, "the derivative of a tensor of shape ", t.sizes(), " does not exist: it must be a scalar");
}

}  // namespace

extern "C" {

void fd_tensor_free(void *handle) { delete static_cast<at::Tensor *>(handle); }

char *fd_tensor_of(const char *device, const float *values, const int64_t *shape, int64_t dims, void **out) {
  return fd::guard([&] {
    at::Tensor host = at::from_blob(const_cast<float *>(values), at::IntArrayRef(shape, dims), at::kFloat);
    give(out, host.to(c10::Device(std::string(device)), at::kFloat, false, true));
  });
}

char *fd_tensor_part(const fd_vector *v, int64_t begin, const int64_t *shape, int64_t dims, int trained, void **out) {
  return fd::guard([&] {
    TORCH_CHECK(v != nullptr, "a closed vector was used");
    int64_t n = 1;
    for (int64_t i = 0; i < dims; i++) n *= shape[i];
    TORCH_CHECK(0 <= begin && n >= 0 && begin + n <= v->t.numel(), "range ", begin, ":", begin + n,
                " is not within a vector of ", v->t.numel());
    // variable_data shares the memory, but not the version counter. Otherwise an update of a running mean would make autograd
    // treat the weights in the same vector as modified.
    at::Tensor t = v->t.slice(0, begin, begin + n).view(at::IntArrayRef(shape, dims)).variable_data();
    if (trained) t.set_requires_grad(true);
    give(out, t);
  });
}

char *fd_tensor_images(const fd_images *images, const int32_t *rows, int64_t n, int64_t *labels, void **out) {
  return fd::guard([&] {
    TORCH_CHECK(images != nullptr, "a closed image set was used");
    fd::check_rows(rows, n, images->pixels.size(0), "sample");
    const uint8_t *own = images->host_labels.data_ptr<uint8_t>();
    for (int64_t i = 0; i < n; i++) labels[i] = own[rows[i]];
    give(out, fd::gather_images(*images, fd::host_rows(rows, n), true).contiguous());
  });
}

char *fd_tensor_dims(void *handle, int64_t *dims) {
  return fd::guard([&] { *dims = tensor(handle).dim(); });
}

char *fd_tensor_shape(void *handle, int64_t *shape) {
  return fd::guard([&] {
    for (int64_t s : tensor(handle).sizes()) *shape++ = s;
  });
}

char *fd_tensor_values(void *handle, float *values, int64_t n) {
  return fd::guard([&] { copy_out(tensor(handle), values, n); });
}

char *fd_tensor_each(int op, void *handle, double a, void **out) {
  return fd::guard([&] {
    const at::Tensor &x = tensor(handle);
    switch (op) {
      case FD_EACH_SCALE: return give(out, x * a);
      case FD_EACH_SHIFT: return give(out, x + a);
      case FD_EACH_EXP: return give(out, x.exp());
      case FD_EACH_LOG: return give(out, x.log());
      case FD_EACH_SQRT: return give(out, x.sqrt());
      case FD_EACH_ABS: return give(out, x.abs());
      case FD_EACH_RELU: return give(out, at::relu(x));
      case FD_EACH_SIGMOID: return give(out, at::sigmoid(x));
      case FD_EACH_TANH: return give(out, at::tanh(x));
      case FD_EACH_SOFTPLUS: return give(out, at::softplus(x));
      case FD_EACH_CLAMP: return give(out, x.clamp_min(a));
      case FD_EACH_DETACH: return give(out, x.detach());
      case FD_EACH_LEAF: return give(out, x.detach().clone().set_requires_grad(true));
    }
    TORCH_CHECK(false, "unknown operation ", op, " on each value");
  });
}

char *fd_tensor_pair(int op, void *left, void *right, double a, void **out) {
  return fd::guard([&] {
    const at::Tensor &x = tensor(left), &y = tensor(right);
    switch (op) {
      case FD_PAIR_ADD: return give(out, at::add(x, y, a));
      case FD_PAIR_MUL: return give(out, x * y);
      case FD_PAIR_DIV: return give(out, x / y);
      case FD_PAIR_EQUAL: return give(out, x.eq(y).to(at::kFloat));
      case FD_PAIR_MATMUL: return give(out, at::matmul(x, y));
      case FD_PAIR_COSINE: return give(out, at::cosine_similarity(x, y, 1, 1e-8));
    }
    TORCH_CHECK(false, "unknown operation ", op, " on two tensors");
  });
}

char *fd_tensor_over(int op, void *handle, const int64_t *dims, int64_t n, void **out) {
  return fd::guard([&] {
    const at::Tensor &x = tensor(handle);
    std::vector<int64_t> over(dims, dims + n);
    if (n == 0)
      for (int64_t i = 0; i < x.dim(); i++) over.push_back(i);
    auto one = [&] {
      TORCH_CHECK(over.size() == 1, "this operation needs one dimension, but ", over.size(), " were given");
      return over[0];
    };
    switch (op) {
      case FD_OVER_SUM: return give(out, over.empty() ? x : x.sum(over));
      case FD_OVER_MEAN: return give(out, over.empty() ? x : x.mean(over));
      case FD_OVER_MAX: return give(out, at::amax(x, over));
      case FD_OVER_LOG_SUM_EXP: return give(out, at::logsumexp(x, over));
      case FD_OVER_SOFTMAX: return give(out, at::softmax(x, one()));
      case FD_OVER_LOG_SOFTMAX: return give(out, at::log_softmax(x, one()));
      case FD_OVER_NORMALIZE: return give(out, x / x.norm(2, one(), true).clamp_min(1e-12));
    }
    TORCH_CHECK(false, "unknown operation ", op, " over dimensions");
  });
}

char *fd_tensor_reshape(void *handle, const int64_t *shape, int64_t dims, void **out) {
  return fd::guard([&] { give(out, tensor(handle).reshape(at::IntArrayRef(shape, dims))); });
}

char *fd_tensor_transpose(void *handle, int64_t a, int64_t b, void **out) {
  return fd::guard([&] { give(out, tensor(handle).transpose(a, b)); });
}

char *fd_tensor_cat(void *const *handles, int64_t n, int64_t dim, void **out) {
  return fd::guard([&] { give(out, at::cat(tensors(handles, n), dim)); });
}

char *fd_tensor_select(void *handle, int64_t dim, const int64_t *index, int64_t n, void **out) {
  return fd::guard([&] {
    const at::Tensor &x = tensor(handle);
    give(out, x.index_select(dim, indices(index, n, x.size(dim), x)));
  });
}

char *fd_tensor_pick(void *handle, const int64_t *columns, int64_t n, void **out) {
  return fd::guard([&] {
    const at::Tensor &x = tensor(handle);
    TORCH_CHECK(x.dim() == 2 && x.size(0) == n, "there are ", n, " columns for a tensor of shape ", x.sizes());
    give(out, x.gather(1, indices(columns, n, x.size(1), x).unsqueeze(1)).squeeze(1));
  });
}

char *fd_tensor_nll(void *handle, const int64_t *labels, int64_t n, int mean, void **out) {
  return fd::guard([&] {
    const at::Tensor &x = tensor(handle);
    TORCH_CHECK(x.dim() == 2 && x.size(0) == n, n, " labels for log-probabilities of shape ", x.sizes());
    give(out, at::nll_loss(x, indices(labels, n, x.size(1), x), {}, mean ? at::Reduction::Mean : at::Reduction::None));
  });
}

char *fd_tensor_gradient(void *scalar, void *const *handles, int64_t n, void **out) {
  return fd::guard([&] {
    check_scalar(tensor(scalar));
    for (int64_t i = 0; i < n; i++) out[i] = nullptr;
    // The graph is kept, and the graph of the derivatives is added to it, so that the derivatives can be part of a loss.
    auto grads = torch::autograd::grad({tensor(scalar)}, tensors(handles, n), {}, true, true, true);
    for (int64_t i = 0; i < n; i++)
      if (!grads[i].defined()) grads[i] = at::zeros_like(tensor(handles[i]));
    for (int64_t i = 0; i < n; i++) give(&out[i], grads[i]);
  });
}

char *fd_tensor_descent(void *loss, void *const *leaves, const int64_t *begins, int64_t n, fd_vector *gradient, double *value) {
  return fd::guard([&] {
    at::Tensor &t = tensor(loss);
    TORCH_CHECK(t.numel() == 1, "the loss has shape ", t.sizes(), ": a loss must be a scalar, such as a Mean or a Sum");
    TORCH_CHECK(gradient != nullptr, "a closed vector was used");
    const char *apart = "the loss does not depend on the trained parameters: it was made of constants or detached tensors alone";
    TORCH_CHECK(t.requires_grad(), apart);
    *value = t.item<double>();
    auto grads = torch::autograd::grad({t}, tensors(leaves, n), {}, false, false, true);
    bool any = false;
    gradient->t.zero_();
    for (int64_t i = 0; i < n; i++) {
      if (!grads[i].defined()) continue;
      any = true;
      int64_t size = grads[i].numel();
      TORCH_CHECK(0 <= begins[i] && begins[i] + size <= gradient->t.numel(), "a gradient outside the vector");
      gradient->t.slice(0, begins[i], begins[i] + size).copy_(grads[i].reshape({-1}));
    }
    TORCH_CHECK(any, apart);
  });
}

char *fd_vector_descend(fd_vector *weights, fd_vector *momentum, fd_vector *gradient, const fd_vector *anchor, double mu,
                        double learning_rate, double inertia, double decay, int64_t begin, int64_t end) {
  return fd::guard([&] {
    auto part = [&](const fd_vector *v) {
      TORCH_CHECK(v != nullptr && 0 <= begin && begin <= end && end <= v->t.numel(), "a range outside a vector");
      return v->t.slice(0, begin, end);
    };
    at::Tensor w = part(weights), m = part(momentum), g = part(gradient);
    if (decay != 0) g.add_(w, decay);
    if (mu != 0) g.add_(w - part(anchor), mu);
    m.mul_(inertia).add_(g);
    w.add_(m, -learning_rate);
  });
}

char *fd_vector_adam(fd_vector *weights, fd_vector *momentum, fd_vector *second, fd_vector *gradient, const fd_vector *anchor,
                     double mu, double learning_rate, double beta1, double beta2, double epsilon, double decay,
                     int decoupled, int64_t steps, int64_t begin, int64_t end) {
  return fd::guard([&] {
    for (const fd_vector *v : {static_cast<const fd_vector *>(weights), static_cast<const fd_vector *>(momentum),
                               static_cast<const fd_vector *>(second), static_cast<const fd_vector *>(gradient), anchor})
      TORCH_CHECK(v != nullptr && 0 <= begin && begin <= end && end <= v->t.numel(), "a range outside a vector");
    fd::State s{weights->t, gradient->t, momentum->t, second->t, steps, mu, anchor->t};
    fd_sgd sgd{};
    sgd.learning_rate = learning_rate, sgd.weight_decay = decay, sgd.plain = 1;
    sgd.optimizer = decoupled ? FD_ADAMW : FD_ADAM;
    sgd.beta1 = beta1, sgd.beta2 = beta2, sgd.epsilon = epsilon;
    fd::adam_step(s, sgd, begin, end);
  });
}

char *fd_dropout_mask(uint64_t seed, int64_t step, int64_t layer, double p, const char *device, const int64_t *shape,
                      int64_t dims, void **out) {
  return fd::guard([&] {
    c10::Device d{std::string(device)};
    give(out, fd::dropout_mask(seed, step, layer, p, at::IntArrayRef(shape, dims), d));
  });
}

}  // extern "C"
