// Objectives that a method adds to the cross-entropy of a batch, with hand-written gradients.
#pragma once

#include <ATen/ATen.h>

#include <memory>

#include "encoder.h"
#include "fd.h"

namespace fd {

// A batch's loss, and its gradients.
struct Loss {
  at::Tensor value;     // scalar
  at::Tensor logits;    // [rows, classes]
  at::Tensor features;  // [rows, the head's inputs]: the part that does not pass through the head; may be undefined
};

// The mean cross-entropy, each sample weighted ([b, 1]) if weights are defined.
Loss cross_entropy(const at::Tensor &logp, const at::Tensor &y, const at::Tensor &one, const at::Tensor &weights);

class Objective {
 public:
  virtual ~Objective() = default;
  // The number of passes for a batch. Their losses and gradients are added.
  virtual int64_t passes() const { return 1; }
  // The network's input in a pass: x, [b, C, H, W], or other images, or additional rows. Each call is followed by one call of
  // loss.
  virtual at::Tensor input(const at::Tensor &x, int64_t pass) = 0;
  // f: features [rows, .], logp: [rows, classes], y: labels [b].
  virtual Loss loss(const at::Tensor &f, const at::Tensor &logp, const at::Tensor &y) = 0;
};

// The objective of a job; NULL is the plain cross-entropy. primary holds the initial weights of the job.
std::unique_ptr<Objective> make_objective(const fd_network &network, const fd_sgd &sgd, const fd_job &job,
                                          EncoderPass &primary);
// Throws unless the objective fits the network and the job.
void check_objective(const fd_network &network, const fd_sgd &sgd, const fd_job &job);

}  // namespace fd
