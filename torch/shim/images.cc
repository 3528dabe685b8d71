// Image sets: bytes on the device, with the normalisation as a table of 256 values per channel.
#include <ATen/ATen.h>

#include "fd.h"
#include "guard.h"
#include "handles.h"

extern "C" {

char *fd_images_new(const char *device, const uint8_t *pixels, const uint8_t *labels, int64_t n, const int64_t shape[3],
                    const float *mean, const float *std, fd_images **out) {
  return fd::guard([&] {
    auto bytes = at::TensorOptions().dtype(at::kByte);
    c10::Device dev(device);
    auto p = at::from_blob(const_cast<uint8_t *>(pixels), {n, shape[0], shape[1], shape[2]}, bytes);
    auto l = at::from_blob(const_cast<uint8_t *>(labels), {n}, bytes);
    auto table = at::empty({shape[0], 256}, at::kFloat);
    float *value = table.data_ptr<float>();
    for (int64_t c = 0; c < shape[0]; c++) {
      TORCH_CHECK(std[c] > 0, "the standard deviation of channel ", c, " is ", std[c]);
      for (int byte = 0; byte < 256; byte++)
        value[c * 256 + byte] = (static_cast<float>(byte) / 255.0f - mean[c]) / std[c];
    }
    // clone, because the caller's memory is only valid during this call.
    *out = new fd_images(p.to(dev, at::kByte, false, true), l.to(dev, at::kByte, false, true), table.to(dev));
  });
}

void fd_images_close(fd_images *images) { delete images; }

}  // extern "C"
