// One client's local training.
#pragma once

#include <ATen/ATen.h>

#include <memory>

#include "encoder.h"
#include "fd.h"
#include "head.h"
#include "kernels.h"
#include "objective.h"
#include "workers.h"

namespace fd {

constexpr int64_t kEvaluationBatch = 128;  // larger batches do not fit into the cache

// Labels after a client's label map, as int64. map may be NULL.
at::Tensor mapped_labels(const at::Tensor &labels, const uint8_t *map);

class Training {
 public:
  Training(const fd_network &network, const fd_images &images, const fd_job &job, const fd_sgd &sgd);
  void run(fd_engine &engine);

 private:
  // Writes the gradient of the loss on a batch, given by positions in the samples (on the host), into state_.grads, and
  // adds the loss to the epoch's.
  void pass(const at::Tensor &positions);
  // Does the same for the network's input x of the samples at the positions here (on the device).
  void backward(const at::Tensor &x, const at::Tensor &here);
  void step(const fd_sgd &sgd);  // makes a step with state_.grads

  using Batch = std::function<at::Tensor(int64_t)>;  // the k-th batch of an epoch
  void epoch_whole(int64_t count, const Batch &batch);
  void epoch_meta(int64_t count, const Batch &batch);

  bool trains(int part) const { return sgd_.parts & part; }

  const fd_network &network_;
  const fd_images &images_;
  const fd_job &job_;
  const fd_sgd &sgd_;
  fd_engine *engine_ = nullptr;
  at::Device device_;
  at::Tensor rows_;            // [n] int64 on the host: indices into the images
  at::Tensor labels_;          // [n] int64 on the device, after the label map
  at::Tensor sample_weights_;  // [n, 1] on the device, or undefined
  State state_;
  std::unique_ptr<EncoderPass> primary_, secondary_;
  std::unique_ptr<HeadPass> head_;
  std::unique_ptr<Objective> objective_;
  at::Tensor frozen_primary_, frozen_secondary_;  // [n, F] features under a frozen encoder, or undefined
  Draw draw_{0, 0};
  at::Tensor one_, loss_;  // sum of the losses of the epoch's samples so far, and their number
  int64_t seen_ = 0;
};

}  // namespace fd
