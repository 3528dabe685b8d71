#include "stacked_linear.h"

namespace fd {
namespace {

// The layers from step first on, if they are of the kind. begin: offset of the encoder in the rows of the stack.
bool linear_layers(const fd_network &network, int64_t begin, size_t first, FusedFeatures &a) {
  const auto &steps = network.steps;
  auto kind = [&](size_t s) { return s < steps.size() ? network.layers[steps[s].layer].kind : -1; };
  if (kind(first) != FD_FLATTEN) return false;
  size_t s = first + 1;
  while (s < steps.size()) {
    const fd_layer &l = network.layers[steps[s].layer];
    int n = a.net.layers;
    if (l.kind != FD_LINEAR || n == kDenseLayers || l.bias != l.weight + l.in * l.out) return false;
    if (n == 0) a.net.in = static_cast<int>(l.in);
    a.net.out[n] = static_cast<int>(l.out);
    a.weight[n] = begin + l.weight;
    a.net.whole[n] = l.in % 4 == 0 && a.weight[n] % 4 == 0;
    if ((a.relu[n] = kind(++s) == FD_RELU)) s++;
    if (kind(s) == FD_DROPOUT) {
      a.dropped[n] = static_cast<int>(steps[s].layer);
      a.p[n] = static_cast<float>(network.layers[steps[s].layer].p);
      s++;
    }
    a.net.layers++;
  }
  if (a.net.layers == 0) a.net.in = static_cast<int>(network.features);
  return true;
}

template <typename T>
T *data_of(const at::Tensor &x) { return x.defined() ? static_cast<T *>(x.data_ptr()) : nullptr; }

}  // namespace

FusedLinear::FusedLinear(const fd_network &network, int part, const Stack &stack, size_t first) : network_(network), s_(stack) {
  if (!stack.methods->fused) return;
  limits_ = limits_of(stack.device());
  layers_.batch = stack.batch;
  layers_.weights = stack.weights.data_ptr<float>();
  layers_.client = stack.weights.stride(0);
  layers_.net.inputs = static_cast<int>(network.features);
  all_ = part == 0 || (first > 0 && linear_layers(network, network.encoder_begin(part) - stack.begin, first, layers_));
}

// Half as many samples per block if otherwise the blocks would not be enough for all multiprocessors. The results are the same.
int FusedLinear::together(int64_t clients, int64_t samples) const {
  bool few = samples <= kDenseTogether / 2 || clients * ((samples + kDenseTogether - 1) / kDenseTogether) < limits_.processors;
  return few ? kDenseTogether / 2 : kDenseTogether;
}

int64_t FusedLinear::blocks(int together) const { return s_.clients() * ((s_.samples() + together - 1) / together); }

bool FusedLinear::evaluates() const {
  return all_ && layers_.net.layers > 0 && fused_features_shared(layers_.net, kDenseTogether) <= limits_.shared;
}

at::Tensor FusedLinear::evaluate(const at::Tensor &x) const {
  FusedFeatures a = layers_;
  at::Tensor y = at::empty({s_.clients(), s_.samples(), network_.features}, x.options());
  a.input = x.data_ptr();
  a.features = y.data_ptr();
  a.columns = a.net.inputs;
  a.together = together(s_.clients(), s_.samples());
  Kernel kernel = FD_KERNEL_FOR(x, fused_features);
  kernel.constants = constants_of(a);
  launch(s_.device(), kernel, blocks(a.together), fused_features_shared(a.net, a.together), a);
  return y;
}

FusedTraining::FusedTraining(const fd_network &network, int parts, const Stack &stack)
    : network_(network), s_(stack), part_(parts & (network.dual ? FD_PRIMARY | FD_SECONDARY : FD_PRIMARY)), head_(parts & FD_HEAD),
      convs_(network, part_, stack), linear_(network, part_, stack, convs_.steps()) {
  if (!linear_.all_ || part_ == (FD_PRIMARY | FD_SECONDARY) || (part_ != 0 && !convs_.trains())) return;
  FusedFeatures &a = linear_.layers_;
  a.own = part_ == FD_SECONDARY ? static_cast<int>(network.features) : 0;
  a.columns = a.net.inputs = static_cast<int>(network.head_inputs());
  a.net.classes = static_cast<int>(network.classes);
  a.net.whole_head = network.features % 4 == 0 && network.head_begin() % 4 == 0;
  a.seeds = stack.seeds;
  step_.net = a.net;
  step_.encoder = part_ != 0;
  step_.head = head_;
  std::copy(a.weight, a.weight + kDenseLayers, step_.weight);
  step_.weight[kDenseLayers] = network.head_begin();
  step_.convolutions.batch = stack.batch;
  possible_ = fused_dense_shared(a.net, kDenseTogether) <= linear_.limits_.shared && fused_step_shared(step_) <= linear_.limits_.shared;
}

void FusedTraining::note(int together, int64_t shared) const {
  std::string widths;
  if (part_ != 0) widths = std::to_string(step_.net.in) + " -> ";
  for (int n = 0; n < step_.net.layers; n++) widths += std::to_string(step_.net.out[n]) + " -> ";
  s_.methods->note("linear layers " + widths + std::to_string(network_.classes) + " in training: one kernel forward and back, " +
                   std::to_string(together) + " samples per block and " + std::to_string(4 * shared) +
                   " bytes of shared memory, and one for the steps of all layers");
}

void FusedTraining::step(const StackImages &images, const at::Tensor *tables, const CrossEntropy &loss, const Sgd &sgd) {
  int64_t clients = s_.clients(), samples = s_.samples();
  at::TensorOptions type = s_.compute.options(), floats = s_.weights.options();
  FusedDense a{};
  a.ahead = linear_.layers_;
  const DenseNet &net = a.ahead.net;
  FusedStep steps = step_;
  at::Tensor x, x_grad, features, kept[kDenseLayers], grads[kDenseLayers];
  if (part_ != 0) {
    x = convs_.ahead(images, true);
    x_grad = at::empty_like(x);
  }
  for (int n = 0; n < net.layers; n++) {
    if (n + 1 < net.layers) kept[n] = at::empty({clients, samples, net.out[n]}, type);
    grads[n] = at::empty({clients, samples, net.out[n]}, floats);
    a.ahead.kept[n] = data_of<void>(kept[n]);
    steps.grads[n] = a.grads[n] = data_of<float>(grads[n]);
    steps.inputs[n] = data_of<void>(n == 0 ? x : kept[n - 1]);
  }
  if (head_) features = at::empty({clients, samples, network_.head_inputs()}, type);
  at::Tensor logits_grad = at::empty({clients, samples, network_.classes}, floats), each = at::empty({clients, samples}, floats);
  a.ahead.input = data_of<void>(x);
  a.ahead.features = data_of<void>(features);
  a.ahead.together = linear_.together(clients, samples);
  for (int t = 0; t < (network_.dual ? 2 : 1); t++) a.tables[t] = data_of<void>(tables[t]);
  a.width = static_cast<int>(network_.features);
  a.head = network_.head_begin();
  a.loss = loss;
  a.each = each.data_ptr<float>();
  a.logits_grad = logits_grad.data_ptr<float>();
  a.input_grad = data_of<void>(x_grad);
  int64_t shared = fused_dense_shared(net, a.ahead.together);
  Kernel kernel = FD_KERNEL_FOR(s_.compute, fused_dense);
  kernel.constants = constants_of(a);
  launch(s_.device(), kernel, linear_.blocks(a.ahead.together), shared, a);
  note(a.ahead.together, shared);

  steps.convolutions = FusedSgd{sgd, s_.batch, nullptr, 0, 0, 1};
  if (part_ != 0) {
    convs_.back(x_grad);
    steps.convolutions = convs_.sums(sgd);
  }
  steps.inputs[kDenseLayers] = data_of<void>(features);
  steps.grads[kDenseLayers] = a.logits_grad;
  steps.loss = loss;
  steps.each = a.each;
  kernel = FD_KERNEL_FOR(s_.compute, fused_step);
  kernel.constants = constants_of(steps);
  launch(s_.device(), kernel, clients * fused_step_blocks(steps), fused_step_shared(steps), steps);
}

}  // namespace fd
