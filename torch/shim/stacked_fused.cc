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

std::string text_of(int channels, int height, int width) {
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
    : network_(network), part_(part == FD_SECONDARY ? "secondary" : "primary"), s_(stack), begin_(network.encoder_begin(part)) {
  if (!stack.methods->fused) return;
  limits_ = limits_of(stack.device());
  net_.in = static_cast<int>(network.input[0]);
  net_.height = static_cast<int>(network.input[1]);
  net_.width = static_cast<int>(network.input[2]);
  size_t steps = fused_steps(network, net_);
  if (steps > 0 && fused_forward_shared(net_, 1) <= limits_.shared) steps_ = steps;
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
  while (together > 1 && (fused_forward_shared(net_, static_cast<int>(together)) > limits_.shared || blocks() < limits_.processors))
    together--;
  return together;
}

at::Tensor FusedConvs::ahead(const StackImages &images) const {
  where.part = part_;
  where.layer = network_.layers[network_.steps[0].layer].name;
  int64_t clients = s_.clients(), samples = s_.samples();
  FusedForward a{};
  a.images = images.source();
  a.weights = s_.weights.data_ptr<float>() + begin_;
  a.client = s_.weights.stride(0);
  a.net = net_;
  for (int n = 0; n < net_.layers; n++) {
    const fd_layer &l = network_.layers[network_.steps[3 * n].layer];
    a.weight[n] = l.weight;
    a.bias[n] = l.bias;
  }
  FusedLayer last = layer_at(net_, net_.layers - 1);
  at::Tensor y = at::empty({clients, samples, last.out, pooled_height(last), pooled_width(last)}, s_.compute.options());
  a.pooled[net_.layers - 1] = y.data_ptr();
  a.together = static_cast<int>(together(clients, samples));
  int64_t shared = fused_forward_shared(net_, a.together);
  Kernel kernel = FD_KERNEL_FOR(y, fused_forward);
  kernel.constants = constants_of(a);
  launch(s_.device(), kernel, clients * ((samples + a.together - 1) / a.together), shared, a);
  s_.methods->note("convolutions " + text_of(net_.in, net_.height, net_.width) + " -> " +
                   text_of(last.out, pooled_height(last), pooled_width(last)) + ": one kernel, " + std::to_string(a.together) +
                   " samples per block, " + std::to_string(4 * shared) + " bytes of shared memory");
  where.layer = nullptr;
  return y;
}

}  // namespace fd
