#include "objective.h"

#include "cosine.h"
#include "kernels.h"

namespace fd {

Loss cross_entropy(const at::Tensor &logp, const at::Tensor &y, const at::Tensor &one, const at::Tensor &weights) {
  // The loss uses PyTorch's own operators, because softmax minus one-hot does not give the same bits.
  auto [loss, total] = at::nll_loss_forward(logp, y, {}, at::Reduction::Mean, -100);
  at::Tensor g = at::nll_loss_backward(one, logp, y, {}, at::Reduction::Mean, -100, total);
  g = at::_log_softmax_backward_data(g, logp, 1, at::kFloat);
  if (!weights.defined()) return {loss, g, {}};
  return {-(logp.gather(1, y.unsqueeze(1)) * weights).mean(), g * weights, {}};
}

namespace {

at::Tensor one_hot(const at::Tensor &y, const at::Tensor &logp) {
  return at::zeros({y.size(0), logp.size(1)}, logp.options()).scatter_(1, y.unsqueeze(1), 1.0);
}

// FedMix: x~ = (1-lambda) x, with xbar and ybar one item of the shared means per step,
//   l1 = (1-lambda) mean CE(x~, y),  l2 = lambda mean CE(x~, ybar),  l3 = lambda <d l1 / d x~, xbar>
// l3 is the central difference of l1 at x~ + e xbar and x~ - e xbar, which needs no second derivatives: pass 0 has l1 and
// l2, passes 1 and 2 the two sides.
class Mix : public Objective {
 public:
  Mix(const fd_network &network, const fd_objective &o, const fd_job &job) : o_(o), job_(job) {
    images_ = o.images->t.view({-1, network.input[0], network.input[1], network.input[2]});
    labels_ = o.labels->t.view({-1, network.classes});
  }

  int64_t passes() const override { return 3; }

  at::Tensor input(const at::Tensor &x, int64_t pass) override {
    pass_ = pass;
    if (pass == 0) item_ = job_.mix[step_++];
    at::Tensor mixed = x * (1 - o_.lambda);
    return pass == 0 ? mixed : mixed.add(images_[item_], pass == 1 ? o_.epsilon : -o_.epsilon);
  }

  Loss loss(const at::Tensor &, const at::Tensor &logp, const at::Tensor &y) override {
    at::Tensor target = one_hot(y, logp);
    double scale = 1 / static_cast<double>(y.size(0));
    if (pass_ == 0)
      target = target * (1 - o_.lambda) + labels_[item_] * o_.lambda;
    else
      scale *= o_.lambda * (1 - o_.lambda) / (pass_ == 1 ? 2 * o_.epsilon : -2 * o_.epsilon);
    return {(logp * target).sum() * -scale, (logp.exp() * target.sum(1, true) - target) * scale, {}};
  }

 private:
  const fd_objective &o_;
  const fd_job &job_;
  at::Tensor images_, labels_;
  int64_t step_ = 0, item_ = 0, pass_ = 0;
};

// FedDAG's diversity regulariser (appendix A.11): lambda mean cos(phi1, phi2)^2.
class Diverse : public Objective {
 public:
  Diverse(const fd_objective &o, const at::TensorOptions &options) : o_(o), one_(at::ones({}, options)) {}

  at::Tensor input(const at::Tensor &x, int64_t) override { return x; }

  Loss loss(const at::Tensor &f, const at::Tensor &logp, const at::Tensor &y) override {
    Loss l = cross_entropy(logp, y, one_, {});
    int64_t half = f.size(1) / 2;
    at::Tensor u = f.slice(1, 0, half), v = f.slice(1, half);
    Cosine c(u, v);
    l.value = l.value + (c.value * c.value).mean() * o_.lambda;
    at::Tensor g = c.value * (2 * o_.lambda / static_cast<double>(f.size(0)));
    l.features = at::cat({c.left(g), c.right(g)}, 1);
    return l;
  }

 private:
  const fd_objective &o_;
  at::Tensor one_;
};

}  // namespace

std::unique_ptr<Objective> make_contrast(const fd_network &network, const fd_objective &o, const fd_job &job,
                                         EncoderPass &primary);

std::unique_ptr<Objective> make_objective(const fd_network &network, const fd_sgd &sgd, const fd_job &job,
                                          EncoderPass &primary) {
  switch (sgd.objective.kind) {
    case FD_PLAIN:
      return nullptr;
    case FD_MIX:
      return std::make_unique<Mix>(network, sgd.objective, job);
    case FD_CONTRAST:
      return make_contrast(network, sgd.objective, job, primary);
    case FD_DIVERSE:
      return std::make_unique<Diverse>(sgd.objective, job.start->t.options());
  }
  TORCH_CHECK(false, "unknown objective ", sgd.objective.kind);
}

void check_objective(const fd_network &network, const fd_sgd &sgd, const fd_job &job) {
  const fd_objective &o = sgd.objective;
  if (o.kind == FD_PLAIN) return;
  TORCH_CHECK(job.weights == nullptr, "sample weights can only be combined with the plain cross-entropy");
  TORCH_CHECK(sgd.rule == FD_STEP, "an objective other than the cross-entropy needs plain steps of SGD");
  if (o.kind == FD_DIVERSE) {
    TORCH_CHECK(network.dual, "the diversity of encoders needs a network with two encoders");
    return;
  }
  TORCH_CHECK(!network.dual && (sgd.parts & FD_PRIMARY) && (sgd.parts & FD_HEAD),
              "this objective needs a network of one encoder, all of it trained");
  int64_t pixels = network.input[0] * network.input[1] * network.input[2];
  TORCH_CHECK(o.images != nullptr && o.images->t.numel() > 0 && o.images->t.numel() % pixels == 0,
              "the objective's images are not whole images of the network's input");
  int64_t items = o.images->t.numel() / pixels;
  if (o.kind == FD_MIX) {
    TORCH_CHECK(o.labels != nullptr && o.labels->t.numel() == items * network.classes, "labels for ", items, " mean images");
    TORCH_CHECK(o.epsilon > 0, "the central difference has the width ", o.epsilon);
    TORCH_CHECK(job.mix != nullptr, "the items to mix are missing");
    check_rows(job.mix, sgd.epochs * ((job.n + sgd.batch - 1) / sgd.batch), items, "mixed item");
  }
  if (o.kind == FD_CONTRAST) {
    int64_t h = network.features, size = 8 * h * h + 5 * h;
    TORCH_CHECK(job.projection_start != nullptr && job.projection_end != nullptr, "the projection is closed");
    TORCH_CHECK(job.projection_start->t.numel() == size && job.projection_end->t.numel() == size, "the projection has ",
                job.projection_start->t.numel(), " values, not ", size);
  }
}

}  // namespace fd
