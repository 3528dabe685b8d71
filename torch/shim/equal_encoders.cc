#include "equal_encoders.h"

#include <map>
#include <string_view>

#include "emulate.h"
#include "hash.h"

namespace fd {
namespace {

std::vector<int64_t> number_bits(const std::vector<at::Tensor> &encoders) {
  std::map<std::string_view, int64_t> known;
  std::vector<int64_t> numbers;
  for (const at::Tensor &e : encoders) {
    std::string_view bits(reinterpret_cast<const char *>(e.data_ptr<float>()), e.numel() * sizeof(float));
    numbers.push_back(known.emplace(bits, static_cast<int64_t>(known.size())).first->second);
  }
  return numbers;
}

std::vector<int64_t> number_hashes(const std::vector<at::Tensor> &encoders) {
  constexpr uint64_t kSeeds[2] = {0x243f6a8885a308d3, 0x13198a2e03707344};  // digits of pi
  std::map<HashValue, int64_t> known;
  std::vector<int64_t> numbers;
  for (const HashValue &hash : hashes_of(encoders, kSeeds))
    numbers.push_back(known.emplace(hash, static_cast<int64_t>(known.size())).first->second);
  return numbers;
}

}  // namespace

std::vector<int64_t> number_equal(const std::vector<at::Tensor> &encoders) {
  // Several predictions may have the same model. Its encoder is looked at once.
  std::map<const void *, size_t> known;
  std::vector<at::Tensor> distinct;
  std::vector<size_t> which;
  for (const at::Tensor &e : encoders) {
    which.push_back(known.emplace(e.data_ptr(), distinct.size()).first->second);
    if (which.back() == distinct.size()) distinct.push_back(e.to(encoders[0].device()));
  }
  // On fibers, the CPU does what a GPU does.
  bool host = distinct.empty() || (distinct[0].is_cpu() && !emulating());
  std::vector<int64_t> of_distinct = host ? number_bits(distinct) : number_hashes(distinct), numbers;
  for (size_t w : which) numbers.push_back(of_distinct[w]);
  return numbers;
}

}  // namespace fd
