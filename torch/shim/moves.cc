#include "moves.h"

namespace fd {

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

at::Tensor gather_stack(const Batch &batch, int64_t clients, const at::Tensor &pixels, const at::Tensor &byte_values,
                        const at::Tensor &images, at::ScalarType type) {
  at::Tensor x = at::empty({clients, batch.samples, pixels.size(1), pixels.size(2), pixels.size(3)},
                           pixels.options().dtype(type));
  GatherImages a{batch, images.data_ptr<int32_t>(), pixels.data_ptr<uint8_t>(), byte_values.data_ptr<float>(),
                 x.data_ptr(), static_cast<int>(x.size(2)), static_cast<int>(x.size(3) * x.size(4))};
  launch(pixels.device(), FD_KERNEL_FOR(x, gather_images), clients * batch.samples, 0, a);
  return x;
}

void move_rows(const Kernel &kernel, const Batch &batch, const at::Tensor &table, const at::Tensor &activations,
               int64_t begin) {
  MoveRows a{batch, table.data_ptr(), activations.data_ptr(), static_cast<int>(table.size(1)),
             static_cast<int>(activations.size(2)), static_cast<int>(begin)};
  launch(table.device(), kernel, activations.size(0) * activations.size(1), 0, a);
}

}  // namespace fd
