// Work that is recorded once and repeated. On a CUDA device this is a CUDA graph, on the host the function itself.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <memory>

namespace fd {

class Graph {
 public:
  explicit Graph(const at::Device &device);
  ~Graph();
  // Records the operations of work on the device, in the current stream, which must not be the default stream. On a CUDA
  // device, nothing runs yet. work must have run before, so that libraries are set up and kernels are chosen. It must not
  // wait for the device, and the memory that it reads and writes must stay at its address. The memory that it allocates
  // belongs to the graph; the graphs of a device share this memory and run one after another.
  void capture(const std::function<void()> &work);
  void replay();

 private:
  struct Recorded;
  at::Device device_;
  std::function<void()> work_;
  std::unique_ptr<Recorded> recorded_;
};

// Makes a separate stream current on this thread for the lifetime of the object. The stream starts after the work in the
// default stream.
class OwnStream {
 public:
  explicit OwnStream(const at::Device &device);
  ~OwnStream();

 private:
  struct Held;
  std::unique_ptr<Held> held_;
};

// Runs n pieces of work concurrently. On a CUDA device, they run in streams that start after the work in the current stream,
// which then waits for them.
void side_by_side(const at::Device &device, int64_t n, const std::function<void(int64_t)> &work);

bool capturing(const at::Device &device);       // whether the device's current stream is being recorded
void synchronize(const at::Device &device);     // waits for the current stream
void recover(const at::Device &device);         // after an exception: frees cached memory and clears the error

}  // namespace fd
