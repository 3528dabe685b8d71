// The contents of the opaque handles, and the number of live ones.
#pragma once

#include <ATen/ATen.h>

#include <atomic>
#include <memory>

#include "fd.h"

namespace fd {
inline std::atomic<int64_t> live_handles{0};
inline std::atomic<int64_t> live_bytes{0};
inline std::atomic<int64_t> next_id{0};

// Counts one handle, with the bytes of its tensors, during its lifetime.
class Counted {
 public:
  const int64_t id = next_id++;  // unique among all handles
  // An object that keeps data for the handle holds a std::weak_ptr to it, which expires with the handle.
  const std::shared_ptr<void> life = std::make_shared<char>();
  Counted() { live_handles++; }
  ~Counted() {
    live_handles--;
    live_bytes -= bytes_;
  }
  Counted(const Counted &) = delete;
  Counted &operator=(const Counted &) = delete;
  void add(const at::Tensor &t) {
    int64_t n = t.numel() * t.element_size();
    bytes_ += n;
    live_bytes += n;
  }

 private:
  int64_t bytes_ = 0;
};
}  // namespace fd

struct fd_vector : fd::Counted {
  at::Tensor t;  // [n] float32
  explicit fd_vector(at::Tensor tensor) : t(std::move(tensor)) { add(t); }
};

struct fd_images : fd::Counted {
  at::Tensor pixels;       // [N, C, H, W] uint8
  at::Tensor labels;       // [N] uint8
  at::Tensor host_labels;  // the same on the host
  at::Tensor table;        // [C, 256] float32: the normalised value of each byte
  fd_images(at::Tensor p, at::Tensor l, at::Tensor t)
      : pixels(std::move(p)), labels(std::move(l)), host_labels(labels.cpu()), table(std::move(t)) {
    add(pixels);
    add(labels);
    add(table);
  }
};
