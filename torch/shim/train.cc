// Local trainings, one job a worker at a time.
#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

#include "encoder.h"
#include "fd.h"
#include "guard.h"
#include "head.h"
#include "kernels.h"
#include "network.h"
#include "workers.h"

namespace {

constexpr int64_t kEvaluationBatch = 128;  // larger batches leave the cache

// The features of all of a job's samples under a frozen encoder: they do not change while it trains.
at::Tensor frozen_features(const fd_network &network, int part, const at::Tensor &weights, const fd_images &images,
                           const at::Tensor &rows, bool plain) {
  fd::EncoderPass encoder(network, part, weights, at::Tensor(), plain);
  std::vector<at::Tensor> chunks;
  for (int64_t begin = 0; begin < rows.numel(); begin += kEvaluationBatch)
    chunks.push_back(encoder.evaluate(
        fd::gather_images(images, rows.slice(0, begin, std::min(begin + kEvaluationBatch, rows.numel())), plain)));
  return at::cat(chunks);
}

// Labels after a client's map, int64.
at::Tensor mapped(const at::Tensor &labels, const uint8_t *map) {
  at::Tensor y = labels.to(at::kLong);
  if (map == nullptr) return y;
  return at::from_blob(const_cast<uint8_t *>(map), {256}, at::kByte).to(at::kLong).to(y.device()).index_select(0, y);
}

class Training {
 public:
  Training(const fd_network &network, const fd_images &images, const fd_job &job, const fd_sgd &sgd)
      : network_(network), images_(images), job_(job), sgd_(sgd), device_(images.pixels.device()) {
    rows_ = fd::host_rows(job.samples, job.n);
    labels_ = mapped(images.labels.index_select(0, rows_.to(device_)), job.label_map);
    if (job.weights != nullptr)
      sample_weights_ = at::from_blob(const_cast<float *>(job.weights), {job.n, 1}, at::kFloat).to(device_);
    state_.weights = job.end->t;
    state_.weights.copy_(job.start->t);
    state_.mu = job.proximal;
    state_.anchor = (job.anchor != nullptr ? job.anchor : job.start)->t;
    state_.grads = at::zeros_like(state_.weights);
    state_.momentum = at::zeros_like(state_.weights);
  }

  void run(fd_engine &engine) {
    bool train_primary = sgd_.parts & FD_PRIMARY, train_secondary = sgd_.parts & FD_SECONDARY;
    fd::EncoderPass primary(network_, FD_PRIMARY, state_.weights, state_.grads, sgd_.plain);
    fd::EncoderPass secondary(network_, network_.dual ? FD_SECONDARY : FD_PRIMARY, state_.weights, state_.grads,
                              sgd_.plain);
    fd::HeadPass head(network_, state_.weights, state_.grads);
    at::Tensor frozen_primary, frozen_secondary;
    if (!train_primary)
      frozen_primary = frozen_features(network_, FD_PRIMARY, state_.weights, images_, rows_, sgd_.plain);
    if (network_.dual && !train_secondary)
      frozen_secondary = frozen_features(network_, FD_SECONDARY, state_.weights, images_, rows_, sgd_.plain);

    at::Tensor losses = at::zeros({sgd_.epochs}, at::TensorOptions().dtype(at::kDouble).device(device_));
    at::Tensor one = at::ones({}, at::TensorOptions().dtype(at::kFloat).device(device_));
    fd::Draw draw{job_.seed, 0};
    for (int64_t epoch = 0; epoch < sgd_.epochs; epoch++) {
      at::Tensor order = fd::host_rows(job_.order + epoch * job_.n, job_.n);
      for (int64_t begin = 0; begin < job_.n; begin += sgd_.batch, draw.step++) {
        TORCH_CHECK(!engine.cancelled, "cancelled");
        int64_t b = std::min(sgd_.batch, job_.n - begin);
        at::Tensor positions = order.slice(0, begin, begin + b);  // on the host
        at::Tensor here = positions.to(device_);
        at::Tensor x;
        if (train_primary || train_secondary)
          x = fd::gather_images(images_, rows_.index_select(0, positions), sgd_.plain);

        at::Tensor f = train_primary ? primary.forward(x, draw) : frozen_primary.index_select(0, here);
        if (network_.dual)
          f = at::cat({f, train_secondary ? secondary.forward(x, draw) : frozen_secondary.index_select(0, here)}, 1);
        // PyTorch's own operators for the loss: softmax minus one-hot is not the same bits.
        at::Tensor logp = at::_log_softmax(head.forward(f), 1, false);
        at::Tensor y = labels_.index_select(0, here);
        auto [loss, total] = at::nll_loss_forward(logp, y, {}, at::Reduction::Mean, -100);
        at::Tensor g = at::nll_loss_backward(one, logp, y, {}, at::Reduction::Mean, -100, total);
        g = at::_log_softmax_backward_data(g, logp, 1, at::kFloat);
        if (sample_weights_.defined()) {
          at::Tensor w = sample_weights_.index_select(0, here);
          g = g * w;
          loss = -(logp.gather(1, y.unsqueeze(1)) * w).mean();
        }

        if (sgd_.parts & FD_HEAD) head.backward(g, f);
        if (train_primary) primary.backward(head.to_features(g, FD_PRIMARY));
        if (network_.dual && train_secondary) secondary.backward(head.to_features(g, FD_SECONDARY));
        step();
        losses[epoch].add_(loss, static_cast<double>(b));
        engine.progress += b;
      }
    }
    losses.div_(static_cast<double>(job_.n));
    at::from_blob(job_.losses, {sgd_.epochs}, at::kDouble).copy_(losses);
  }

