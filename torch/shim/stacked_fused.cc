#include "stacked_fused.h"

#include "guard.h"

namespace fd {
namespace {

// One of the fused layers; n varies here.
FusedLayer layer_at(const FusedNet &net, int n) {
  static_assert(kFusedLayers == 4, "a case for each layer");
  switch (n) {
    case 0: return layer_of<0>(net);
    case 1: return layer_of<1>(net);
    case 2: return layer_of<2>(net);
    default: return layer_of<3>(net);
  }
}

std::string text_of(int64_t channels, int64_t height, int64_t width) {
  return std::to_string(channels) + "x" + std::to_string(height) + "x" + std::to_string(width);
}

// The layers of a network, and the number of its steps that they are; 0 if it is of another kind.
size_t fused_steps(const fd_network &network, FusedNet &net) {
  size_t s = 0;
  for (; s < network.steps.size() && network.layers[network.steps[s].layer].kind != FD_FLATTEN; s += 3) {
    const Step &step = network.steps[s];
    const fd_layer &l = network.layers[step.layer];
    if (!step.block || l.stride != 1 || (l.kernel != 3 && l.kernel != 5) || l.bias < 0 || net.layers == kFusedLayers) return 0;
    net.out[net.layers] = static_cast<int>(l.out);
    net.kernel[net.layers] = static_cast<int>(l.kernel);
    net.padding[net.layers++] = static_cast<int>(l.padding);
  }
  return s;
}

}  // namespace

FusedConvs::FusedConvs(const fd_network &network, int part, const Stack &stack)
    : network_(network), part_(part == FD_SECONDARY ? "secondary" : "primary"), s_(stack), begin_(network.encoder_begin(part) - stack.begin) {
  if (!stack.methods->fused) return;
  limits_ = limits_of(stack.device());
  net_.in = static_cast<int>(network.input[0]);
  net_.height = static_cast<int>(network.input[1]);
  net_.width = static_cast<int>(network.input[2]);
  size_t steps = fused_steps(network, net_);
  if (steps == 0 || fused_forward_shared(net_, 1) > limits_.shared) return;
  steps_ = steps;
  bool in_order = true, rows = true;
  for (int n = 0; n < net_.layers; n++) {
    const fd_layer &l = network.layers[network.steps[3 * n].layer];
    FusedLayer f = layer_at(net_, n);
    weight_[n] = l.weight;
    bias_[n] = l.bias;
    in_order = in_order && l.weight == values_ && l.bias == values_ + taps_of(f) * l.out;
    values_ += (taps_of(f) + 1) * l.out;
    rows = rows && padded_width(f) <= kMostRow && f.padding < f.kernel;
  }
  // The number of samples does not depend on that of the clients, nor do the sums of a client's gradients.
  constexpr int kTogetherBack = 2;
  for (int t = kTogetherBack; in_order && rows && together_ == 0 && t > 0; t--)
    if (fused_backward_shared(net_, t) <= limits_.shared) together_ = t;
}

// The number of samples per block: so many that the layer with the fewest windows has at most one per thread, but fewer if
// they do not fit into shared memory, or if there would be fewer blocks than multiprocessors.
int64_t FusedConvs::together(int64_t clients, int64_t samples) const {
  int fewest = kThreads;
  for (int n = 0; n < net_.layers; n++) {
    FusedLayer l = layer_at(net_, n);
    fewest = std::min(fewest, tiles_of(l.out) * pooled_height(l) * pooled_width(l));
  }
  int64_t together = std::min<int64_t>(std::max(1, kThreads / fewest), kMostTogether);
  auto blocks = [&] { return clients * ((samples + together - 1) / together); };
  auto fits = [&] { return fused_forward_shared(net_, static_cast<int>(together)) <= limits_.shared; };
  while (together > 1 && (!fits() || blocks() < limits_.processors)) together--;
  return together;
}

void FusedConvs::name() const {
  where.part = part_;
  where.layer = network_.layers[network_.steps[0].layer].name;
}

at::Tensor FusedConvs::ahead(const StackImages &images, bool keep) {
  name();
  int64_t clients = s_.clients(), samples = s_.samples();
  FusedForward a{};
  a.images = images_ = images.source();
  a.weights = s_.weights.data_ptr<float>() + begin_;
  a.client = s_.weights.stride(0);
  a.net = net_;
  at::Tensor y;
  for (int n = 0; n < net_.layers; n++) {
    a.weight[n] = weight_[n];
    a.bias[n] = bias_[n];
    FusedLayer l = layer_at(net_, n);
    bool last = n + 1 == net_.layers;
    if (!last && !keep) continue;
    y = at::empty({clients, samples, l.out, pooled_height(l), pooled_width(l)}, s_.compute.options());
    a.pooled[n] = y.data_ptr();
    if (!keep) continue;
    if (!last) pooled_[n] = y;
    which_[n] = at::empty(y.sizes(), y.options().dtype(at::kByte));
    a.which[n] = which_[n].data_ptr<uint8_t>();
  }
  a.together = static_cast<int>(together(clients, samples));
  int64_t shared = fused_forward_shared(net_, a.together);
  Kernel kernel = FD_KERNEL_FOR(y, fused_forward);
  kernel.constants = constants_of(a);
  launch(s_.device(), kernel, clients * ((samples + a.together - 1) / a.together), shared, a);
  s_.methods->note("convolutions " + text_of(net_.in, net_.height, net_.width) + " -> " +
                   text_of(y.size(2), y.size(3), y.size(4)) + ": one kernel per pass, " + std::to_string(a.together) +
                   " samples per block and " + std::to_string(4 * shared) + " bytes of shared memory in the forward pass");
  where.layer = nullptr;
  return y;
}

void FusedConvs::back(const at::Tensor &grad) {
  name();
  int64_t clients = s_.clients(), groups = (s_.samples() + together_ - 1) / together_;
  at::Tensor g = grad.contiguous();
  partial_ = at::empty({clients, groups, values_}, s_.weights.options());
  FusedBackward a{};
  a.images = images_;
  a.weights = s_.weights.data_ptr<float>() + begin_;
  a.client = s_.weights.stride(0);
  for (int n = 0; n < net_.layers; n++) {
    a.weight[n] = weight_[n];
    if (n + 1 < net_.layers) a.pooled[n] = pooled_[n].data_ptr();
    a.which[n] = which_[n].data_ptr<uint8_t>();
  }
  a.grad = g.data_ptr();
  a.partial = partial_.data_ptr<float>();
  a.values = static_cast<int>(values_);
  a.together = static_cast<int>(together_);
  a.net = net_;
  Kernel kernel = FD_KERNEL_FOR(g, fused_backward);
  kernel.constants = constants_of(a);
  launch(s_.device(), kernel, clients * groups, fused_backward_shared(net_, a.together), a);
  for (at::Tensor &t : pooled_) t = at::Tensor();
  for (at::Tensor &t : which_) t = at::Tensor();
  where.layer = nullptr;
}

FusedSgd FusedConvs::sums(const Sgd &sgd) const {
  return {sgd, s_.batch, partial_.data_ptr<float>(), begin_, static_cast<int>(values_), static_cast<int>(together_)};
}

int64_t FusedConvs::step(const Sgd &sgd) const {
  FusedSgd a = sums(sgd);
  launch(s_.device(), Kernel{"fused_sgd_step", fused_sgd_step}, s_.clients() * ((values_ + kThreads - 1) / kThreads), 0, a);
  return values_;
}

}  // namespace fd
