// Runs the kernels of convolutions on tensor cores on fibers, on random operands, and compares them with plain sums of the rounded
// operands. main prints the largest differences, relative to the largest value, of outputs, gradients of the input and of the
// weights, the number of wrong positions of maxima, and the report.
//
//   gemm_kernels SEED f32|bf16 ALONE STRIDE KERNEL IN OUT HEIGHT WIDTH PADDING SLICES COUNT...
//
// ALONE is 1 for a convolution alone, and 0 with bias, ReLU and maximum. A client has five slots, of which it uses COUNT.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "kernel_gemm_weight.h"

namespace fd {

constexpr int kSlots = 5;

// A layer of clients, and the values of its activations of type T.
template <typename T>
struct Layer {
  int alone, stride, k, in, out, height, width, padding, slices;
  std::vector<int> counts;
  const char *suffix;
  std::mt19937 random;

  int clients() const { return static_cast<int>(counts.size()); }
  int window() const { return alone ? 1 : 2; }  // side of the windows of the maximum
  int out_h() const { return ((height + 2 * padding - k) / stride + 1) / window(); }
  int out_w() const { return ((width + 2 * padding - k) / stride + 1) / window(); }
  int area() const { return out_h() * out_w(); }
  int filters() const { return out * in * k * k; }
  size_t pixels() const { return static_cast<size_t>(in) * height * width; }
  size_t outputs() const { return static_cast<size_t>(out) * area(); }

