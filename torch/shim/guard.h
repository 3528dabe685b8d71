// The only place where C++ exceptions end: guard runs a body and returns NULL or an allocated message.
#pragma once

#include <c10/util/Exception.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>

namespace fd {

// What the thread is working on, so that a message can say where an exception was thrown.
struct Where {
  int64_t client = -1;
  const char *part = nullptr;   // "primary", "secondary", "head"
  const char *layer = nullptr;  // "conv1"
};
inline thread_local Where where;

inline char *message(const std::string &what) {
  std::string text;
  if (where.client >= 0) text += "client " + std::to_string(where.client) + ": ";
  if (where.layer != nullptr) text += std::string("layer ") + (where.part ? where.part : "") + "." + where.layer + ": ";
  text += what;
  char *copy = static_cast<char *>(std::malloc(text.size() + 1));
  if (copy != nullptr) std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

template <typename Body>
char *guard(Body &&body) noexcept {
  where = Where{};
  try {
    body();
    return nullptr;
  } catch (const c10::Error &e) {
    return message(e.what_without_backtrace());
  } catch (const std::bad_alloc &) {
    return message("out of memory");
  } catch (const std::exception &e) {
    return message(e.what());
  } catch (...) {
    return message("unknown C++ exception");
  }
}

}  // namespace fd
