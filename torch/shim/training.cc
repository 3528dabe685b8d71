#include "training.h"

#include <algorithm>

namespace fd {
namespace {

// The features of all samples of a job under a frozen encoder, which do not change during the training.
at::Tensor frozen_features(EncoderPass &encoder, const fd_images &images, const at::Tensor &rows, bool plain) {
  std::vector<at::Tensor> chunks;
  for (int64_t begin = 0; begin < rows.numel(); begin += kEvaluationBatch)
    chunks.push_back(encoder.evaluate(
        gather_images(images, rows.slice(0, begin, std::min(begin + kEvaluationBatch, rows.numel())), plain)));
  return at::cat(chunks);
}

}  // namespace

at::Tensor mapped_labels(const at::Tensor &labels, const uint8_t *map) {
  at::Tensor y = labels.to(at::kLong);
  if (map == nullptr) return y;
  return at::from_blob(const_cast<uint8_t *>(map), {256}, at::kByte).to(at::kLong).to(y.device()).index_select(0, y);
}

Training::Training(const fd_network &network, const fd_images &images, const fd_job &job, const fd_sgd &sgd)
    : network_(network), images_(images), job_(job), sgd_(sgd), device_(images.pixels.device()) {
  rows_ = host_rows(job.samples, job.n);
  labels_ = mapped_labels(images.labels.index_select(0, rows_.to(device_)), job.label_map);
  if (job.weights != nullptr)
    sample_weights_ = at::from_blob(const_cast<float *>(job.weights), {job.n, 1}, at::kFloat).to(device_);
  state_.weights = job.end->t;
  state_.weights.copy_(job.start->t);
  state_.mu = job.proximal;
  state_.anchor = (job.anchor != nullptr ? job.anchor : job.start)->t;
  state_.grads = at::zeros_like(state_.weights);
  state_.momentum = at::zeros_like(state_.weights);
  if (sgd.optimizer != FD_SGD) state_.second = at::zeros_like(state_.weights);
  primary_ = std::make_unique<EncoderPass>(network, FD_PRIMARY, state_.weights, state_.grads, sgd.plain);
  if (network.dual)
    secondary_ = std::make_unique<EncoderPass>(network, FD_SECONDARY, state_.weights, state_.grads, sgd.plain);
  head_ = std::make_unique<HeadPass>(network, state_.weights, state_.grads);
  objective_ = make_objective(network, sgd, job, *primary_);
  if (!trains(FD_PRIMARY)) frozen_primary_ = frozen_features(*primary_, images, rows_, sgd.plain);
  if (network.dual && !trains(FD_SECONDARY)) frozen_secondary_ = frozen_features(*secondary_, images, rows_, sgd.plain);
  one_ = at::ones({}, at::TensorOptions().dtype(at::kFloat).device(device_));
  draw_.seed = job.seed;
}

void Training::run(fd_engine &engine) {
  engine_ = &engine;
  at::Tensor losses = at::zeros({sgd_.epochs}, at::TensorOptions().dtype(at::kDouble).device(device_));
  int64_t count = (job_.n + sgd_.batch - 1) / sgd_.batch;
  for (int64_t epoch = 0; epoch < sgd_.epochs; epoch++) {
    at::Tensor order = host_rows(job_.order + epoch * job_.n, job_.n);
    auto batch = [&](int64_t k) {
      return order.slice(0, k * sgd_.batch, std::min((k + 1) * sgd_.batch, job_.n));
    };
    loss_ = losses[epoch];
    seen_ = 0;
    switch (sgd_.rule) {
      case FD_STEP:
        for (int64_t k = 0; k < count; k++, draw_.step++) {
          pass(batch(k));
          step(sgd_);
        }
        break;
      case FD_STEP_EPOCH:
        epoch_whole(count, batch);
        break;
      case FD_STEP_META:
        epoch_meta(count, batch);
        break;
      default:
        TORCH_CHECK(false, "unknown rule of steps ", sgd_.rule);
    }
    loss_.div_(static_cast<double>(seen_));
  }
  at::from_blob(job_.losses, {sgd_.epochs}, at::kDouble).copy_(losses);
  *job_.finite = at::isfinite(state_.weights).all().item<bool>();
}

void Training::pass(const at::Tensor &positions) {
  TORCH_CHECK(!engine_->cancelled, "cancelled");
  at::Tensor here = positions.to(device_), x;
  if (trains(FD_PRIMARY) || (network_.dual && trains(FD_SECONDARY)))
    x = gather_images(images_, rows_.index_select(0, positions), sgd_.plain);
  if (!objective_ || objective_->passes() == 1) {
    backward(objective_ ? objective_->input(x, 0) : x, here);
  } else {
    at::Tensor sum = at::zeros_like(state_.grads);
    for (int64_t p = 0; p < objective_->passes(); p++) {
      backward(objective_->input(x, p), here);
      sum.add_(state_.grads);
    }
    state_.grads.copy_(sum);
  }
  seen_ += here.numel();
  engine_->progress += here.numel();
}

void Training::backward(const at::Tensor &x, const at::Tensor &here) {
  at::Tensor f = trains(FD_PRIMARY) ? primary_->forward(x, draw_) : frozen_primary_.index_select(0, here);
  if (network_.dual)
    f = at::cat({f, trains(FD_SECONDARY) ? secondary_->forward(x, draw_) : frozen_secondary_.index_select(0, here)}, 1);
  at::Tensor logp = at::_log_softmax(head_->forward(f), 1, false);
  at::Tensor y = labels_.index_select(0, here);
  at::Tensor weights = sample_weights_.defined() ? sample_weights_.index_select(0, here) : at::Tensor();
  Loss l = objective_ ? objective_->loss(f, logp, y) : cross_entropy(logp, y, one_, weights);

  if (trains(FD_HEAD)) head_->backward(l.logits, f);
  auto back = [&](EncoderPass &encoder, int part) {
    at::Tensor g = head_->to_features(l.logits, part);
    int64_t begin = part == FD_SECONDARY ? network_.features : 0;
    if (l.features.defined()) g = g + l.features.slice(1, begin, begin + network_.features);
    encoder.backward(g);
  };
  if (trains(FD_PRIMARY)) back(*primary_, FD_PRIMARY);
  if (network_.dual && trains(FD_SECONDARY)) back(*secondary_, FD_SECONDARY);
  loss_.add_(l.value, static_cast<double>(here.numel()));
}

void Training::step(const fd_sgd &sgd) {
  state_.steps++;
  for (auto [begin, end] : trained_ranges(network_, sgd_.parts)) {
    if (sgd.optimizer == FD_SGD)
      sgd_step(state_, sgd, begin, end);
    else
      adam_step(state_, sgd, begin, end);
  }
}

// One step per epoch, with the mean gradient of all its samples.
void Training::epoch_whole(int64_t count, const Batch &batch) {
  at::Tensor sum = at::zeros_like(state_.grads);
  for (int64_t k = 0; k < count; k++, draw_.step++) {
    at::Tensor positions = batch(k);
    pass(positions);
    sum.add_(state_.grads, static_cast<double>(positions.numel()) / static_cast<double>(job_.n));
  }
  state_.grads.copy_(sum);
  step(sgd_);
}

// Per-FedAvg: D, D' (and D'' for the second order) are consecutive batches. Batches that do not fill a step are left out, and
// a client with too few batches uses them repeatedly.
//   w~ = w - alpha grad f(w; D),  g = grad f(w~; D'),  w <- w - beta (g - alpha h)
//   h = [grad f(w + delta g; D'') - grad f(w - delta g; D'')] / (2 delta), or 0 for the first order
void Training::epoch_meta(int64_t count, const Batch &batch) {
  fd_sgd outer = sgd_;
  outer.momentum = 0;
  fd_sgd inner = outer;
  inner.learning_rate = sgd_.inner;
  int64_t each = sgd_.delta > 0 ? 3 : 2;
  for (int64_t s = 0; s < std::max<int64_t>(1, count / each); s++, draw_.step++) {
    auto of = [&](int64_t k) { return batch((s * each + k) % count); };
    at::Tensor w = state_.weights.clone();
    pass(of(0));
    step(inner);
    pass(of(1));
    if (sgd_.delta > 0) {
      at::Tensor g = state_.grads.clone(), h = at::zeros_like(g);
      for (double sign : {1.0, -1.0}) {
        for (auto [begin, end] : trained_ranges(network_, sgd_.parts))
          state_.weights.slice(0, begin, end)
              .copy_(w.slice(0, begin, end))
              .add_(g.slice(0, begin, end), sign * sgd_.delta);
        pass(of(2));
        h.add_(state_.grads, sign / (2 * sgd_.delta));
      }
      state_.grads.copy_(g.add_(h, -sgd_.inner));
    }
    for (auto [begin, end] : trained_ranges(network_, sgd_.parts)) state_.weights.slice(0, begin, end).copy_(w.slice(0, begin, end));
    step(outer);
  }
}

}  // namespace fd