  float drawn() {
    T value;
    put(&value, std::normal_distribution<float>()(random));
    return get(&value);
  }
};

// The operand as a product takes it.
template <typename T>
double as_operand(float x) { return Operands<T>::count == 1 ? float_of(tf32_of(x)) : x; }

double largest(double a, double b) { return b > a || b != b ? b : a; }

template <typename T, int k>
void run(Layer<T> l, unsigned seed) {
  int clients = l.clients(), filters = l.filters();
  size_t stride = static_cast<size_t>(filters) + l.out;
  std::vector<T> x(clients * kSlots * l.pixels()), x_grad(x.size()), y(clients * kSlots * l.outputs()), grad(y.size());
  std::vector<u8> which(y.size());
  std::vector<float> values(clients * stride);
  for (float &v : values) v = l.drawn();
  for (T &v : x) put(&v, l.drawn());
  for (int c = 0; c < clients; c++)  // nothing may read a gradient of a slot that is not used
    for (size_t i = 0; i < kSlots * l.outputs(); i++)
      put(&grad[c * kSlots * l.outputs() + i], i < l.counts[c] * l.outputs() ? l.drawn() : NAN);
  i64 step = 0;
  std::vector<int> slots(clients * kSlots);
  ConvGemm a{};
  a.batch = Batch{&step, slots.data(), l.counts.data(), clients, kSlots};
  a.x = View{x.data(), static_cast<i64>(kSlots * l.pixels()), static_cast<i64>(l.pixels()), l.height * l.width};
  a.x_grad = a.x;
  a.x_grad.data = x_grad.data();
  a.weight = values.data();
  a.bias = values.data() + filters;
  a.client = static_cast<i64>(stride);
  a.y = View{y.data(), static_cast<i64>(kSlots * l.outputs()), static_cast<i64>(l.outputs()), l.area()};
  a.pooled = y.data();
  a.which = which.data();
  a.slices = l.slices;
  a.in = l.in, a.out = l.out, a.height = l.height, a.width = l.width, a.padding = l.padding;
  a.alone = l.alone;
  a.stride = l.stride;
  a.quads_h = (l.out_h() + l.alone) / (1 + l.alone), a.quads_w = (l.out_w() + l.alone) / (1 + l.alone);
  GemmShape forward = forward_shape<k>(a), back = input_shape<k>(a);
  std::vector<float> packed(clients * static_cast<size_t>(packed_size<T, k>(forward)));
  std::vector<float> turned(clients * static_cast<size_t>(packed_size<T, k>(back)));
  int parts = l.slices * weight_parts(a);
  std::vector<float> sums(static_cast<size_t>(clients) * parts * filters, NAN);
  a.sums = sums.data();
  a.sums_client = static_cast<i64>(parts) * filters;
  a.sums_slice = filters;

  fd_fibers_start(seed, "", "");
  auto start = [&](const char *name, i64 blocks, i64 shared) {
    std::string kernel = std::string("conv_gemm_") + name + "_" + std::to_string(k) + l.suffix;
    if (!fd_fibers_launch(kernel.c_str(), blocks, shared, &a, sizeof a)) exit(1);
  };
  a.packed = packed.data();
  start("pack", static_cast<i64>(clients) * result_tiles(forward) * source_chunks<T>(forward), 0);
  start("forward", static_cast<i64>(clients) * result_tiles(forward) * quad_tiles(forward, kSlots), gemm_shared<T, k>(forward));
  a.pooled = a.y.data = grad.data();
  start("weight", static_cast<i64>(clients) * l.slices * weight_tiles<k>(a), weight_shared<T, k>(a));
  a.packed = turned.data();
  start("turn", static_cast<i64>(clients) * result_tiles(back) * source_chunks<T>(back), 0);
  start("input", static_cast<i64>(clients) * result_tiles(back) * quad_tiles(back, kSlots), gemm_shared<T, k>(back));

  std::vector<double> want_x(x.size()), want_w(static_cast<size_t>(clients) * filters);
  double off[3] = {0, 0, 0}, most[3] = {0, 0, 0};
  int wrong = 0;
  auto compare = [&](int what, double got, double want) {
    off[what] = largest(off[what], std::abs(got - want));
    most[what] = largest(most[what], std::abs(want));
  };
  for (int c = 0; c < clients; c++)
    for (int s = 0; s < kSlots; s++)
      for (int o = 0; o < l.out; o++)
        for (int p = 0; p < l.area(); p++) {
          size_t slot = static_cast<size_t>(c) * kSlots + s, e = slot * l.outputs() + static_cast<size_t>(o) * l.area() + p;
          if (s >= l.counts[c]) {
            wrong += !(get(&y[e]) == 0 && (l.alone || which[e] == kNothing));
            continue;
          }
          int row = p / l.out_w() * l.window() * l.stride - l.padding, column = p % l.out_w() * l.window() * l.stride - l.padding;
          const float *filter = &values[c * stride + static_cast<size_t>(o) * l.in * k * k];
          auto each_tap = [&](int q, auto visit) {  // the filter's values and the pixels under it
            for (int i = 0; i < l.in; i++)
              for (int t = 0; t < k * k; t++) {
                int ty = row + q / 2 + t / k, tz = column + q % 2 + t % k;
                if (ty < 0 || ty >= l.height || tz < 0 || tz >= l.width) continue;
                visit(i * k * k + t, slot * l.pixels() + (static_cast<size_t>(i) * l.height + ty) * l.width + tz);
              }
          };
          double sum[4] = {}, best = -INFINITY;
          for (int q = 0; q < l.window() * l.window(); q++) {
            each_tap(q, [&](int w, size_t at) { sum[q] += as_operand<T>(filter[w]) * as_operand<T>(get(&x[at])); });
            best = std::max(best, sum[q]);
          }
          double bias = values[c * stride + filters + o];
          compare(0, get(&y[e]), l.alone ? best : std::max(0.0, best + bias));
          if (!l.alone && which[e] == kNothing) {
            wrong += best + bias > 1e-3;
            continue;
          }
          int from = l.alone ? 0 : which[e] % 4;
          wrong += !l.alone && (which[e] > 3 || sum[from] < best - 1e-3);
          double g = as_operand<T>(get(&grad[e]));
          each_tap(from, [&](int w, size_t at) {
            want_x[at] += g * as_operand<T>(filter[w]);
            want_w[static_cast<size_t>(c) * filters + static_cast<size_t>(o) * l.in * k * k + w] += g * as_operand<T>(get(&x[at]));
          });
        }
  for (size_t i = 0; i < x.size(); i++) compare(1, get(&x_grad[i]), want_x[i]);
  for (int c = 0; c < clients; c++)
    for (int i = 0; i < filters; i++) {
      double sum = 0;
      for (int p = 0; p < parts; p++) sum += sums[(static_cast<size_t>(c) * parts + p) * filters + i];
      compare(2, sum, want_w[static_cast<size_t>(c) * filters + i]);
    }
  std::printf("%g %g %g %d\n%s", off[0] / most[0], off[1] / most[1], off[2] / most[2], wrong, fd_fibers_report());
}

template <typename T>
void run(int count, char **words, const char *suffix) {
  auto number = [&](int i) { return atoi(words[i]); };
  Layer<T> l{number(3), number(4), number(5), number(6), number(7), number(8), number(9), number(10), number(11), {}, suffix, std::mt19937(5)};
  for (int i = 12; i < count; i++) l.counts.push_back(number(i));
  if (l.k == 1) run<T, 1>(l, static_cast<unsigned>(number(1)));
  else if (l.k == 3) run<T, 3>(l, static_cast<unsigned>(number(1)));
  else run<T, 5>(l, static_cast<unsigned>(number(1)));
}

}  // namespace fd

int main(int count, char **words) {
  if (count < 13) return 2;
  if (words[2] == std::string("f32")) fd::run<float>(count, words, "_f32");
  else fd::run<fd::bfloat>(count, words, "_bf16");
}
