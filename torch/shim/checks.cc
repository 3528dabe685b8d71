#include "checks.h"

#include "guard.h"
#include "kernels.h"
#include "objective.h"

namespace fd {

static void check_state(const fd_network &network, const fd_vector *v, const char *what) {
  TORCH_CHECK(v != nullptr, what, " is closed");
  TORCH_CHECK(v->t.numel() == network.size(), what, " has ", v->t.numel(), " values; the network has ", network.size());
}

static void check_images(const fd_network &network, const fd_images &images) {
  for (int i = 0; i < 3; i++)
    TORCH_CHECK(images.pixels.size(i + 1) == network.input[i], "images of ", images.pixels.sizes().slice(1),
                " for a network of input [", network.input[0], ", ", network.input[1], ", ", network.input[2], "]");
}

void check_train(const fd_network &network, const fd_images &images, const fd_job *jobs, int64_t count,
                 const fd_sgd &sgd) {
  check_images(network, images);
  TORCH_CHECK(sgd.batch >= 1, "the batch has ", sgd.batch, " samples");
  for (int64_t i = 0; i < count; i++) {
    where.client = jobs[i].client;
    TORCH_CHECK(jobs[i].n >= 1, "no samples to train on");
    check_state(network, jobs[i].start, "the start vector");
    check_state(network, jobs[i].end, "the end vector");
    if (jobs[i].anchor != nullptr) check_state(network, jobs[i].anchor, "the anchor");
    check_objective(network, sgd, jobs[i]);
    check_rows(jobs[i].samples, jobs[i].n, images.pixels.size(0), "sample");
    check_rows(jobs[i].order, jobs[i].n * sgd.epochs, jobs[i].n, "position");
  }
  where.client = -1;
}

void check_predict(const fd_network &network, const fd_images &images, const fd_prediction *jobs, int64_t count) {
  check_images(network, images);
  for (int64_t i = 0; i < count; i++) {
    check_state(network, jobs[i].state, "the state vector");
    check_rows(jobs[i].samples, jobs[i].n, images.pixels.size(0), "sample");
  }
}

}  // namespace fd
