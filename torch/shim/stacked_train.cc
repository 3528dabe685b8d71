#include "stacked_train.h"

#include <numeric>

#include "guard.h"
#include "launch.h"
#include "stacked_encoder.h"
#include "stacked_linear.h"
#include "sweep.h"

namespace fd {
namespace {

constexpr int64_t kFirst = 2;     // steps that run before one is recorded: they set up libraries and choose kernels
constexpr int64_t kWorth = 4;     // replays that repay the recording
constexpr int64_t kTogether = 8;  // steps of a long graph: between two of its steps, the device does not wait for the host

std::vector<Load> loads_of(const std::vector<fd_job> &jobs, bool ordered) {
  std::vector<Load> loads;
  for (const fd_job &job : jobs) loads.push_back({job.n, ordered ? job.order : nullptr});
  return loads;
}

}  // namespace

bool TrainingShape::fits(const TrainingShape &c) const {
  return network == c.network && images == c.images && parts == c.parts && batch == c.batch && proximal == c.proximal &&
         weighted == c.weighted && epochs == c.epochs && clients >= c.clients && rows >= c.rows && steps >= c.steps;
}

TrainingShape shape_of(const fd_network &network, const fd_images &images, const std::vector<fd_job> &jobs,
                       const fd_sgd &sgd) {
  TrainingShape s{network.id, images.id, sgd.parts, sgd.batch, false, false, static_cast<int64_t>(jobs.size()), 0, 0, sgd.epochs};
  for (const fd_job &job : jobs) {
    s.proximal = s.proximal || job.proximal > 0;
    s.weighted = s.weighted || job.weights != nullptr;
    s.rows += job.n;
    s.steps = std::max(s.steps, (job.n + sgd.batch - 1) / sgd.batch * sgd.epochs);
  }
  return s;
}

StackedTraining::StackedTraining(const fd_network &network, const fd_images &images, const TrainingShape &shape,
                                 at::ScalarType type, ConvMethods &methods)
    : network_(network), network_life_(network.life), images_life_(images.life), shape_(shape), pixels_(images.pixels),
      byte_values_(images.table), host_labels_(images.host_labels), type_(type), device_(images.pixels.device()),
      methods_(methods) {
  auto floats = at::TensorOptions().dtype(at::kFloat).device(device_);
  auto ints = floats.dtype(at::kInt);
  int64_t stride = row_stride(network.size()), k = shape.clients;
  weights_ = at::zeros({k, stride}, floats);
  compute_ = type == at::kFloat ? weights_ : at::zeros({k, stride}, floats.dtype(type));
  grads_ = at::zeros({k, stride}, floats);
  momentum_ = at::zeros({k, stride}, floats);
  if (shape.proximal) anchor_ = at::zeros({k, stride}, floats);
  settings_ = at::zeros({3}, floats);
  mu_ = at::zeros({k}, floats);
  step_ = at::zeros({1}, floats.dtype(at::kLong));
  slots_ = at::full({shape.steps, k, shape.batch}, -1, ints);
  counts_ = at::zeros({shape.steps, k}, ints);
  images_ = at::zeros({shape.rows}, ints);
  labels_ = at::zeros({shape.rows}, ints);
  if (shape.weighted) sample_weights_ = at::ones({shape.rows}, floats);
  for (int part : {FD_PRIMARY, FD_SECONDARY})
    if (!trains(part) && (part == FD_PRIMARY || network.dual))
      features_[part == FD_SECONDARY] = at::zeros({shape.rows, network.features}, floats.dtype(type));
  seeds_ = at::zeros({k}, floats.dtype(at::kLong));
  per_epoch_ = at::ones({k}, ints);
  sizes_ = at::ones({k}, ints);
  losses_ = at::zeros({k, shape.epochs}, floats.dtype(at::kDouble));
}

void StackedTraining::run(const std::vector<fd_job> &jobs, const fd_sgd &sgd, fd_engine &engine) {
  Schedule schedule(loads_of(jobs, true), sgd.epochs, sgd.batch);
  load(jobs, sgd, schedule);
  for (int part : {FD_PRIMARY, FD_SECONDARY})
    if (features_[part == FD_SECONDARY].defined()) cache(part, sweep_of(loads_of(jobs, false)));
  steps(schedule, engine);
  finish(jobs, schedule);
}

// Uploads what the jobs bring, a client to each place of the schedule.
void StackedTraining::load(const std::vector<fd_job> &jobs, const fd_sgd &sgd, const Schedule &schedule) {
  std::vector<int32_t> images, labels;
  std::vector<float> sample_weights, mu;
  std::vector<int64_t> seeds;
  for (int64_t place = 0; place < schedule.clients(); place++) {
    const fd_job &job = jobs[schedule.client[place]];
    weights_[place].slice(0, 0, network_.size()).copy_(job.start->t);
    if (shape_.proximal) anchor_[place].slice(0, 0, network_.size()).copy_((job.anchor ? job.anchor : job.start)->t);
    mu.push_back(static_cast<float>(job.proximal));
    seeds.push_back(static_cast<int64_t>(job.seed));
    where.client = job.client;
    append_rows(job.samples, job.n, job.label_map, host_labels_, network_.classes, images, labels);
    if (shape_.weighted)
      for (int64_t i = 0; i < job.n; i++) sample_weights.push_back(job.weights ? job.weights[i] : 1.0f);
  }
  where.client = -1;
  momentum_.zero_();
  losses_.zero_();
  step_.zero_();
  upload(settings_, std::vector<float>{static_cast<float>(sgd.learning_rate), static_cast<float>(sgd.momentum),
                                       static_cast<float>(sgd.weight_decay)});
  upload(mu_, mu);
  upload(seeds_, seeds);
  upload(images_, images);
  upload(labels_, labels);
  if (shape_.weighted) upload(sample_weights_, sample_weights);
  int64_t steps = schedule.slots.size(0), clients = schedule.clients();
  upload(slots_.slice(0, 0, steps).slice(1, 0, clients), schedule.slots);
  upload(counts_.slice(0, 0, steps).slice(1, 0, clients), schedule.counts);
  upload(per_epoch_.slice(0, 0, clients), schedule.steps);
  upload(sizes_.slice(0, 0, clients), schedule.sizes);
}

Stack StackedTraining::stack(int64_t clients) const {
  Stack s;
  s.weights = weights_.slice(0, 0, clients);
  s.compute = compute_.slice(0, 0, clients);
  s.grads = grads_.slice(0, 0, clients);
  s.batch = Batch{reinterpret_cast<const i64 *>(step_.data_ptr<int64_t>()), slots_.data_ptr<int32_t>(),
                  counts_.data_ptr<int32_t>(), static_cast<int>(shape_.clients), static_cast<int>(shape_.batch)};
  s.seeds = reinterpret_cast<const u64 *>(seeds_.data_ptr<int64_t>());
  s.methods = &methods_;
  return s;
}

StackImages StackedTraining::images(const Batch &batch, int64_t clients) const {
  return StackImages(batch, clients, pixels_, byte_values_, images_, type_);
}

// The features of all samples under a frozen encoder: they do not change while the clients train.
void StackedTraining::cache(int part, const Schedule &schedule) {
  if (type_ != at::kFloat) compute_.copy_(weights_);
  const at::Tensor &table = features_[part == FD_SECONDARY];
  sweep(schedule, device_, [&](int64_t clients, const Batch &batch) {
    Stack s = stack(clients);
    s.batch = batch;
    StackImages x = images(batch, clients);
    at::Tensor f = StackedEncoder(network_, part, s).evaluate(x).contiguous();
    move_rows(FD_KERNEL_FOR(f, scatter_rows), batch, table, f, 0);
  });
}

void StackedTraining::steps(const Schedule &schedule, fd_engine &engine) {
  int64_t last = static_cast<int64_t>(schedule.active.size());
  const int32_t *counts = schedule.counts.data_ptr<int32_t>();
  for (int64_t s = 0, end = 0; s < last; s = end) {
    int64_t clients = schedule.active[s];
    while (end < last && schedule.active[end] == clients) end++;
    for (int64_t done = 0, n = 0; s + done < end; done += n) {
      TORCH_CHECK(!engine.cancelled, "cancelled");
      n = run_steps(clients, done, end - s);
      const int32_t *count = counts + (s + done) * schedule.clients();
      for (int64_t i = 0; i < n; i++, count += schedule.clients())
        engine.progress += std::accumulate(count, count + clients, int64_t{0});
    }
  }
}

// Runs one or more of the next steps of the first clients, and returns how many. done of all steps with these clients have run.
int64_t StackedTraining::run_steps(int64_t clients, int64_t done, int64_t all) {
  for (int64_t n : {kTogether, int64_t{1}}) {
    std::unique_ptr<Graph> &graph = graphs_[{clients, n}];
    if (!graph && done >= kFirst && all - done >= kWorth * n) {
      auto recorded = std::make_unique<Graph>(device_);
      recorded->capture([this, clients, n] {
        for (int64_t i = 0; i < n; i++) step(clients);
      });
      graph = std::move(recorded);
    }
    if (graph && all - done >= n) {
      graph->replay();
      return n;
    }
  }
  step(clients);
  return 1;
}

// One step of the first clients. It may be recorded: it reads and writes only what stays where it is.
void StackedTraining::step(int64_t clients) {
  Stack s = stack(clients);
  StackImages x = images(s.batch, clients);
  CrossEntropy loss{s.batch, nullptr, nullptr, labels_.data_ptr<int32_t>(),
                    shape_.weighted ? sample_weights_.data_ptr<float>() : nullptr, per_epoch_.data_ptr<int32_t>(),
                    sizes_.data_ptr<int32_t>(), losses_.data_ptr<double>(), static_cast<int>(network_.classes),
                    static_cast<int>(shape_.epochs)};
  Sgd sgd{s.weights.data_ptr<float>(), s.grads.data_ptr<float>(), momentum_.data_ptr<float>(),
          shape_.proximal ? anchor_.data_ptr<float>() : nullptr, mu_.data_ptr<float>(), settings_.data_ptr<float>(),
          weights_.stride(0), {0, 0, 0}, {0, 0, 0}, 0};
  FusedTraining fused(network_, shape_.parts, s);
  if (fused.possible()) fused.step(x, features_, loss, sgd);
  else step_by_layer(s, x, loss, sgd);
  step_.add_(1);
}

void StackedTraining::step_by_layer(const Stack &s, StackImages &x, CrossEntropy loss, Sgd sgd) {
  int64_t clients = s.clients();
  if (type_ != at::kFloat) s.compute.copy_(s.weights);
  StackedEncoder primary(network_, FD_PRIMARY, s), secondary(network_, FD_SECONDARY, s);
  StackedHead head(network_, s);
  Draw draw{0, 0};  // seeds and step are on the device
  at::Tensor f;
  if (!network_.dual && trains(FD_PRIMARY)) {
    f = primary.forward(x, draw);
  } else {
    f = at::empty({clients, shape_.batch, network_.head_inputs()}, compute_.options());
    for (int part : {FD_PRIMARY, FD_SECONDARY}) {
      int64_t begin = part == FD_SECONDARY ? network_.features : 0;
      const at::Tensor &table = features_[part == FD_SECONDARY];
      if (table.defined()) move_rows(FD_KERNEL_FOR(f, gather_rows), s.batch, table, f, begin);
      else if (part == FD_PRIMARY || network_.dual)
        f.slice(2, begin, begin + network_.features).copy_((part == FD_PRIMARY ? primary : secondary).forward(x, draw));
    }
  }
  at::Tensor logits = head.forward(f), g = at::empty_like(logits);
  loss.logits = logits.data_ptr();
  loss.grad = g.data_ptr();
  launch(device_, FD_KERNEL_FOR(logits, cross_entropy_step), clients, shape_.batch, loss);

  if (trains(FD_HEAD)) head.backward(g, f);
  if (trains(FD_PRIMARY)) primary.backward(head.to_features(g, FD_PRIMARY));
  if (network_.dual && trains(FD_SECONDARY)) secondary.backward(head.to_features(g, FD_SECONDARY));

  int64_t ranges = 0, moved = 0;
  for (auto [begin, end] : trained_ranges(network_, shape_.parts)) {
    if (begin == 0 && trains(FD_PRIMARY)) begin += primary.fused_step(sgd);
    else if (network_.dual && begin == network_.encoder_begin(FD_SECONDARY)) begin += secondary.fused_step(sgd);
    sgd.begin[ranges] = begin;
    sgd.size[ranges++] = end - begin;
    moved += end - begin;
  }
  sgd.chunks = chunks_of(moved);
  launch(device_, Kernel{"sgd_step", sgd_step}, clients * sgd.chunks, 0, sgd);
}

// Hands over the trained weights and the losses.
void StackedTraining::finish(const std::vector<fd_job> &jobs, const Schedule &schedule) {
  for (int64_t place = 0; place < schedule.clients(); place++)
    jobs[schedule.client[place]].end->t.copy_(weights_[place].slice(0, 0, network_.size()));
  // A sum is a number only if all of its terms are.
  at::Tensor finite = at::isfinite(weights_.slice(0, 0, schedule.clients()).slice(1, 0, network_.size()).sum(1));
  at::Tensor read = at::cat({losses_.slice(0, 0, schedule.clients()), finite.unsqueeze(1).to(at::kDouble)}, 1).cpu();
  for (int64_t place = 0; place < schedule.clients(); place++) {
    const fd_job &job = jobs[schedule.client[place]];
    const double *row = read.data_ptr<double>() + place * (shape_.epochs + 1);
    std::copy(row, row + shape_.epochs, job.losses);
    *job.finite = row[shape_.epochs] != 0;
  }
}

}  // namespace fd
