// A pool of threads that live as long as the engine, each with one libtorch thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

struct fd_engine {
  fd_engine(std::string device, int workers, bool tf32, bool deterministic);
  ~fd_engine();

  // Calls body(i) for i in 0..count-1 on the workers, in the order given by schedule, and waits for all of them.
  // Throws the message of the smallest i that failed.
  void parallel(const std::vector<int64_t> &schedule, const std::function<void(int64_t)> &body);

  const std::string device;
  const bool tf32, deterministic;
  std::atomic<int64_t> progress{0}, encoded{0};
  std::atomic<bool> cancelled{false};

 private:
  void work();

  std::vector<std::thread> threads_;
  std::mutex call_;  // one parallel call at a time
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::vector<int64_t> *schedule_ = nullptr;
  const std::function<void(int64_t)> *body_ = nullptr;
  std::vector<std::string> errors_;
  size_t next_ = 0, running_ = 0;
  bool stop_ = false;
};
