// Copies to and from a stack.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "fd.h"
#include "kernel_batch.h"
#include "launch.h"
#include "schedule.h"

namespace fd {

// Copies host values of the same shape and type to a tensor on the device. The host does not wait for a GPU, because the values go
// through pinned memory. libtorch reuses this memory only after the copy. It is freed here, and not held while kernels run: to
// free it after a kernel has failed throws in a destructor, which ends the program.
void upload(const at::Tensor &to, const at::Tensor &values);
// The values on the device: on the CPU the tensor itself.
at::Tensor uploaded(const at::Tensor &values, const at::Device &device);
// Copies all values to the beginning of a tensor on the device.
template <typename T>
void upload(const at::Tensor &to, const std::vector<T> &values) {
  if (values.empty()) return;
  at::Tensor host = at::from_blob(const_cast<T *>(values.data()), {static_cast<int64_t>(values.size())}, to.scalar_type());
  upload(to.view({-1}).slice(0, 0, host.numel()), host);
}

// Appends the rows of a client's samples: their images, and their labels after its label map. A label for which the network
// has no output is an error.
void append_rows(const int32_t *samples, int64_t n, const uint8_t *label_map, const at::Tensor &host_labels,
                 int64_t classes, std::vector<int32_t> &images, std::vector<int32_t> &labels);

// The images of a batch. They are gathered for the first layer that wants them in one piece; a kernel can read them from
// where they lie.
class StackImages {
 public:
  // images: which image each row is.
  StackImages(const Batch &batch, int64_t clients, const at::Tensor &pixels, const at::Tensor &byte_values,
              const at::Tensor &images, at::ScalarType type);
  const at::Tensor &gathered();  // normalised, [clients, B, C, H, W]
  const GatherImages &source() const { return source_; }
  StackImages of(const Batch &batch, int64_t clients) const;  // the images of another batch

 private:
  int64_t clients_;
  at::Tensor pixels_, gathered_;
  at::ScalarType type_;
  GatherImages source_;
};

// Moves a batch's rows between a table [rows, width] and columns of activations [clients, B, row], with one of the
// kernels gather_rows and scatter_rows.
void move_rows(const Kernel &kernel, const Batch &batch, const at::Tensor &table, const at::Tensor &activations,
               int64_t begin);

}  // namespace fd
