// One encoder of every client of a stack: the layers of encoder.h for [A, B, ...].
#pragma once

#include <memory>

#include "moves.h"
#include "stacked_conv.h"
#include "stacked_fused.h"
#include "stacked_linear.h"
#include "walk.h"

namespace fd {

class StackedEncoder : public Walk {
 public:
  StackedEncoder(const fd_network &network, int part, const Stack &stack);
  // The passes of Walk from a batch's images to features [A, B, F].
  at::Tensor evaluate(StackImages &images);
  at::Tensor forward(StackImages &images, const Draw &draw);
  void backward(const at::Tensor &grad);
  // Takes the step of SGD of the layers that are fused, behind backward. Returns the number of their values, which come first.
  int64_t fused_step(const Sgd &sgd);

 private:
  struct Kept {
    at::Tensor a, b, c;                 // what the layer's backward pass needs: input, output, statistics or positions
    std::unique_ptr<StackedConv> conv;  // a convolution keeps its own tensors
  };
  size_t together(const Step &step) const override { return step.block ? 3 : step.norm_relu || step.sum_relu ? 2 : 1; }
  size_t with_sum(const Step &step) const override { return step.sum_relu ? 1 : step.relu_sum ? 2 : 0; }
  at::Tensor ahead(const Step &step, const at::Tensor &x, const Draw *draw) override;
  at::Tensor back(const Step &step, const at::Tensor &grad) override;
  at::Tensor back_onto(const Step &step, const at::Tensor &grad, const at::Tensor &onto) override;
  at::Tensor ahead_to_sum(const Step &step, const at::Tensor &x, const at::Tensor &other, const Draw *draw) override;
  std::pair<at::Tensor, at::Tensor> back_from_sum(const Step &step, const at::Tensor &grad) override;
  // A norm with the ReLU that follows, and with the addition of other if it is defined. If no ReLU follows the norm, it is behind the
  // addition.
  at::Tensor norm(const Step &step, const at::Tensor &x, const at::Tensor &other, bool training, Kept &kept);
  // Returns the gradient of the input. If other_grad is not null, the layer has an addition, and it is set to the gradient of other.
  at::Tensor norm_back(const Step &step, const at::Tensor &grad, at::Tensor *other_grad);
  at::Tensor drop(const Step &step, const at::Tensor &x);
  at::Tensor vectors(const at::Tensor &of, int64_t offset, int64_t n) const { return stacked(of, begin_ + offset, {n}); }

  const Stack &s_;
  int64_t begin_;  // offset of the encoder in the rows of the stack
  std::vector<Kept> kept_;  // by layer
  FusedConvs fused_;        // the first layers, if the engine fuses them
  FusedLinear linear_;      // the others
};

// The linear classifier of every client.
class StackedHead {
 public:
  StackedHead(const fd_network &network, const Stack &stack)
      : network_(network), s_(stack), begin_(network.head_begin() - stack.begin) {}
  at::Tensor forward(const at::Tensor &features) const;  // [A, B, F or 2F] -> logits [A, B, classes]
  void backward(const at::Tensor &grad, const at::Tensor &features) const;
  // The gradient of an encoder's features: [A, B, classes] -> [A, B, F].
  at::Tensor to_features(const at::Tensor &grad, int part) const;

 private:
  at::Tensor weight(const at::Tensor &of) const;  // [A, classes, F or 2F]
  at::Tensor bias(const at::Tensor &of) const;    // [A, classes]
  const fd_network &network_;
  const Stack &s_;
  int64_t begin_;  // offset of the head in the rows of the stack
};

}  // namespace fd
