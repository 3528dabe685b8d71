// Work that is recorded once and repeated: a CUDA graph, or on the host the function itself.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <memory>

namespace fd {

class Graph {
 public:
  explicit Graph(const at::Device &device);
  ~Graph();
  // Records what work does with the device, in the current stream, which is not the default one; on a CUDA device nothing
  // runs yet. It must have run before, so that libraries are set up and kernels chosen; it must not wait for the device,
  // and what it reads and writes must stay where it is. What it allocates is the graph's: graphs of one device share
  // it, and run one after another.
  void capture(const std::function<void()> &work);
  void replay();

 private:
  struct Recorded;
  at::Device device_;
  std::function<void()> work_;
  std::unique_ptr<Recorded> recorded_;
};

// Makes a stream of its own current on this thread for as long as it lives, after the work that the default stream was given.
class OwnStream {
 public:
  explicit OwnStream(const at::Device &device);
  ~OwnStream();

 private:
  struct Held;
  std::unique_ptr<Held> held_;
};

// Runs n pieces of work side by side: on a CUDA device in streams that begin after the current stream's work, and that it
// then waits for.
void side_by_side(const at::Device &device, int64_t n, const std::function<void(int64_t)> &work);

bool capturing(const at::Device &device);       // whether the device's current stream is being recorded
void synchronize(const at::Device &device);     // waits for the current stream
void recover(const at::Device &device);         // after an exception: frees what is cached, forgets the error

}  // namespace fd
