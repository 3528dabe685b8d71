#include "kernel_cache.h"

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fd.h"
#include "guard.h"

namespace fd {
namespace {

// A 64-bit FNV-1a hash, as 16 digits.
std::string hash_of(const std::string &text) {
  uint64_t h = 0xcbf29ce484222325u;
  for (unsigned char c : text) h = (h ^ c) * 0x100000001b3u;
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(h));
  return digits;
}

// A file consists of the hash of everything after it, the length of the key and a line end, the key, and the code. It has the
// whole key, so that two keys with the same hash are not confused.
std::string head_of(const std::string &key) { return std::to_string(key.size()) + "\n" + key; }

// The code in a file, or nothing if the file does not exist, is incomplete, or has another key.
std::vector<char> read_code(const std::filesystem::path &path, const std::string &key) {
  std::ifstream file(path, std::ios::binary);
  std::string all{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()}, head = head_of(key);
  if (all.size() <= 16 + head.size() || all.compare(16, head.size(), head) != 0 || all.compare(0, 16, hash_of(all.substr(16))) != 0)
    return {};
  return {all.begin() + 16 + static_cast<std::ptrdiff_t>(head.size()), all.end()};
}

// Writes to a temporary file and renames it, so that other processes see either the complete file or none.
void write_code(const std::filesystem::path &path, const std::string &key, const std::vector<char> &code) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  std::filesystem::path aside = path;
  aside += ".tmp" + std::to_string(getpid());
  std::string rest = head_of(key) + std::string(code.begin(), code.end());
  std::ofstream file(aside, std::ios::binary);
  file << hash_of(rest) << rest;
  file.close();
  if (file) std::filesystem::rename(aside, path, error);
  if (!file || error) std::filesystem::remove(aside, error);
}

}  // namespace

std::string kernel_cache_folder() {
  const char *cache = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
  if (cache != nullptr && cache[0] == '/') return std::string(cache) + "/feddag/kernels";
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.cache/feddag/kernels";
  return "";
}

std::vector<char> cached_code(const std::string &folder, const std::string &name, const std::string &key,
                              const std::function<std::vector<char>()> &make) {
  if (folder.empty()) return make();
  std::filesystem::path path = std::filesystem::path(folder) / (name + "-" + hash_of(key));
  std::vector<char> code = read_code(path, key);
  if (code.empty()) {
    code = make();
    write_code(path, key, code);
  }
  return code;
}

}  // namespace fd

extern "C" {

char *fd_kernels_cached(const char *folder, const char *name, const char *key, const char *code, int *made, char **text) {
  return fd::guard([&] {
    *made = 0;
    std::vector<char> got = fd::cached_code(folder, name, key, [&] {
      *made = 1;
      return std::vector<char>(code, code + std::strlen(code));
    });
    *text = strdup(std::string(got.begin(), got.end()).c_str());
  });
}

}  // extern "C"
