// FedBR's objective. Under a projection P, which is trained adversarially, it pushes the features of local images away from
// the features of shared pseudo-images, and keeps the latter close to their values under the received model.
#include "cosine.h"
#include "objective.h"

namespace fd {
namespace {

// P: [., h] -> 2h -> 2h -> h with ReLU between the layers. Weights and biases are stored one after another in a flat vector.
class Projection {
 public:
  Projection(const at::Tensor &flat, int64_t h) : flat_(flat), grads_(at::zeros_like(flat)) {
    int64_t widths[4] = {h, 2 * h, 2 * h, h}, begin = 0;
    for (int i = 0; i < 3; i++) {
      for (auto [to, from] : {std::pair{&w_[i], &flat_}, std::pair{&gw_[i], &grads_}})
        *to = from->slice(0, begin, begin + widths[i + 1] * widths[i]).view({widths[i + 1], widths[i]});
      begin += widths[i + 1] * widths[i];
      b_[i] = flat_.slice(0, begin, begin + widths[i + 1]);
      gb_[i] = grads_.slice(0, begin, begin + widths[i + 1]);
      begin += widths[i + 1];
    }
  }

  at::Tensor forward(const at::Tensor &x) {
    in_[0] = x;
    in_[1] = at::relu(at::addmm(b_[0], x, w_[0].t()));
    in_[2] = at::relu(at::addmm(b_[1], in_[1], w_[1].t()));
    return at::addmm(b_[2], in_[2], w_[2].t());
  }

  // Returns the gradient of the input. The gradient of the parameters is stored in this object.
  at::Tensor backward(at::Tensor g) {
    for (int i = 2; i >= 0; i--) {
      gw_[i].copy_(at::mm(g.t(), in_[i]));
      gb_[i].copy_(g.sum(0));
      g = at::mm(g, w_[i]);
      if (i > 0) g = at::threshold_backward(g, in_[i], 0);
    }
    return g;
  }

  void ascend(double rate) { flat_.add_(grads_, rate); }

 private:
  at::Tensor flat_, grads_, w_[3], b_[3], gw_[3], gb_[3], in_[3];
};

class Contrast : public Objective {
 public:
  Contrast(const fd_network &network, const fd_objective &o, const fd_job &job, EncoderPass &primary)
      : o_(o), projection_(start_of(job), network.features) {
    pseudo_ = o.images->t.view({-1, network.input[0], network.input[1], network.input[2]});
    global_ = primary.evaluate(pseudo_);  // under the received weights, computed once
  }

  at::Tensor input(const at::Tensor &x, int64_t) override { return at::cat({x, pseudo_}); }

  Loss loss(const at::Tensor &f, const at::Tensor &logp, const at::Tensor &y) override {
    int64_t b = y.size(0), p = pseudo_.size(0), classes = logp.size(1);
    rows_ = at::arange(b, y.options()).remainder(p);  // local row r is paired with pseudo row r mod p
    at::Tensor z = f.slice(0, 0, b), zp = f.slice(0, b).index_select(0, rows_), zg = global_.index_select(0, rows_);

    // Step A: gradient ascent of the projection on the contrastive loss, with fixed features.
    contrast(zp, zg, z);
    projection_.ascend(o_.rate);
    // Step B: gradients of the features, with a fixed projection.
    auto [value, g] = contrast(zp, zg, z);
    at::Tensor gp = at::zeros({p, f.size(1)}, f.options()).index_add_(0, rows_, g.slice(0, 0, b));
    at::Tensor features = at::cat({g.slice(0, 2 * b), gp}) * o_.mu;

    at::Tensor hard = at::zeros({b, classes}, logp.options()).scatter_(1, y.unsqueeze(1), 1.0);
    at::Tensor here = logp.slice(0, 0, b), there = logp.slice(0, b);
    at::Tensor loss = -(here * hard).sum() / static_cast<double>(b) - there.mean() * o_.lambda + value * o_.mu;
    at::Tensor uniform = (there.exp() - 1.0 / static_cast<double>(classes)) * (o_.lambda / static_cast<double>(p));
    return {loss, at::cat({(here.exp() - hard) / static_cast<double>(b), uniform}), features};
  }

 private:
  static at::Tensor start_of(const fd_job &job) {
    job.projection_end->t.copy_(job.projection_start->t);
    return job.projection_end->t;
  }

  // L_con = mean softplus(tau2 cos(P zp, P z) - tau1 cos(P zp, P zg)), and its gradient with respect to [zp; zg; z]. The
  // gradient of the projection is stored in the projection.
  std::pair<at::Tensor, at::Tensor> contrast(const at::Tensor &zp, const at::Tensor &zg, const at::Tensor &z) {
    int64_t b = z.size(0);
    at::Tensor out = projection_.forward(at::cat({zp, zg, z}));
    at::Tensor a = out.slice(0, 0, b);
    Cosine near(a, out.slice(0, b, 2 * b)), far(a, out.slice(0, 2 * b));
    at::Tensor d = far.value * o_.tau2 - near.value * o_.tau1, q = at::sigmoid(d) / static_cast<double>(b);
    at::Tensor gn = q * -o_.tau1, gf = q * o_.tau2;
    at::Tensor g = projection_.backward(at::cat({near.left(gn) + far.left(gf), near.right(gn), far.right(gf)}));
    return {at::softplus(d).mean(), g};
  }

  const fd_objective &o_;
  Projection projection_;
  at::Tensor pseudo_, global_, rows_;
};

}  // namespace

std::unique_ptr<Objective> make_contrast(const fd_network &network, const fd_objective &o, const fd_job &job,
                                         EncoderPass &primary) {
  return std::make_unique<Contrast>(network, o, job, primary);
}

}  // namespace fd
