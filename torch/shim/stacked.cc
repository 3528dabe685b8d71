#include "stacked.h"

#include "checks.h"
#include "cuda_kernels.h"
#include "device.h"
#include "guard.h"
#include "stacked_predict.h"

fd_stacked::fd_stacked(const char *name, const fd_stacked_options &o)
    : worker(name, 1, o.precision == FD_TF32, o.deterministic != 0), device(name), type(o.precision == FD_BF16 ? at::kBFloat16 : at::kFloat),
      methods(static_cast<fd::ConvMethod>(o.method), device.is_cuda() && o.deterministic == 0, o.general == 0, o.fused != 0,
              o.precision == FD_TF32) {}

fd::StackedTraining &fd_stacked::training(const fd_network &network, const fd_images &images,
                                          const std::vector<fd_job> &jobs, const fd_sgd &sgd) {
  constexpr size_t kKept = 4;  // the phases of a round, and the last one's larger cohorts
  fd::TrainingShape shape = fd::shape_of(network, images, jobs, sgd);
  // The pixels of images that were closed are freed here.
  trainings.remove_if([](const auto &t) { return !t->serves(); });
  for (auto t = trainings.begin(); t != trainings.end(); ++t)
    if ((*t)->shape().fits(shape)) {
      trainings.splice(trainings.begin(), trainings, t);
      return *trainings.front();
    }
  if (trainings.size() >= kKept) trainings.pop_back();
  trainings.push_front(std::make_unique<fd::StackedTraining>(network, images, shape, type, methods));
  return *trainings.front();
}

extern "C" {

char *fd_stacked_new(const char *device, const fd_stacked_options *options, fd_stacked **out) {
  return fd::guard([&] {
    fd::set_math(options->precision == FD_TF32, options->deterministic != 0);
    fd::check_device(c10::Device{std::string(device)});
    *out = new fd_stacked(device, *options);
  });
}

void fd_stacked_close(fd_stacked *stacked) { delete stacked; }

fd_engine *fd_stacked_worker(fd_stacked *stacked) { return &stacked->worker; }

char *fd_stacked_train(fd_stacked *stacked, const fd_network *network, const fd_images *images, const fd_job *jobs,
                       int64_t count, const fd_sgd *sgd) {
  return fd::guard([&] {
    fd::check_train(*network, *images, jobs, count, *sgd);
    stacked->worker.parallel({0}, [&](int64_t) {
      fd::Watching watching(stacked->allocations);
      fd::OwnStream stream(stacked->device);
      std::vector<fd_job> all(jobs, jobs + count);
      stacked->training(*network, *images, all, *sgd).run(all, *sgd, stacked->worker);
    });
  });
}

char *fd_stacked_predict(fd_stacked *stacked, const fd_network *network, const fd_images *images,
                         const fd_prediction *jobs, int64_t count) {
  return fd::guard([&] {
    fd::check_predict(*network, *images, jobs, count);
    stacked->worker.parallel({0}, [&](int64_t) {
      fd::Watching watching(stacked->allocations);
      fd::OwnStream stream(stacked->device);
      fd::predict_stacked(*network, *images, std::vector<fd_prediction>(jobs, jobs + count), stacked->type,
                          stacked->methods, stacked->worker);
    });
  });
}

int64_t fd_stacked_peak(const fd_stacked *stacked) { return stacked->allocations->peak; }

char *fd_stacked_trim(fd_stacked *stacked) {
  return fd::guard([&] {
    stacked->worker.parallel({0}, [&](int64_t) {
      fd::Watching watching(stacked->allocations);
      stacked->trainings.clear();
      stacked->methods.forget();  // what had no room then may have it now
      fd::recover(stacked->device);
    });
  });
}

char *fd_stacked_report(const fd_stacked *stacked, char **text) {
  return fd::guard([&] { *text = strdup(stacked->methods.report().c_str()); });
}

char *fd_kernels_compile(const char *architecture, int bf16, int64_t *bytes) {
  return fd::guard([&] { *bytes = fd::cuda_compile(architecture, bf16 != 0); });
}

}  // extern "C"
