// The trainings of the serial engine. Jobs are checked and then run, one at a time per worker.
#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

#include "checks.h"
#include "fd.h"
#include "guard.h"
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

}  // extern "C"
