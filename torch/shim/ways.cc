#include "ways.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <limits>

#include "graph.h"

namespace fd {

const char *name_of(Way way) {
  switch (way) {
    case Way::kColumns: return "columns";
    case Way::kGrouped: return "grouped";
    case Way::kApart: return "apart";
    case Way::kFused: return "fused";
    default: return "choose";
  }
}

// Seconds of a run, launches apart: captured in a graph where there are graphs, as it will run.
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

Way Ways::of(const std::string &shape, const std::vector<Way> &candidates, const at::Device &device,
             const std::function<void(Way)> &trial) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto known = chosen_.find(shape);
    if (known != chosen_.end()) return known->second.way;
  }
  Choice choice{candidates.front(), ""};
  if (std::find(candidates.begin(), candidates.end(), fixed_) != candidates.end()) {
    choice.way = fixed_;
  } else if (choices_ && candidates.size() > 1 && !capturing(device)) {
    double best = std::numeric_limits<double>::infinity();
    std::exception_ptr failure;
    for (Way way : candidates) {
      char text[64];
      try {
        double t = seconds_of(device, [&] { trial(way); });
        if (t < best) {
          best = t;
          choice.way = way;
        }
        std::snprintf(text, sizeof text, " %s %.1f us", name_of(way), 1e6 * t);
        choice.tried += text;
      } catch (const std::exception &e) {  // it needs too much memory, or cannot be captured
        if (!failure) failure = std::current_exception();
        recover(device);
        std::string why = e.what();
        choice.tried += std::string(" ") + name_of(way) + " impossible (" + why.substr(0, why.find('\n')) + ")";
      }
    }
    if (std::isinf(best)) std::rethrow_exception(failure);  // fewer clients at once may fit
  }
  std::lock_guard<std::mutex> lock(mutex_);
  chosen_[shape] = choice;
  return choice.way;
}

void Ways::forget() {
  std::lock_guard<std::mutex> lock(mutex_);
  chosen_.clear();
}

std::string Ways::report() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::string text;
  for (const auto &c : chosen_) text += c.first + ": " + name_of(c.second.way) + c.second.tried + "\n";
  return text;
}

}  // namespace fd
