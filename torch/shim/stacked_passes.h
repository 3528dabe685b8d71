// The models of a stack in predictions. Models with equal encoders for the same images share the pass through the encoder.
#pragma once

#include <vector>

#include "fd.h"
#include "moves.h"
#include "schedule.h"
#include "stack.h"
#include "workers.h"

namespace fd {

// Which models share a pass through one of their encoders. Models are numbered by their place in the stack.
struct Passes {
  std::vector<int64_t> first;  // by pass: the first of its models, ascending
  std::vector<int64_t> of;     // by model: its pass

  bool shared() const { return first.size() < of.size(); }
};

// A range of the values of some models. They are aligned as in rows with all values, on which the bits of a product may depend.
struct Rows {
  at::Tensor weights, compute;  // float32 and in the type of the activations, [models, stride]
  int64_t begin = 0;            // position of the first value of a row in a model's vector
};

class StackedModels {
 public:
  // models: at each place of the schedule. type: device of the rows, and type of the activations.
  StackedModels(const fd_network &network, std::vector<const fd_prediction *> models, const Schedule &schedule,
                const at::TensorOptions &type, ConvMethods &methods);
  // The features of a step's batch of the first models, [models, B, F or 2F]. images are the images of these models. Adds the
  // number of images in the passes to the engine's.
  at::Tensor features(int64_t step, int64_t models, const Batch &batch, StackImages &images, fd_engine &engine) const;
  // The stack of the first models for their heads.
  Stack heads(int64_t models, const Batch &batch) const { return stack(heads_, models, batch); }

 private:
  struct Encoder {
    int part;
    Passes passes;
    Rows rows;                 // by pass
    at::Tensor host_counts;    // [steps, passes]: number of slots in use
    at::Tensor slots, counts;  // on the device: [steps, passes, B] and [steps, passes]; defined if passes are shared
    at::Tensor of;             // on the device: passes.of; defined if passes are shared
  };
  std::vector<Passes> passes() const;  // by encoder
  Rows rows(const std::vector<int64_t> &models, int64_t begin, int64_t end) const;
  Stack stack(const Rows &rows, int64_t n, const Batch &batch) const;
  at::Tensor features(const Encoder &encoder, int64_t step, int64_t models, const Batch &batch, StackImages &images,
                      fd_engine &engine) const;

  const fd_network &network_;
  std::vector<const fd_prediction *> models_;
  at::TensorOptions type_;
  ConvMethods &methods_;
  Rows heads_;  // by model
  std::vector<Encoder> encoders_;
};

}  // namespace fd
