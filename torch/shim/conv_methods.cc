#include "conv_methods.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <limits>

#include "graph.h"

namespace fd {

const char *name_of(ConvMethod method) {
  switch (method) {
    case ConvMethod::kColumns: return "columns";
    case ConvMethod::kGrouped: return "grouped";
    case ConvMethod::kPerClient: return "per client";
    case ConvMethod::kFused: return "fused";
    case ConvMethod::kTensorCores: return "tensor cores";
    default: return "choose";
  }
}

// Seconds of a run, without the time of the launches. On a device with graphs, run is captured in a graph, as in training.
static double seconds_of(const at::Device &device, const std::function<void()> &run) {
  constexpr int kRuns = 20;
  run();
  Graph graph(device);
  graph.capture(run);
  graph.replay();
  synchronize(device);
  auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kRuns; i++) graph.replay();
  synchronize(device);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / kRuns;
}

ConvMethod ConvMethods::of(const std::string &shape, const std::vector<ConvMethod> &candidates,
                           const at::Device &device,
                           const std::function<void(ConvMethod)> &trial) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto known = chosen_.find({shape, candidates});
    if (known != chosen_.end()) return known->second.method;
  }
  Choice choice{candidates.front(), ""};
  if (std::find(candidates.begin(), candidates.end(), fixed_) != candidates.end()) {
    choice.method = fixed_;
    if (fixed_ == ConvMethod::kTensorCores && !capturing(device)) trial(fixed_);
  } else if (choices_ && candidates.size() > 1 && !capturing(device)) {
    double best = std::numeric_limits<double>::infinity();
    std::exception_ptr failure;
    for (ConvMethod method : candidates) {
      char text[64];
      try {
        double t = seconds_of(device, [&] { trial(method); });
        if (t < best) {
          best = t;
          choice.method = method;
        }
        std::snprintf(text, sizeof text, " %s %.1f us", name_of(method), 1e6 * t);
        choice.tried += text;
      } catch (const std::exception &e) {  // the method needs too much memory, or cannot be captured
        if (!failure) failure = std::current_exception();
        recover(device);
        std::string why = e.what();
        choice.tried += std::string(" ") + name_of(method) + " impossible (" + why.substr(0, why.find('\n')) + ")";
      }
    }
    if (std::isinf(best)) std::rethrow_exception(failure);  // fewer clients at once may fit into memory
  }
  std::lock_guard<std::mutex> lock(mutex_);
  chosen_[{shape, candidates}] = choice;
  return choice.method;
}

void ConvMethods::forget() {
  std::lock_guard<std::mutex> lock(mutex_);
  chosen_.clear();
}

void ConvMethods::note(const std::string &line) {
  std::lock_guard<std::mutex> lock(mutex_);
  notes_.insert(line);
}

std::string ConvMethods::report() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::string text;
  for (const auto &c : chosen_) text += c.first.first + ": " + name_of(c.second.method) + c.second.tried + "\n";
  for (const std::string &line : notes_) text += line + "\n";
  return text;
}

}  // namespace fd
