// The engine that trains and predicts for all clients of a cohort at once.
#pragma once

#include <ATen/ATen.h>

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "fd.h"
#include "handles.h"
#include "memory.h"
#include "network.h"
#include "stacked_train.h"
#include "conv_methods.h"
#include "workers.h"

struct fd_stacked {
  fd_stacked(const char *device, const fd_stacked_options &options);
  // The training of a phase. It is made once for its shapes, so that its recorded graphs are used in every round.
  fd::StackedTraining &training(const fd_network &network, const fd_images &images, const std::vector<fd_job> &jobs,
                                const fd_sgd &sgd);

  fd_engine worker;  // one thread
  at::Device device;
  at::ScalarType type;  // type of the activations
  fd::ConvMethods methods;
  std::shared_ptr<fd::Allocations> allocations = std::make_shared<fd::Allocations>();
  std::list<std::unique_ptr<fd::StackedTraining>> trainings;  // the latest first
};
