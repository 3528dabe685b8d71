// Code of kernels that earlier processes have compiled, in files.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace fd {

// The folder of these files, ${XDG_CACHE_HOME:-~/.cache}/feddag/kernels, or empty if neither variable says where it is.
std::string kernel_cache_folder();

// Returns the code that make compiles. name says what it is for ("sm_90-f32"), key is all that it depends on. If the folder
// has a whole file for the name and the key, the code is taken from there; otherwise it is made and left there. A file that
// is damaged is replaced. A folder that cannot be read or written, or is empty, only costs the time to compile.
std::vector<char> cached_code(const std::string &folder, const std::string &name, const std::string &key,
                              const std::function<std::vector<char>()> &make);

}  // namespace fd
