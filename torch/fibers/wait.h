// Where the threads of a block wait for each other.
#pragma once

#include <cstring>
#include <string>

namespace fibers {

// Where a thread waits.
struct Wait {
  const char *what = nullptr;  // "barrier", "barrier of a warp", "shuffle", or a product; null: nowhere
  const char *file = "";
  int line = 0;
  bool operator!=(const Wait &o) const { return what != o.what || line != o.line || strcmp(file, o.file) != 0; }
};

inline const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

inline std::string text_of(const Wait &w) {
  if (w.file[0] == '\0') return w.what;
  return std::string(w.what) + " at " + base_name(w.file) + ":" + std::to_string(w.line);
}

}  // namespace fibers
