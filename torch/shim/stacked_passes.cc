#include "stacked_passes.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string_view>
#include <utility>

#include "equal_encoders.h"
#include "stacked_encoder.h"

namespace fd {
namespace {

using Samples = std::string_view;  // the bytes of a model's samples

// The passes of models in descending order of their numbers of samples. A model shares the pass of one with more samples if its own
// samples are the first of these: the features of an image do not depend on the other images of a batch.
Passes share(const std::vector<int64_t> &encoders, const std::vector<Samples> &samples) {
  Passes p;
  std::map<std::pair<int64_t, Samples>, int64_t> known;
  for (size_t m = 0; m < samples.size(); m++) {
    std::pair<int64_t, Samples> key(encoders[m], samples[m]);
    auto at = known.lower_bound(key);  // samples that begin with these come first
    if (at == known.end() || at->first.first != key.first || at->first.second.substr(0, key.second.size()) != key.second) {
      at = known.emplace_hint(at, key, static_cast<int64_t>(p.first.size()));
      p.first.push_back(static_cast<int64_t>(m));
    }
    p.of.push_back(at->second);
  }
  return p;
}

at::Tensor indices(const std::vector<int64_t> &x) { return at::tensor(x, at::kLong); }

}  // namespace

StackedModels::StackedModels(const fd_network &network, std::vector<const fd_prediction *> models, const Schedule &schedule,
                             const at::TensorOptions &type, ConvMethods &methods)
    : network_(network), models_(std::move(models)), type_(type), methods_(methods) {
  std::vector<Passes> all = passes();
  std::vector<int64_t> places(models_.size());
  std::iota(places.begin(), places.end(), 0);
  // Without a shared pass, a row has all values of a model. Otherwise encoders and heads have rows of their own.
  bool shared = std::any_of(all.begin(), all.end(), [](const Passes &p) { return p.shared(); });
  heads_ = rows(places, shared ? network.head_begin() : 0, network.size());
  for (size_t e = 0; e < all.size(); e++) {
    Encoder encoder{network.encoders()[e], all[e], heads_, schedule.counts, {}, {}, {}};
    int64_t begin = network.encoder_begin(encoder.part);
    if (shared) encoder.rows = rows(all[e].first, begin, begin + network.encoder_size);
    if (all[e].shared()) {
      at::Tensor first = indices(all[e].first);
      encoder.host_counts = schedule.counts.index_select(1, first);
      encoder.slots = schedule.slots.index_select(1, first).to(type.device());
      encoder.counts = encoder.host_counts.to(type.device());
      encoder.of = indices(all[e].of).to(type.device());
    }
    encoders_.push_back(std::move(encoder));
  }
}

std::vector<Passes> StackedModels::passes() const {
  std::vector<Samples> samples;
  for (const fd_prediction *m : models_)
    samples.emplace_back(reinterpret_cast<const char *>(m->samples), m->n * sizeof(int32_t));
  std::vector<int> parts = network_.encoders();
  Passes same_images = share(std::vector<int64_t>(models_.size(), 0), samples);
  if (!same_images.shared()) return std::vector<Passes>(parts.size(), same_images);  // the encoders need not be compared
  std::vector<at::Tensor> encoders;
  for (int part : parts)
    for (const fd_prediction *m : models_) encoders.push_back(network_.encoder_of(part, m->state->t));
  std::vector<int64_t> numbers = number_equal(encoders);
  std::vector<Passes> passes;
  for (auto begin = numbers.begin(); begin != numbers.end(); begin += models_.size())
    passes.push_back(share({begin, begin + models_.size()}, samples));
  return passes;
}

Rows StackedModels::rows(const std::vector<int64_t> &models, int64_t begin, int64_t end) const {
  Rows r;
  r.begin = begin / kRowAlignment * kRowAlignment;
  r.weights = at::empty({static_cast<int64_t>(models.size()), row_stride(end - r.begin)}, type_.dtype(at::kFloat));
  for (size_t k = 0; k < models.size(); k++)
    r.weights[k].slice(0, begin - r.begin, end - r.begin).copy_(models_[models[k]]->state->t.slice(0, begin, end));
  r.compute = r.weights.to(type_);
  return r;
}

Stack StackedModels::stack(const Rows &rows, int64_t n, const Batch &batch) const {
  return Stack{rows.weights.slice(0, 0, n), rows.compute.slice(0, 0, n), at::Tensor(), batch, nullptr, &methods_, rows.begin};
}

at::Tensor StackedModels::features(int64_t step, int64_t models, const Batch &batch, StackImages &images,
                                   fd_engine &engine) const {
  std::vector<at::Tensor> f;
  for (const Encoder &e : encoders_) f.push_back(features(e, step, models, batch, images, engine));
  return f.size() == 1 ? f[0].contiguous() : at::cat(f, 2).contiguous();
}

at::Tensor StackedModels::features(const Encoder &e, int64_t step, int64_t models, const Batch &batch, StackImages &images,
                                   fd_engine &engine) const {
  const std::vector<int64_t> &first = e.passes.first;
  int64_t passes = std::lower_bound(first.begin(), first.end(), models) - first.begin();
  const int32_t *counts = e.host_counts.data_ptr<int32_t>() + step * e.host_counts.size(1);
  engine.encoded += std::accumulate(counts, counts + passes, int64_t{0});
  Stack s = stack(e.rows, passes, batch);
  if (!e.passes.shared()) return StackedEncoder(network_, e.part, s).evaluate(images);
  s.batch.slots = e.slots.data_ptr<int32_t>();
  s.batch.counts = e.counts.data_ptr<int32_t>();
  s.batch.capacity = static_cast<int>(e.counts.size(1));
  StackImages own = images.of(s.batch, passes);
  return StackedEncoder(network_, e.part, s).evaluate(own).index_select(0, e.of.slice(0, 0, models));
}

}  // namespace fd
