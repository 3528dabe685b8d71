#include "network.h"

#include "guard.h"

namespace fd {
namespace {

bool is_norm(const fd_layer &l) { return l.kind == FD_BATCHNORM2D || l.kind == FD_GROUPNORM; }

// The layers [begin, end) as steps. before says whether an earlier layer has parameters.
std::vector<Step> steps_of(const std::vector<fd_layer> &layers, size_t begin, size_t end, bool &before) {
  std::vector<Step> steps;
  for (size_t i = begin; i < end; i++) {
    const fd_layer &l = layers[i];
    Step step;
    step.layer = i;
    step.wants_input = before;
    auto follows = [&](size_t at, int32_t kind) { return at < end && layers[at].kind == kind; };
    step.block = l.kind == FD_CONV2D && follows(i + 1, FD_RELU) && follows(i + 2, FD_MAXPOOL2D) && layers[i + 2].kernel == 2;
    step.norm_relu = is_norm(l) && follows(i + 1, FD_RELU);
    if (l.kind == FD_RESIDUAL) {
      TORCH_CHECK(i + 1 + l.body + l.shortcut <= end, "a residual layer with ", l.body, " + ", l.shortcut, " layers");
      bool left = before, right = before;
      size_t middle = i + 1 + l.body;
      step.body = steps_of(layers, i + 1, middle, left);
      step.shortcut = steps_of(layers, middle, middle + l.shortcut, right);
      before = left || right;
      i = middle + l.shortcut - 1;
      step.sum_relu = !step.body.empty() && is_norm(layers[step.body.back().layer]) && follows(i + 1, FD_RELU);
      step.relu_sum = step.body.size() > 1 && step.body.end()[-2].norm_relu;
    }
    before = before || l.weight >= 0;
    steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace

at::Tensor shaped(const at::Tensor &flat, int64_t begin, at::IntArrayRef shape) {
  return flat.slice(0, begin, begin + c10::multiply_integers(shape)).view(shape);
}

at::Tensor weight_of(const fd_layer &l, const at::Tensor &encoder) {
  if (l.kind == FD_CONV2D) return shaped(encoder, l.weight, {l.out, l.in, l.kernel, l.kernel});
  if (l.kind == FD_LINEAR) return shaped(encoder, l.weight, {l.out, l.in});
  return shaped(encoder, l.weight, {l.out});
}

at::Tensor bias_of(const fd_layer &l, const at::Tensor &encoder) {
  return l.bias < 0 ? at::Tensor() : shaped(encoder, l.bias, {l.out});
}

std::vector<std::pair<int64_t, int64_t>> trained_ranges(const fd_network &n, int parts) {
  std::vector<std::pair<int64_t, int64_t>> ranges;
  if (parts & FD_PRIMARY) ranges.emplace_back(0, n.encoder_trained);
  if (n.dual && (parts & FD_SECONDARY)) ranges.emplace_back(n.encoder_size, n.encoder_size + n.encoder_trained);
  if (parts & FD_HEAD) ranges.emplace_back(n.head_begin(), n.size());
  return ranges;
}

}  // namespace fd

extern "C" {

char *fd_network_new(const fd_layer *layers, int64_t count, const int64_t input[3], int64_t encoder_size,
                     int64_t encoder_trained, int64_t features, int64_t classes, int dual, fd_network **out) {
  return fd::guard([&] {
    auto n = std::make_unique<fd_network>();
    n->layers.assign(layers, layers + count);
    bool before = false;
    n->steps = fd::steps_of(n->layers, 0, n->layers.size(), before);
    for (int i = 0; i < 3; i++) n->input[i] = input[i];
    n->encoder_size = encoder_size;
    n->encoder_trained = encoder_trained;
    n->features = features;
    n->classes = classes;
    n->dual = dual != 0;
    // Channels-last is faster if convolutions are wide enough to fill vector registers with channels.
    n->channels_last = false;
    for (const fd_layer &l : n->layers)
      if (l.kind == FD_CONV2D) n->channels_last = l.out >= 32;
    *out = n.release();
  });
}

void fd_network_close(fd_network *network) { delete network; }

}  // extern "C"