 private:
  void step() {
    for (auto [begin, end] : fd::trained_ranges(network_, sgd_.parts)) fd::sgd_step(state_, sgd_, begin, end);
  }

  const fd_network &network_;
  const fd_images &images_;
  const fd_job &job_;
  const fd_sgd &sgd_;
  at::Device device_;
  at::Tensor rows_;    // [n] int64 on the host: indices into the images
  at::Tensor labels_;  // [n] int64 on the device, after the label map
  at::Tensor sample_weights_;  // [n, 1] on the device, or undefined
  fd::State state_;
};

void check_state(const fd_network &network, const fd_vector *v, const char *what) {
  TORCH_CHECK(v != nullptr, what, " is closed");
  TORCH_CHECK(v->t.numel() == network.size(), what, " has ", v->t.numel(), " values; the network has ", network.size());
}

void check_images(const fd_network &network, const fd_images &images) {
  for (int i = 0; i < 3; i++)
    TORCH_CHECK(images.pixels.size(i + 1) == network.input[i], "images of ", images.pixels.sizes().slice(1),
                " for a network of input [", network.input[0], ", ", network.input[1], ", ", network.input[2], "]");
}

}  // namespace

extern "C" {

char *fd_engine_train(fd_engine *engine, const fd_network *network, const fd_images *images, const fd_job *jobs,
                      int64_t count, const fd_sgd *sgd) {
  return fd::guard([&] {
    check_images(*network, *images);
    TORCH_CHECK(sgd->batch >= 1, "a batch of ", sgd->batch, " samples");
    for (int64_t i = 0; i < count; i++) {
      fd::where.client = jobs[i].client;
      TORCH_CHECK(jobs[i].n >= 1, "no samples to train on");
      check_state(*network, jobs[i].start, "the start vector");
      check_state(*network, jobs[i].end, "the end vector");
      if (jobs[i].anchor != nullptr) check_state(*network, jobs[i].anchor, "the anchor");
      fd::check_rows(jobs[i].samples, jobs[i].n, images->pixels.size(0), "sample");
      fd::check_rows(jobs[i].order, jobs[i].n * sgd->epochs, jobs[i].n, "position");
    }
    fd::where.client = -1;
    // The longest first, so that no worker is left with a long one at the end.
    std::vector<int64_t> schedule(count);
    std::iota(schedule.begin(), schedule.end(), 0);
    std::stable_sort(schedule.begin(), schedule.end(), [&](int64_t a, int64_t b) { return jobs[a].n > jobs[b].n; });
    engine->parallel(schedule, [&](int64_t i) {
      fd::where.client = jobs[i].client;
      Training(*network, *images, jobs[i], *sgd).run(*engine);
    });
  });
}

char *fd_engine_predict(fd_engine *engine, const fd_network *network, const fd_images *images,
                        const fd_prediction *jobs, int64_t count) {
  return fd::guard([&] {
    check_images(*network, *images);
    struct Piece {
      int64_t job, begin, end;
    };
    std::vector<Piece> pieces;
    for (int64_t j = 0; j < count; j++) {
      check_state(*network, jobs[j].state, "the state vector");
      fd::check_rows(jobs[j].samples, jobs[j].n, images->pixels.size(0), "sample");
      for (int64_t begin = 0; begin < jobs[j].n; begin += kEvaluationBatch)
        pieces.push_back({j, begin, std::min(begin + kEvaluationBatch, jobs[j].n)});
    }
    std::vector<int64_t> schedule(pieces.size());
    std::iota(schedule.begin(), schedule.end(), 0);
    engine->parallel(schedule, [&](int64_t p) {
      TORCH_CHECK(!engine->cancelled, "cancelled");
      const Piece &piece = pieces[p];
      const fd_prediction &job = jobs[piece.job];
      const at::Tensor &weights = job.state->t;
      at::Tensor rows = fd::host_rows(job.samples + piece.begin, piece.end - piece.begin);
      at::Tensor x = fd::gather_images(*images, rows, false);
      at::Tensor f = fd::EncoderPass(*network, FD_PRIMARY, weights, at::Tensor(), false).evaluate(x);
      if (network->dual)
        f = at::cat({f, fd::EncoderPass(*network, FD_SECONDARY, weights, at::Tensor(), false).evaluate(x)}, 1);
      at::Tensor logp = at::_log_softmax(fd::HeadPass(*network, weights, at::Tensor()).forward(f), 1, false);
      at::Tensor y = mapped(images->labels.index_select(0, rows.to(images->labels.device())), job.label_map);
      at::Tensor loss = -logp.gather(1, y.unsqueeze(1)).squeeze(1);
      int64_t n = rows.numel();
      at::from_blob(job.losses + piece.begin, {n}, at::kFloat).copy_(loss);
      at::from_blob(job.classes + piece.begin, {n}, at::kByte).copy_(logp.argmax(1));
      auto put = [&](const at::Tensor &x, float *out) {
        if (out != nullptr) at::from_blob(out + piece.begin * x.size(1), x.sizes(), at::kFloat).copy_(x);
      };
      put(logp, job.log_probabilities);
      put(f, job.features);
    });
  });
}

}  // extern "C"
