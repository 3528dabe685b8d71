// One encoder on one state vector, with the forward and backward pass of each layer written by hand: no
// autograd.
#pragma once

#include "block.h"
#include "walk.h"

namespace fd {

class EncoderPass : public Walk {
 public:
  // weights and grads are flat vectors of the whole network; grads may be undefined if nothing is trained. Images are [b, C,
  // H, W], features [b, F].
  EncoderPass(const fd_network &network, int part, const at::Tensor &weights, const at::Tensor &grads, bool plain);

 private:
  struct Kept {
    at::Tensor a, b, c;  // what the layer's backward pass needs: input, output, statistics or indices
    Block block{};       // for a convolution that runs as a block
  };
  bool as_one(const Step &step) const;  // a convolution with the following ReLU and maximum
  size_t together(const Step &step) const override { return as_one(step) ? 3 : 1; }
  at::Tensor ahead(const Step &step, const at::Tensor &x, const Draw *draw) override;
  at::Tensor back(const Step &step, const at::Tensor &grad) override;
  at::Tensor batch_norm(const fd_layer &l, const at::Tensor &x, bool training, Kept &kept);
  void keep_gradients(const fd_layer &l, const at::Tensor &weight, const at::Tensor &bias);

  at::Tensor weights_, grads_;  // this encoder's range
  bool plain_;
  std::vector<Kept> kept_;  // by layer
};

}  // namespace fd
