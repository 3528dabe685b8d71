#include "kernels.h"

#include <ATen/CPUGeneratorImpl.h>

// The same source compiled for the baseline and for AVX2, chosen at load time.
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

// One output: the four inputs in scan order; of equals the first wins, as in PyTorch. A NaN in front stays a NaN.
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

FD_CLONES void pool_planes(const float *x, int64_t planes, int64_t height, int64_t width, float *out, uint8_t *which) {
  int64_t oh = height / 2, ow = width / 2;
  for (int64_t p = 0; p < planes; p++, x += height * width)
    for (int64_t y = 0; y < oh; y++, out += ow, which += ow) {
      const float *r0 = x + 2 * y * width, *r1 = r0 + width;
      for (int64_t j = 0; j < ow; j++) pool_one(r0[2 * j], r0[2 * j + 1], r1[2 * j], r1[2 * j + 1], out + j, which + j);
    }
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

FD_CLONES void unpool_planes(const float *grad, const uint8_t *which, int64_t planes, int64_t height, int64_t width,
                             float *out) {
  int64_t oh = height / 2, ow = width / 2;
  for (int64_t p = 0; p < planes; p++, out += height * width)
    for (int64_t y = 0; y < oh; y++, grad += ow, which += ow) {
      float *r0 = out + 2 * y * width, *r1 = r0 + width;
      for (int64_t j = 0; j < ow; j++) {
        r0[2 * j] = which[j] == 0 ? grad[j] : 0.0f;
        r0[2 * j + 1] = which[j] == 1 ? grad[j] : 0.0f;
        r1[2 * j] = which[j] == 2 ? grad[j] : 0.0f;
        r1[2 * j + 1] = which[j] == 3 ? grad[j] : 0.0f;
      }
    }
}

FD_CLONES void unpool_pixels(const float *grad, const uint8_t *which, int64_t images, int64_t channels, int64_t height,
                             int64_t width, float *out) {
  int64_t oh = height / 2, ow = width / 2;
  for (int64_t n = 0; n < images; n++, out += height * width * channels)
    for (int64_t y = 0; y < oh; y++)
      for (int64_t j = 0; j < ow; j++, grad += channels, which += channels) {
        float *a = out + (2 * y * width + 2 * j) * channels, *b = a + channels;
        float *c = a + width * channels, *d = c + channels;
        for (int64_t k = 0; k < channels; k++) {
          a[k] = which[k] == 0 ? grad[k] : 0.0f;
          b[k] = which[k] == 1 ? grad[k] : 0.0f;
          c[k] = which[k] == 2 ? grad[k] : 0.0f;
          d[k] = which[k] == 3 ? grad[k] : 0.0f;
        }
      }
}

FD_CLONES void sgd_range(float *w, const float *g, float *m, const float *start, int64_t n, float lr, float momentum,
                         float decay, float mu) {
  if (mu > 0) {
    for (int64_t i = 0; i < n; i++) {
      m[i] = momentum * m[i] + (g[i] + decay * w[i] + mu * (w[i] - start[i]));
      w[i] -= lr * m[i];
    }
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    m[i] = momentum * m[i] + (g[i] + decay * w[i]);
    w[i] -= lr * m[i];
  }
}

bool channels_last(const at::Tensor &x) {
  return !x.is_contiguous() && x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace

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
  bool last = channels_last(x);
  auto format = last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  at::Tensor in = x.contiguous(format);
  Pooled p{at::empty({b, channels, height / 2, width / 2}, in.options(), format),
           at::empty({b, channels, height / 2, width / 2}, in.options().dtype(at::kByte), format)};
  const float *src = in.data_ptr<float>();
  float *out = p.out.data_ptr<float>();
  uint8_t *which = p.which.data_ptr<uint8_t>();
  if (last)
    pool_pixels(src, b, channels, height, width, out, which);
  else
    pool_planes(src, b * channels, height, width, out, which);
  return p;
}

at::Tensor relu_pool2_backward(const at::Tensor &grad, const at::Tensor &which, int64_t height, int64_t width) {
  int64_t b = which.size(0), channels = which.size(1);
  bool last = channels_last(which);
  auto format = last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  at::Tensor g = grad.contiguous(format);
  // An odd edge was dropped by the pooling and gets no gradient.
  at::Tensor out = height % 2 || width % 2 ? at::zeros({b, channels, height, width}, g.options()).contiguous(format)
                                           : at::empty({b, channels, height, width}, g.options(), format);
  if (last)
    unpool_pixels(g.data_ptr<float>(), which.data_ptr<uint8_t>(), b, channels, height, width, out.data_ptr<float>());
  else
    unpool_planes(g.data_ptr<float>(), which.data_ptr<uint8_t>(), b * channels, height, width, out.data_ptr<float>());
  return out;
}

void sgd_step(const State &s, const fd_sgd &sgd, int64_t begin, int64_t end) {
  if (!sgd.plain && s.weights.is_cpu()) {
    sgd_range(s.weights.data_ptr<float>() + begin, s.grads.data_ptr<float>() + begin,
              s.momentum.data_ptr<float>() + begin, sgd.proximal > 0 ? s.start.data_ptr<float>() + begin : nullptr,
              end - begin, static_cast<float>(sgd.learning_rate), static_cast<float>(sgd.momentum),
              static_cast<float>(sgd.weight_decay), static_cast<float>(sgd.proximal));
    return;
  }
  at::Tensor w = s.weights.slice(0, begin, end), g = s.grads.slice(0, begin, end), m = s.momentum.slice(0, begin, end);
  if (sgd.weight_decay != 0) g.add_(w, sgd.weight_decay);
  if (sgd.proximal > 0) g.add_(w - s.start.slice(0, begin, end), sgd.proximal);
  m.mul_(sgd.momentum).add_(g);
  w.add_(m, -sgd.learning_rate);
}

at::Tensor dropout_mask(uint64_t seed, int64_t step, int64_t layer, double p, at::IntArrayRef shape,
                        const at::Device &device) {
  // splitmix64's finaliser spreads neighbouring (seed, step, layer) apart.
  uint64_t z = seed + 0x9e3779b97f4a7c15ULL * (static_cast<uint64_t>(step) * 64 + static_cast<uint64_t>(layer) + 1);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  z ^= z >> 31;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(z);
  return at::empty(shape, at::kFloat).bernoulli_(1 - p, generator).div_(1 - p).to(device);
}

}  // namespace fd
