#include "hash.h"

#include "launch.h"

namespace fd {

std::vector<HashValue> hashes_of(const std::vector<at::Tensor> &vectors, const uint64_t seeds[2]) {
  std::vector<HashValue> hashes(vectors.size(), HashValue{0, 0});
  if (vectors.empty()) return hashes;
  int64_t n = vectors[0].numel(), chunks = chunks_of(n);
  at::Tensor sums = at::empty({static_cast<int64_t>(vectors.size()), chunks, 2}, vectors[0].options().dtype(at::kLong));
  for (size_t v = 0; v < vectors.size(); v++) {
    u64 *own = reinterpret_cast<u64 *>(sums.data_ptr<int64_t>()) + v * chunks * 2;
    Hash a{vectors[v].data_ptr<float>(), n, {seeds[0], seeds[1]}, own};
    launch(sums.device(), Kernel{"hash_chunks", hash_chunks}, chunks, 4 * kThreads, a);
  }
  sums = sums.cpu();
  const int64_t *sum = sums.data_ptr<int64_t>();
  for (HashValue &hash : hashes)
    for (int64_t i = 0; i < 2 * chunks; i++) hash[i % 2] += static_cast<uint64_t>(*sum++);
  return hashes;
}

}  // namespace fd
