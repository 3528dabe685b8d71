#include "workers.h"

#include <ATen/Parallel.h>
#include <c10/core/Device.h>
#include <c10/core/InferenceMode.h>

#include "device.h"
#include "fd.h"
#include "guard.h"

fd_engine::fd_engine(std::string device_name, int workers, bool tf32, bool deterministic)
    : device(std::move(device_name)), tf32(tf32), deterministic(deterministic) {
  for (int i = 0; i < workers; i++) threads_.emplace_back([this] { work(); });
}

fd_engine::~fd_engine() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (auto &t : threads_) t.join();
}

void fd_engine::work() {
  at::set_num_threads(1);  // a setting of the thread, not of the process
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stop_ || (schedule_ != nullptr && next_ < schedule_->size()); });
    if (stop_) return;
    int64_t i = (*schedule_)[next_++];
    running_++;
    const auto *body = body_;
    lock.unlock();
    char *error = fd::guard([&] {
      c10::InferenceMode inference;
      (*body)(i);
    });
    lock.lock();
    if (error != nullptr) {
      errors_[i] = error;
      std::free(error);
      next_ = schedule_->size();  // start no further items
    }
    running_--;
    if (running_ == 0 && next_ >= schedule_->size()) done_.notify_all();
  }
}

void fd_engine::parallel(const std::vector<int64_t> &schedule, const std::function<void(int64_t)> &body) {
  if (schedule.empty()) return;
  std::lock_guard<std::mutex> one(call_);
  fd::set_math(tf32, deterministic);
  std::unique_lock<std::mutex> lock(mutex_);
  schedule_ = &schedule;
  body_ = &body;
  next_ = 0;
  errors_.assign(schedule.size(), "");
  wake_.notify_all();
  done_.wait(lock, [&] { return running_ == 0 && next_ >= schedule.size(); });
  schedule_ = nullptr;
  body_ = nullptr;
  for (const auto &e : errors_)
    if (!e.empty()) throw std::runtime_error(e);
}

extern "C" {

char *fd_engine_new(const char *device, int workers, int tf32, int deterministic, fd_engine **out) {
  return fd::guard([&] {
    TORCH_CHECK(workers >= 1 && workers <= 1024, workers, " workers were requested, but only 1 to 1024 are possible");
    fd::set_math(tf32 != 0, deterministic != 0);
    fd::check_device(c10::Device{std::string(device)});
    *out = new fd_engine(device, workers, tf32 != 0, deterministic != 0);
  });
}

void fd_engine_close(fd_engine *engine) { delete engine; }
int64_t fd_engine_progress(const fd_engine *engine) { return engine->progress; }
int64_t fd_engine_encoded(const fd_engine *engine) { return engine->encoded; }
void fd_engine_cancel(fd_engine *engine) { engine->cancelled = true; }
void fd_engine_rearm(fd_engine *engine) { engine->cancelled = false; }

}  // extern "C"
