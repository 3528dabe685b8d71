// The predictions of the serial engine. The features of a batch of images under equal encoders are computed once.
#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "checks.h"
#include "encoder.h"
#include "equal_encoders.h"
#include "fd.h"
#include "guard.h"
#include "head.h"
#include "kernels.h"
#include "network.h"
#include "training.h"
#include "workers.h"

namespace fd {
namespace {

// The features of a batch of images under one encoder.
struct Features {
  const at::Tensor *weights = nullptr;  // a state that contains the encoder
  int part = 0;                         // the encoder's part of this state
  const int32_t *samples = nullptr;     // [n]
  int64_t n = 0, users = 0;             // users is the number of models that need the features
  at::Tensor values;                    // [n, F]; defined once they are computed ahead for several users
};

// A batch of a job, with the features under each of its encoders.
struct Piece {
  const fd_prediction *job;
  int64_t begin, n;
  std::vector<Features *> features;
};

class Predictions {
 public:
  Predictions(const fd_network &network, const fd_images &images, const fd_prediction *jobs, int64_t count)
      : network_(network), images_(images) {
    std::vector<at::Tensor> encoders;
    for (int64_t j = 0; j < count; j++)
      for (int part : network.encoders()) encoders.push_back(network.encoder_of(part, jobs[j].state->t));
    std::vector<int64_t> numbers = number_equal(encoders);
    auto next = numbers.begin();
    for (int64_t j = 0; j < count; j++, next += network.encoders().size()) add(jobs[j], &*next);
  }

  // Computes first the features with several users, and then each piece. The features with several users are held until the
  // end: 4 F bytes per image and shared encoder, which is 3.4 MB for 10,000 images and lenet.
  void run(fd_engine &engine) {
    std::vector<Features *> shared;
    for (auto &entry : features_)
      if (entry.second.users > 1) shared.push_back(&entry.second);
    each(engine, shared.size(), [&](int64_t i) {
      Features &f = *shared[i];
      f.values = encode(engine, f, gather_images(images_, host_rows(f.samples, f.n), false));
    });
    each(engine, pieces_.size(), [&](int64_t i) { predict(engine, pieces_[i]); });
  }

 private:
  // encoders: the number of each encoder of the model.
  void add(const fd_prediction &job, const int64_t *encoders) {
    // Features are only shared for exactly the same batch, because the bits of a product depend on the number of its rows.
    for (int64_t begin = 0; begin < job.n; begin += kEvaluationBatch) {
      Piece piece{&job, begin, std::min(kEvaluationBatch, job.n - begin), {}};
      const int32_t *samples = job.samples + begin;
      std::string_view batch(reinterpret_cast<const char *>(samples), piece.n * sizeof(int32_t));
      const int64_t *encoder = encoders;
      for (int part : network_.encoders()) {
        Features &f = features_[{*encoder++, batch}];
        if (f.users++ == 0) {
          f.weights = &job.state->t;
          f.part = part;
          f.samples = samples;
          f.n = piece.n;
        }
        piece.features.push_back(&f);
      }
      pieces_.push_back(std::move(piece));
    }
  }

  template <typename Body>
  static void each(fd_engine &engine, size_t count, const Body &body) {
    std::vector<int64_t> schedule(count);
    std::iota(schedule.begin(), schedule.end(), 0);
    engine.parallel(schedule, [&](int64_t i) {
      TORCH_CHECK(!engine.cancelled, "cancelled");
      body(i);
    });
  }

  at::Tensor encode(fd_engine &engine, const Features &f, const at::Tensor &images) const {
    engine.encoded += f.n;
    return EncoderPass(network_, f.part, *f.weights, at::Tensor(), false).evaluate(images);
  }

  void predict(fd_engine &engine, const Piece &piece) const {
    const fd_prediction &job = *piece.job;
    at::Tensor rows = host_rows(job.samples + piece.begin, piece.n), x;
    std::vector<at::Tensor> encoded;
    for (const Features *f : piece.features) {
      if (!f->values.defined() && !x.defined()) x = gather_images(images_, rows, false);
      encoded.push_back(f->values.defined() ? f->values : encode(engine, *f, x));
    }
    at::Tensor f = network_.dual ? at::cat(encoded, 1) : encoded[0];
    at::Tensor logp = at::_log_softmax(HeadPass(network_, job.state->t, at::Tensor()).forward(f), 1, false);
    at::Tensor y = mapped_labels(images_.labels.index_select(0, rows.to(images_.labels.device())), job.label_map);
    at::Tensor loss = -logp.gather(1, y.unsqueeze(1)).squeeze(1);
    at::from_blob(job.losses + piece.begin, {piece.n}, at::kFloat).copy_(loss);
    at::from_blob(job.classes + piece.begin, {piece.n}, at::kByte).copy_(logp.argmax(1));
    auto put = [&](const at::Tensor &x, float *out) {
      if (out != nullptr) at::from_blob(out + piece.begin * x.size(1), x.sizes(), at::kFloat).copy_(x);
    };
    put(logp, job.log_probabilities);
    put(f, job.features);
  }

  const fd_network &network_;
  const fd_images &images_;
  std::map<std::pair<int64_t, std::string_view>, Features> features_;  // by the encoder's number and the batch
  std::vector<Piece> pieces_;
};

}  // namespace
}  // namespace fd

extern "C" {

char *fd_engine_predict(fd_engine *engine, const fd_network *network, const fd_images *images,
                        const fd_prediction *jobs, int64_t count) {
  return fd::guard([&] {
    fd::check_predict(*network, *images, jobs, count);
    fd::Predictions(*network, *images, jobs, count).run(*engine);
  });
}

}  // extern "C"
