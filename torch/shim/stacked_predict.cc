#include "stacked_predict.h"

#include "moves.h"
#include "stacked_encoder.h"
#include "stacked_passes.h"
#include "sweep.h"

namespace fd {

void predict_stacked(const fd_network &network, const fd_images &images, const std::vector<fd_prediction> &jobs,
                     at::ScalarType type, ConvMethods &methods, fd_engine &engine) {
  std::vector<Load> loads;
  for (const fd_prediction &job : jobs) loads.push_back({job.n, nullptr});
  at::Device device = images.pixels.device();
  Schedule schedule = sweep_of(loads);
  auto floats = at::TensorOptions().dtype(at::kFloat).device(device);

  std::vector<const fd_prediction *> models;  // by place
  std::vector<int32_t> image_of, label_of;
  bool log_probabilities = false, features = false;
  for (int64_t place = 0; place < schedule.clients(); place++) {
    const fd_prediction &job = jobs[schedule.client[place]];
    models.push_back(&job);
    append_rows(job.samples, job.n, job.label_map, images.host_labels, network.classes, image_of, label_of);
    log_probabilities = log_probabilities || job.log_probabilities != nullptr;
    features = features || job.features != nullptr;
  }
  at::Tensor rows_image = at::empty({schedule.rows}, floats.dtype(at::kInt)), rows_label = at::empty_like(rows_image);
  upload(rows_image, image_of);
  upload(rows_label, label_of);

  // What the device finds, by row.
  at::Tensor classes = at::empty({schedule.rows}, floats.dtype(at::kByte)), losses = at::empty({schedule.rows}, floats);
  at::Tensor logp, seen;
  if (log_probabilities) logp = at::empty({schedule.rows, network.classes}, floats);
  if (features) seen = at::empty({schedule.rows, network.head_inputs()}, floats.dtype(type));

  StackedModels stacked(network, models, schedule, floats.dtype(type), methods);
  int64_t step = 0;
  sweep(schedule, device, [&](int64_t clients, const Batch &batch) {
    TORCH_CHECK(!engine.cancelled, "cancelled");
    StackImages x(batch, clients, images.pixels, images.table, rows_image, type);
    at::Tensor f = stacked.features(step++, clients, batch, x, engine);
    Stack s = stacked.heads(clients, batch);
    at::Tensor logits = StackedHead(network, s).forward(f);
    Score a{batch, logits.data_ptr(), rows_label.data_ptr<int32_t>(), classes.data_ptr<uint8_t>(),
            losses.data_ptr<float>(), log_probabilities ? logp.data_ptr<float>() : nullptr,
            static_cast<int>(network.classes)};
    launch(device, FD_KERNEL_FOR(logits, score), clients, 0, a);
    if (features) move_rows(FD_KERNEL_FOR(f, scatter_rows), batch, seen, f, 0);
  });

  classes = classes.cpu();
  losses = losses.cpu();
  if (log_probabilities) logp = logp.cpu();
  if (features) seen = seen.to(at::kFloat).cpu();
  for (int64_t place = 0; place < schedule.clients(); place++) {
    const fd_prediction &job = jobs[schedule.client[place]];
    int64_t begin = schedule.first[place];
    auto hand_over = [&](const at::Tensor &table, auto *to) {
      using T = std::remove_pointer_t<decltype(to)>;
      int64_t width = table.dim() == 2 ? table.size(1) : 1;
      const T *from = table.data_ptr<T>() + begin * width;
      std::copy(from, from + job.n * width, to);
    };
    hand_over(classes, job.classes);
    hand_over(losses, job.losses);
    if (job.log_probabilities != nullptr) hand_over(logp, job.log_probabilities);
    if (job.features != nullptr) hand_over(seen, job.features);
  }
}

}  // namespace fd
