#include "graph.h"

#ifdef FD_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>

#include <map>
#include <vector>
#endif

namespace fd {

#ifdef FD_CUDA

struct Graph::Recorded {
  at::cuda::CUDAGraph graph;
};

namespace {

// The memory pool of this thread's graphs on a device. After the last graph of a pool is gone, the pool's id cannot be used
// again, so an additional graph keeps it.
struct GraphMemory {
  explicit GraphMemory(const at::Device &device) : device(device.index()), id(at::cuda::graph_pool_handle()) {
    record(keeper, [&] { at::zeros({1}, at::TensorOptions().device(device)); });
  }

  void record(at::cuda::CUDAGraph &graph, const std::function<void()> &work) {
    try {
      graph.capture_begin(id, cudaStreamCaptureModeThreadLocal);  // other threads may use the device meanwhile
      work();
      graph.capture_end();
    } catch (...) {
      abandon(graph);
      throw;
    }
  }

  // Ends a failed recording, because otherwise the stream and the allocator would stay in recording mode.
  void abandon(at::cuda::CUDAGraph &graph) {
    try {
      graph.capture_end();
    } catch (const std::exception &) {  // the first exception says more
    }
    try {
      c10::cuda::CUDACachingAllocator::endAllocateToPool(device, id);
      c10::cuda::CUDACachingAllocator::releasePool(device, id);
    } catch (const std::exception &) {  // capture_end may already have done this
    }
    (void)cudaGetLastError();
  }

  c10::DeviceIndex device;
  at::cuda::MempoolId_t id;
  at::cuda::CUDAGraph keeper;
};

std::unique_ptr<GraphMemory> &memory_of(const at::Device &device) {
  static thread_local std::map<c10::DeviceIndex, std::unique_ptr<GraphMemory>> memories;
  return memories[device.index()];
}

}  // namespace

void Graph::capture(const std::function<void()> &work) {
  if (!device_.is_cuda()) {
    work_ = work;
    return;
  }
  std::unique_ptr<GraphMemory> &memory = memory_of(device_);
  if (!memory) memory = std::make_unique<GraphMemory>(device_);
  recorded_ = std::make_unique<Recorded>();
  memory->record(recorded_->graph, work);
}

void Graph::replay() {
  if (recorded_) recorded_->graph.replay();
  else work_();
}

// Streams of this thread, which are made only once, because memory and workspaces belong to a stream, and a new stream would
// have none.
static const c10::cuda::CUDAStream &own_stream(const at::Device &device, size_t number) {
  static thread_local std::map<c10::DeviceIndex, std::vector<c10::cuda::CUDAStream>> streams;
  auto &own = streams[device.index()];
  while (own.size() <= number) own.push_back(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index()));
  return own[number];
}

struct OwnStream::Held {
  explicit Held(const at::Device &device) : stream(own_stream(device, 0)), guard(stream) {}
  c10::cuda::CUDAStream stream;
  c10::cuda::CUDAStreamGuard guard;
};

static void wait_for(const c10::cuda::CUDAStream &waiting, const c10::cuda::CUDAStream &other) {
  at::cuda::CUDAEvent event;
  event.record(other);
  event.block(waiting);
}

OwnStream::OwnStream(const at::Device &device) {
  if (!device.is_cuda()) return;
  held_ = std::make_unique<Held>(device);
  wait_for(held_->stream, c10::cuda::getDefaultCUDAStream(device.index()));
}

OwnStream::~OwnStream() {
  if (!held_) return;
  try {
    wait_for(c10::cuda::getDefaultCUDAStream(held_->stream.device_index()), held_->stream);
  } catch (const std::exception &) {  // an error of the device, which the next call reports; a destructor must not throw
  }
}

void side_by_side(const at::Device &device, int64_t n, const std::function<void(int64_t)> &work) {
  if (!device.is_cuda()) {
    for (int64_t i = 0; i < n; i++) work(i);
    return;
  }
  constexpr int64_t kStreams = 8;
  auto current = c10::cuda::getCurrentCUDAStream(device.index());
  for (int64_t s = 0; s < std::min(n, kStreams); s++) wait_for(own_stream(device, 1 + s), current);
  auto join = [&] {
    for (int64_t s = 0; s < std::min(n, kStreams); s++) wait_for(current, own_stream(device, 1 + s));
  };
  try {
    for (int64_t i = 0; i < n; i++) {
      c10::cuda::CUDAStreamGuard guard(own_stream(device, 1 + i % kStreams));
      work(i);
    }
  } catch (...) {
    // Memory that the caller's stream frees from here on may still be in use by the other streams.
    try {
      join();
    } catch (const std::exception &) {  // the first exception says more
    }
    throw;
  }
  join();
}

bool capturing(const at::Device &device) {
  if (!device.is_cuda()) return false;
  c10::cuda::CUDAGuard guard(device);
  return c10::cuda::currentStreamCaptureStatusMayInitCtx() != c10::cuda::CaptureStatus::None;
}

void synchronize(const at::Device &device) {
  if (device.is_cuda()) c10::cuda::getCurrentCUDAStream(device.index()).synchronize();
}

void recover(const at::Device &device) {
  if (!device.is_cuda()) return;
  (void)cudaGetLastError();
  memory_of(device).reset();  // remaining graphs keep it
  c10::cuda::CUDACachingAllocator::emptyCache();
}

#else

struct Graph::Recorded {};
void Graph::capture(const std::function<void()> &work) { work_ = work; }
void Graph::replay() { work_(); }

struct OwnStream::Held {};
OwnStream::OwnStream(const at::Device &) {}
OwnStream::~OwnStream() = default;

void side_by_side(const at::Device &, int64_t n, const std::function<void(int64_t)> &work) {
  for (int64_t i = 0; i < n; i++) work(i);
}
bool capturing(const at::Device &) { return false; }
void synchronize(const at::Device &) {}
void recover(const at::Device &) {}

#endif

Graph::Graph(const at::Device &device) : device_(device) {}
Graph::~Graph() = default;

}  // namespace fd
