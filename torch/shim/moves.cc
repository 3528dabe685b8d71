#include "moves.h"

namespace fd {

void upload(const at::Tensor &to, const at::Tensor &values) {
  at::Tensor host = values;
  if (to.is_cuda()) {
    host = at::empty(values.sizes(), values.options().pinned_memory(true));
    host.copy_(values);
  }
  to.copy_(host, /*non_blocking=*/true);
}

at::Tensor uploaded(const at::Tensor &values, const at::Device &device) {
  if (device.is_cpu()) return values;
  at::Tensor to = at::empty(values.sizes(), values.options().device(device));
  upload(to, values);
  return to;
}

void append_rows(const int32_t *samples, int64_t n, const uint8_t *label_map, const at::Tensor &host_labels,
                 int64_t classes, std::vector<int32_t> &images, std::vector<int32_t> &labels) {
  const uint8_t *own = host_labels.data_ptr<uint8_t>();
  for (int64_t i = 0; i < n; i++) {
    uint8_t label = label_map == nullptr ? own[samples[i]] : label_map[own[samples[i]]];
    TORCH_CHECK(label < classes, "sample ", i, " has label ", static_cast<int>(label), ", the network has ", classes, " classes");
    images.push_back(samples[i]);
    labels.push_back(label);
  }
}

StackImages::StackImages(const Batch &batch, int64_t clients, const at::Tensor &pixels, const at::Tensor &byte_values,
                         const at::Tensor &images, at::ScalarType type)
    : clients_(clients), pixels_(pixels), type_(type),
      source_{batch, images.data_ptr<int32_t>(), pixels.data_ptr<uint8_t>(), byte_values.data_ptr<float>(), nullptr,
              static_cast<int>(pixels.size(1)), static_cast<int>(pixels.size(2) * pixels.size(3))} {}

StackImages StackImages::of(const Batch &batch, int64_t clients) const {
  StackImages other = *this;
  other.clients_ = clients;
  other.gathered_ = at::Tensor();
  other.source_.batch = batch;
  return other;
}

const at::Tensor &StackImages::gathered() {
  if (gathered_.defined()) return gathered_;
  int64_t samples = source_.batch.samples;
  gathered_ = at::empty({clients_, samples, pixels_.size(1), pixels_.size(2), pixels_.size(3)}, pixels_.options().dtype(type_));
  GatherImages a = source_;
  a.out = gathered_.data_ptr();
  launch(pixels_.device(), FD_KERNEL_FOR(gathered_, gather_images), clients_ * samples, 0, a);
  return gathered_;
}

void move_rows(const Kernel &kernel, const Batch &batch, const at::Tensor &table, const at::Tensor &activations,
               int64_t begin) {
  MoveRows a{batch, table.data_ptr(), activations.data_ptr(), static_cast<int>(table.size(1)),
             static_cast<int>(activations.size(2)), static_cast<int>(begin)};
  launch(table.device(), kernel, activations.size(0) * activations.size(1), 0, a);
}

}  // namespace fd
