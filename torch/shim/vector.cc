// Flat float32 state vectors.
#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "fd.h"
#include "guard.h"
#include "handles.h"
#include "hash.h"

namespace {

void check_range(const fd_vector *v, int64_t begin, int64_t end) {
  TORCH_CHECK(v != nullptr, "a closed vector was used");
  TORCH_CHECK(0 <= begin && begin <= end && end <= v->t.numel(), "range ", begin, ":", end, " is not within a vector of ",
              v->t.numel());
}

at::Tensor part(const fd_vector *v, int64_t begin, int64_t end) {
  check_range(v, begin, end);
  return v->t.slice(0, begin, end);
}

}  // namespace

extern "C" {

char *fd_vector_new(const char *device, int64_t n, fd_vector **out) {
  return fd::guard([&] {
    TORCH_CHECK(n >= 0, "a vector cannot have ", n, " values");
    *out = new fd_vector(at::zeros({n}, at::TensorOptions().dtype(at::kFloat).device(c10::Device(device))));
  });
}

void fd_vector_close(fd_vector *v) { delete v; }

char *fd_vector_set(fd_vector *v, const float *values, int64_t n) {
  return fd::guard([&] {
    check_range(v, 0, n);
    TORCH_CHECK(n == v->t.numel(), n, " values for a vector of ", v->t.numel());
    v->t.copy_(at::from_blob(const_cast<float *>(values), {n}, at::kFloat));
  });
}

char *fd_vector_get(const fd_vector *v, float *values, int64_t n) {
  return fd::guard([&] {
    check_range(v, 0, n);
    TORCH_CHECK(n == v->t.numel(), n, " values of a vector of ", v->t.numel());
    at::from_blob(values, {n}, at::kFloat).copy_(v->t);
  });
}

char *fd_vector_hash(const fd_vector *v, const uint64_t seeds[2], uint64_t hash[2]) {
  return fd::guard([&] {
    check_range(v, 0, 0);
    fd::HashValue value = fd::hashes_of({v->t}, seeds)[0];
    std::copy(value.begin(), value.end(), hash);
  });
}

char *fd_vector_copy(fd_vector *dst, int64_t dst_begin, const fd_vector *src, int64_t src_begin, int64_t n) {
  return fd::guard([&] { part(dst, dst_begin, dst_begin + n).copy_(part(src, src_begin, src_begin + n)); });
}

char *fd_vector_axpy(fd_vector *v, double a, const fd_vector *x, int64_t begin, int64_t end) {
  return fd::guard([&] { part(v, begin, end).add_(part(x, begin, end), a); });
}

char *fd_vector_mean(fd_vector *v, const fd_vector *const *xs, const double *weights, int64_t count, int64_t begin,
                     int64_t end) {
  return fd::guard([&] {
    TORCH_CHECK(count > 0, "the mean of no vectors does not exist");
    double total = 0;
    for (int64_t i = 0; i < count; i++) {
      TORCH_CHECK(weights[i] >= 0, "weight ", i, " of a mean is ", weights[i]);
      total += weights[i];
    }
    TORCH_CHECK(total > 0, "the weights of a mean are all zero");
    at::Tensor sum = at::zeros({end - begin}, v->t.options().dtype(at::kDouble));
    for (int64_t i = 0; i < count; i++) sum.add_(part(xs[i], begin, end).to(at::kDouble), weights[i] / total);
    part(v, begin, end).copy_(sum);
  });
}

}  // extern "C"
