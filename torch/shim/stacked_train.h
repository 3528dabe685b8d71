// Local trainings of a stack of clients, all at once.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "fd.h"
#include "graph.h"
#include "handles.h"
#include "moves.h"
#include "network.h"
#include "schedule.h"
#include "stack.h"
#include "workers.h"

namespace fd {

// The shapes for which a training is made. It serves all calls that fit.
struct TrainingShape {
  int64_t network, images;  // ids of the network and the images
  int32_t parts;
  int64_t batch;
  bool proximal, weighted;
  int64_t clients, rows, steps, epochs;  // largest numbers that the training supports
  bool fits(const TrainingShape &call) const;
};
TrainingShape shape_of(const fd_network &network, const fd_images &images, const std::vector<fd_job> &jobs,
                       const fd_sgd &sgd);

class StackedTraining {
 public:
  StackedTraining(const fd_network &network, const fd_images &images, const TrainingShape &shape, at::ScalarType type,
                  ConvMethods &methods);
  // Trains all jobs. The host waits for the device at the end.
  void run(const std::vector<fd_job> &jobs, const fd_sgd &sgd, fd_engine &engine);
  const TrainingShape &shape() const { return shape_; }
  // Whether the network and the images still exist. Otherwise no call can use this training, and it only holds memory.
  bool serves() const { return !network_life_.expired() && !images_life_.expired(); }

 private:
  void load(const std::vector<fd_job> &jobs, const fd_sgd &sgd, const Schedule &schedule);
  void cache(int part, const Schedule &schedule);
  void steps(const Schedule &schedule, fd_engine &engine);
  int64_t run_steps(int64_t clients, int64_t done, int64_t all);
  void step(int64_t clients);
  void step_by_layer(const Stack &stack, StackImages &images, CrossEntropy loss, Sgd sgd);
  void finish(const std::vector<fd_job> &jobs, const Schedule &schedule);
  Stack stack(int64_t clients) const;
  StackImages images(const Batch &batch, int64_t clients) const;
  bool trains(int part) const { return shape_.parts & part; }

  const fd_network &network_;
  std::weak_ptr<void> network_life_, images_life_;
  TrainingShape shape_;
  at::Tensor pixels_, byte_values_, host_labels_;  // the images' pixels, values of bytes and labels
  at::ScalarType type_;
  at::Device device_;
  ConvMethods &methods_;
  // Graphs, by the number of clients with steps left and the number of steps.
  std::map<std::pair<int64_t, int64_t>, std::unique_ptr<Graph>> graphs_;

  // The memory that recorded steps use.
  at::Tensor weights_, compute_, grads_, momentum_, anchor_;  // [clients, stride]
  at::Tensor settings_, mu_;                                  // settings of SGD
  at::Tensor step_, slots_, counts_;                          // step, slots and counts of the batches
  at::Tensor images_, labels_, sample_weights_;               // by row
  at::Tensor features_[2];                                    // by row, of a frozen encoder
  at::Tensor seeds_, per_epoch_, sizes_, losses_;             // by client
};

}  // namespace fd
