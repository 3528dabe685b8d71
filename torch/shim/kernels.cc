#include "kernels.h"

#include "kernel_batch.h"

// The same source is compiled for the baseline and for AVX2. The version is chosen at load time.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FD_CLONES __attribute__((target_clones("avx2,fma", "default")))
#else
#define FD_CLONES
#endif

namespace fd {
namespace {

void gather_rows(const uint8_t *pixels, const float *table, const int64_t *rows, int64_t b, int64_t channels,
                 int64_t plane, float *out) {
  for (int64_t i = 0; i < b; i++) {
    const uint8_t *image = pixels + rows[i] * channels * plane;
    for (int64_t c = 0; c < channels; c++, image += plane, out += plane) {
      const float *value = table + c * 256;
      for (int64_t k = 0; k < plane; k++) out[k] = value[image[k]];
    }
  }
}

// Computes one output from four inputs in scan order. Of equal inputs the first wins, as in PyTorch. If the first input is a
// NaN, so is the output.
inline void pool_one(float a, float b, float c, float d, float *out, uint8_t *which) {
  float m = a;
  int i = 0;
  i = b > m ? 1 : i;
  m = b > m ? b : m;
  i = c > m ? 2 : i;
  m = c > m ? c : m;
  i = d > m ? 3 : i;
  m = d > m ? d : m;
  *out = m < 0 ? 0.0f : m;
  *which = static_cast<uint8_t>(m > 0 ? i : 4);
}

FD_CLONES void pool_pixels(const float *x, int64_t images, int64_t channels, int64_t height, int64_t width, float *out,
                           uint8_t *which) {
  int64_t oh = height / 2, ow = width / 2;
  for (int64_t n = 0; n < images; n++, x += height * width * channels)
    for (int64_t y = 0; y < oh; y++)
      for (int64_t j = 0; j < ow; j++, out += channels, which += channels) {
        const float *a = x + (2 * y * width + 2 * j) * channels, *b = a + channels;
        const float *c = a + width * channels, *d = c + channels;
        for (int64_t k = 0; k < channels; k++) pool_one(a[k], b[k], c[k], d[k], out + k, which + k);
      }
}

FD_CLONES void sgd_range(float *w, const float *g, float *m, const float *anchor, int64_t n, float lr, float momentum,
                         float decay, float mu) {
  if (mu > 0) {
    for (int64_t i = 0; i < n; i++) {
      m[i] = momentum * m[i] + (g[i] + decay * w[i] + mu * (w[i] - anchor[i]));
      w[i] -= lr * m[i];
    }
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    m[i] = momentum * m[i] + (g[i] + decay * w[i]);
    w[i] -= lr * m[i];
  }
}

struct AdamSettings {
  float rate, root;    // lr / (1 - beta1^t), sqrt(1 - beta2^t)
  float beta1, beta2, epsilon;
  float decay, shrink;  // wd with Adam; 1 - lr wd with AdamW
  float mu;
};

FD_CLONES void adam_range(float *w, const float *g, float *m, float *v, const float *anchor, int64_t n, AdamSettings s) {
  for (int64_t i = 0; i < n; i++) {
    float d = g[i] + s.decay * w[i];
    if (anchor != nullptr) d += s.mu * (w[i] - anchor[i]);
    m[i] += (1 - s.beta1) * (d - m[i]);
    v[i] = s.beta2 * v[i] + (1 - s.beta2) * d * d;
    w[i] = s.shrink * w[i] - s.rate * m[i] / (std::sqrt(v[i]) / s.root + s.epsilon);
  }
}

}  // namespace

at::Tensor host_rows(const int32_t *values, int64_t n) {
  return at::from_blob(const_cast<int32_t *>(values), {n}, at::kInt).to(at::kLong);
}

void check_rows(const int32_t *rows, int64_t n, int64_t limit, const char *what) {
  for (int64_t i = 0; i < n; i++)
    TORCH_CHECK(0 <= rows[i] && rows[i] < limit, what, " ", i, " is ", rows[i], ", outside 0..", limit - 1);
}

at::Tensor gather_images(const fd_images &images, const at::Tensor &rows, bool plain) {
  const at::Tensor &px = images.pixels;
  int64_t b = rows.numel(), channels = px.size(1), height = px.size(2), width = px.size(3);
  if (plain || !px.is_cpu()) {
    at::Tensor index = px.index_select(0, rows.to(px.device())).to(at::kLong);
    index.add_(at::arange(channels, index.options()).mul_(256).view({1, channels, 1, 1}));
    return images.table.view({-1}).index_select(0, index.view({-1})).view({b, channels, height, width});
  }
  at::Tensor out = at::empty({b, channels, height, width}, at::kFloat);
  gather_rows(px.data_ptr<uint8_t>(), images.table.data_ptr<float>(), rows.data_ptr<int64_t>(), b, channels,
              height * width, out.data_ptr<float>());
  return out;
}

Pooled relu_pool2(const at::Tensor &x) {
  int64_t b = x.size(0), channels = x.size(1), height = x.size(2), width = x.size(3);
  auto format = at::MemoryFormat::ChannelsLast;
  at::Tensor in = x.contiguous(format);
  Pooled p{at::empty({b, channels, height / 2, width / 2}, in.options(), format),
           at::empty({b, channels, height / 2, width / 2}, in.options().dtype(at::kByte), format)};
  pool_pixels(in.data_ptr<float>(), b, channels, height, width, p.out.data_ptr<float>(), p.which.data_ptr<uint8_t>());
  return p;
}

void sgd_step(const State &s, const fd_sgd &sgd, int64_t begin, int64_t end) {
  if (!sgd.plain && s.weights.is_cpu()) {
    sgd_range(s.weights.data_ptr<float>() + begin, s.grads.data_ptr<float>() + begin,
              s.momentum.data_ptr<float>() + begin, s.mu > 0 ? s.anchor.data_ptr<float>() + begin : nullptr,
              end - begin, static_cast<float>(sgd.learning_rate), static_cast<float>(sgd.momentum),
              static_cast<float>(sgd.weight_decay), static_cast<float>(s.mu));
    return;
  }
  at::Tensor w = s.weights.slice(0, begin, end), g = s.grads.slice(0, begin, end), m = s.momentum.slice(0, begin, end);
  if (sgd.weight_decay != 0) g.add_(w, sgd.weight_decay);
  if (s.mu > 0) g.add_(w - s.anchor.slice(0, begin, end), s.mu);
  m.mul_(sgd.momentum).add_(g);
  w.add_(m, -sgd.learning_rate);
}

void adam_step(const State &s, const fd_sgd &sgd, int64_t begin, int64_t end) {
  bool decoupled = sgd.optimizer == FD_ADAMW;
  double rate = sgd.learning_rate / (1 - std::pow(sgd.beta1, s.steps)), root = std::sqrt(1 - std::pow(sgd.beta2, s.steps));
  double decay = decoupled ? 0 : sgd.weight_decay, shrink = decoupled ? 1 - sgd.learning_rate * sgd.weight_decay : 1;
  if (!sgd.plain && s.weights.is_cpu()) {
    auto f = [](double x) { return static_cast<float>(x); };
    adam_range(s.weights.data_ptr<float>() + begin, s.grads.data_ptr<float>() + begin, s.momentum.data_ptr<float>() + begin,
               s.second.data_ptr<float>() + begin, s.mu > 0 ? s.anchor.data_ptr<float>() + begin : nullptr, end - begin,
               {f(rate), f(root), f(sgd.beta1), f(sgd.beta2), f(sgd.epsilon), f(decay), f(shrink), f(s.mu)});
    return;
  }
  auto part = [&](const at::Tensor &x) { return x.slice(0, begin, end); };
  at::Tensor w = part(s.weights), g = part(s.grads), m = part(s.momentum), v = part(s.second);
  if (decay != 0) g.add_(w, decay);
  if (s.mu > 0) g.add_(w - part(s.anchor), s.mu);
  if (shrink != 1) w.mul_(shrink);
  m.lerp_(g, 1 - sgd.beta1);
  v.mul_(sgd.beta2).addcmul_(g, g, 1 - sgd.beta2);
  w.addcdiv_(m, v.sqrt().div_(root).add_(sgd.epsilon), -rate);
}

at::Tensor dropout_mask(uint64_t seed, int64_t step, int64_t layer, double p, at::IntArrayRef shape,
                        const at::Device &device) {
  at::Tensor mask = at::empty(shape, at::kFloat);
  float *value = mask.data_ptr<float>();
  u64 key = dropout_key(seed, step, static_cast<int>(layer));
  for (int64_t i = 0; i < mask.numel(); i++) value[i] = dropout_factor(key, static_cast<u32>(i), static_cast<float>(p));
  return mask.to(device);
}

}  // namespace fd
