// Calls of the engine. Jobs are checked and then run, one at a time per worker.
#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

#include "checks.h"
#include "encoder.h"
#include "fd.h"
#include "guard.h"
#include "head.h"
#include "kernels.h"
#include "network.h"
#include "training.h"
#include "workers.h"

extern "C" {

char *fd_engine_train(fd_engine *engine, const fd_network *network, const fd_images *images, const fd_job *jobs,
                      int64_t count, const fd_sgd *sgd) {
  return fd::guard([&] {
    fd::check_train(*network, *images, jobs, count, *sgd);
    // The longest jobs come first, so that no long job runs alone at the end.
    std::vector<int64_t> schedule(count);
    std::iota(schedule.begin(), schedule.end(), 0);
    std::stable_sort(schedule.begin(), schedule.end(), [&](int64_t a, int64_t b) { return jobs[a].n > jobs[b].n; });
    engine->parallel(schedule, [&](int64_t i) {
      fd::where.client = jobs[i].client;
      fd::Training(*network, *images, jobs[i], *sgd).run(*engine);
    });
  });
}

char *fd_engine_predict(fd_engine *engine, const fd_network *network, const fd_images *images,
                        const fd_prediction *jobs, int64_t count) {
  return fd::guard([&] {
    fd::check_predict(*network, *images, jobs, count);
    struct Piece {
      int64_t job, begin, end;
    };
    std::vector<Piece> pieces;
    for (int64_t j = 0; j < count; j++) {
      for (int64_t begin = 0; begin < jobs[j].n; begin += fd::kEvaluationBatch)
        pieces.push_back({j, begin, std::min(begin + fd::kEvaluationBatch, jobs[j].n)});
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
      at::Tensor y = fd::mapped_labels(images->labels.index_select(0, rows.to(images->labels.device())), job.label_map);
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
