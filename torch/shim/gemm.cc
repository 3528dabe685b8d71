// Products of float64 matrices in the caller's memory.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "fd.h"
#include "guard.h"

namespace {

// A rows x columns matrix whose stored rows are ld values apart; if transposed, its transpose is stored in this way.
at::Tensor wrap(const double *x, int64_t rows, int64_t columns, int64_t ld, bool transposed) {
  double *data = const_cast<double *>(x);
  if (transposed) return at::from_blob(data, {rows, columns}, {1, ld}, at::kDouble);
  return at::from_blob(data, {rows, columns}, {ld, 1}, at::kDouble);
}

}  // namespace

extern "C" {

char *fd_gemm(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, double alpha, const double *a, int64_t lda,
              const double *b, int64_t ldb, double beta, double *c, int64_t ldc) {
  return fd::guard([&] {
    c10::NoGradGuard no_grad;
    if (at::get_num_threads() != 1) at::set_num_threads(1);  // for this thread, because the caller divides the work itself
    at::Tensor out = wrap(c, m, n, ldc, false);
    at::addmm_out(out, out, wrap(a, m, k, lda, transpose_a), wrap(b, k, n, ldb, transpose_b), beta, alpha);
  });
}

}  // extern "C"
