#include "cuda_kernels.h"

#include "guard.h"

#ifdef FD_CUDA

#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda.h>
#include <dlfcn.h>
#include <nvrtc.h>

#include <map>
#include <mutex>
#include <vector>

#include "kernel_cache.h"
#include "kernel_source.h"

namespace fd {
namespace {

// Opens a library with the name that it has in CUDA's packages. It is in the folder in which the linker finds libcudart.
void *open(const std::string &name, const char *what) {
  void *handle = dlopen(name.c_str(), RTLD_NOW | RTLD_GLOBAL);
  TORCH_CHECK(handle != nullptr, what, " (", name, ") was not found: ", dlerror());
  return handle;
}

template <typename Function>
Function find(void *library, const char *name, Function) {
  void *f = dlsym(library, name);
  TORCH_CHECK(f != nullptr, "the loaded CUDA library has no ", name);
  return reinterpret_cast<Function>(f);
}
#define FD_FIND(library, function) find(library, #function, &function)

// The functions of NVRTC that are used. NVRTC is not linked, so that it is not needed to run on the CPU.
struct Compiler {
  Compiler() {
    std::string major = std::to_string(CUDART_VERSION / 1000), minor = std::to_string(CUDART_VERSION % 1000 / 10);
    // The compiler opens its builtins by name, without a path. The name suffices if they are already loaded.
    dlopen(("libnvrtc-builtins.so." + major + "." + minor).c_str(), RTLD_NOW | RTLD_GLOBAL);
    void *lib = open("libnvrtc.so." + major, "NVIDIA's run-time compiler");
    create = FD_FIND(lib, nvrtcCreateProgram);
    compile = FD_FIND(lib, nvrtcCompileProgram);
    log_size = FD_FIND(lib, nvrtcGetProgramLogSize);
    log = FD_FIND(lib, nvrtcGetProgramLog);
    code_size = FD_FIND(lib, nvrtcGetCUBINSize);
    code = FD_FIND(lib, nvrtcGetCUBIN);
    destroy = FD_FIND(lib, nvrtcDestroyProgram);
  }
  decltype(&nvrtcCreateProgram) create;
  decltype(&nvrtcCompileProgram) compile;
  decltype(&nvrtcGetProgramLogSize) log_size;
  decltype(&nvrtcGetProgramLog) log;
  decltype(&nvrtcGetCUBINSize) code_size;
  decltype(&nvrtcGetCUBIN) code;
  decltype(&nvrtcDestroyProgram) destroy;
};

// The functions of the driver that are used.
struct Driver {
  Driver() {
    void *lib = open("libcuda.so.1", "the CUDA driver");
    load = FD_FIND(lib, cuModuleLoadData);
    function = FD_FIND(lib, cuModuleGetFunction);
    launch = FD_FIND(lib, cuLaunchKernel);
    attribute = FD_FIND(lib, cuFuncSetAttribute);
    context = FD_FIND(lib, cuCtxGetCurrent);
    message = FD_FIND(lib, cuGetErrorString);
  }
  void check(CUresult result, const char *doing) const {
    if (result == CUDA_SUCCESS) return;
    const char *text = "unknown error";
    message(result, &text);
    TORCH_CHECK(false, doing, ": CUDA error: ", text);
  }
  // The functions need a context of the thread. The run-time library makes it at its first call on a thread. There may have been
  // none: tensors come from libtorch's cache, and CUDAGuard makes no call for the device that a thread has from the beginning.
  void need_context() const {
    CUcontext current = nullptr;
    check(context(&current), "asking for the context of the thread");
    if (current == nullptr) C10_CUDA_CHECK(cudaFree(nullptr));
  }
  decltype(&cuModuleLoadData) load;
  decltype(&cuModuleGetFunction) function;
  decltype(&cuLaunchKernel) launch;
  decltype(&cuFuncSetAttribute) attribute;
  decltype(&cuCtxGetCurrent) context;
  decltype(&cuGetErrorString) message;
};

// A unit of compilation: all kernels for a type of activations, or one kernel with constants.
struct Unit {
  std::string name;    // "f32", "bf16" or the kernel's name
  std::string option;  // selects the kernels of the sources
  std::string source;  // source text after them
};
Unit all_kernels(bool bf16) { return bf16 ? Unit{"bf16", "-DFD_BF16", ""} : Unit{"f32", "", ""}; }
Unit one_kernel(const Kernel &k) { return {k.name, "-DFD_ALONE", source_of(k.name, k.constants)}; }

std::vector<std::string> options_of(const std::string &architecture, const Unit &unit) {
  std::vector<std::string> options = {"--gpu-architecture=" + architecture, "--std=c++17"};
  if (!unit.option.empty()) options.push_back(unit.option);
  return options;
}

std::vector<char> compile(const std::string &architecture, const Unit &unit) {
  static const Compiler nvrtc;
  std::string main;
  std::vector<const char *> names, texts;
  for (const SourceFile &file : kernel_sources()) {
    main += std::string("#include \"") + file.name + "\"\n";
    names.push_back(file.name);
    texts.push_back(file.text);
  }
  main += unit.source;
  nvrtcProgram program = nullptr;
  TORCH_CHECK(nvrtc.create(&program, main.c_str(), "feddag.cu", static_cast<int>(names.size()), texts.data(),
                           names.data()) == NVRTC_SUCCESS,
              "NVIDIA's run-time compiler does not start");
  std::vector<std::string> words = options_of(architecture, unit);
  std::vector<const char *> options;
  for (const std::string &word : words) options.push_back(word.c_str());
  nvrtcResult result = nvrtc.compile(program, static_cast<int>(options.size()), options.data());
  std::string log;
  std::vector<char> code;
  size_t size = 0;
  if (result != NVRTC_SUCCESS && nvrtc.log_size(program, &size) == NVRTC_SUCCESS) {
    log.resize(size);
    nvrtc.log(program, &log[0]);
  } else if (result == NVRTC_SUCCESS && (result = nvrtc.code_size(program, &size)) == NVRTC_SUCCESS) {
    code.resize(size);
    result = nvrtc.code(program, code.data());
  }
  nvrtc.destroy(&program);
  TORCH_CHECK(result == NVRTC_SUCCESS, "compiling the kernels (", unit.name, ") for ", architecture, " failed: ", log.c_str());
  return code;
}

// The compiled code. If an earlier process has cached it, NVRTC is not loaded.
std::vector<char> code_of(const std::string &architecture, const Unit &unit) {
  std::string key = "CUDA " + std::to_string(CUDART_VERSION);
  for (const std::string &word : options_of(architecture, unit)) key += " " + word;
  for (const SourceFile &file : kernel_sources()) key += std::string("\n") + file.name + "\n" + file.text;
  if (!unit.source.empty()) key += "\n" + unit.source;
  return cached_code(kernel_cache_folder(), architecture + "-" + unit.name, key, [&] { return compile(architecture, unit); });
}

const Driver &driver() {
  static const Driver d;
  return d;
}

CUmodule load(c10::DeviceIndex device, const Unit &unit) {
  const auto *p = at::cuda::getDeviceProperties(device);
  std::vector<char> code = code_of("sm_" + std::to_string(p->major) + std::to_string(p->minor), unit);
  CUmodule module = nullptr;
  driver().check(driver().load(&module, code.data()), "loading the kernels");
  return module;
}

// A kernel on a device.
struct Function {
  CUfunction handle = nullptr;
  int64_t shared = 4 * kSharedFloats;  // bytes of shared memory that a block may have; more must be asked for
};

// The kernels of a device, by name. The caller holds a mutex.
Function &function_of(c10::DeviceIndex device, const Kernel &kernel) {
  static std::map<std::pair<c10::DeviceIndex, bool>, CUmodule> modules;
  static std::map<std::pair<c10::DeviceIndex, std::string>, Function> functions;
  std::string name = name_of(kernel.name, kernel.constants);
  auto known = functions.find({device, name});
  if (known != functions.end()) return known->second;
  CUfunction f = nullptr;
  if (kernel.constants.args != nullptr) {
    driver().check(driver().function(&f, load(device, one_kernel(kernel)), name.c_str()), name.c_str());
    return functions[{device, name}] = Function{f};
  }
  auto ends = [&](const std::string &with) {
    return name.size() >= with.size() && name.compare(name.size() - with.size(), with.size(), with) == 0;
  };
  // A kernel without a type of activations is in both modules.
  bool bf16 = ends("_bf16") || (!ends("_f32") && modules.count({device, true}) > 0);
  CUmodule &module = modules[{device, bf16}];
  if (module == nullptr) module = load(device, all_kernels(bf16));
  driver().check(driver().function(&f, module, name.c_str()), name.c_str());
  return functions[{device, name}] = Function{f};
}

// The kernel on a device, for blocks with the given number of bytes of shared memory. The limit is never lowered, because graphs
// start the kernel again with as much as they were recorded with.
CUfunction function_of(c10::DeviceIndex device, const Kernel &kernel, int64_t shared_bytes) {
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  Function &f = function_of(device, kernel);
  if (shared_bytes > f.shared) {
    driver().check(driver().attribute(f.handle, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, static_cast<int>(shared_bytes)), kernel.name);
    f.shared = shared_bytes;
  }
  return f.handle;
}

}  // namespace

void cuda_launch(const c10::Device &device, const Kernel &kernel, int64_t blocks, int threads, int64_t shared_bytes,
                 const void *args, size_t) {
  TORCH_CHECK(blocks <= 0x7fffffff, kernel.name, " has ", blocks, " blocks");
  c10::cuda::CUDAGuard guard(device);
  driver().need_context();
  CUfunction f = function_of(device.index(), kernel, shared_bytes);
  void *parameters[] = {const_cast<void *>(args)};
  driver().check(driver().launch(f, static_cast<unsigned>(blocks), 1, 1, static_cast<unsigned>(threads), 1, 1,
                                 static_cast<unsigned>(shared_bytes),
                                 c10::cuda::getCurrentCUDAStream(device.index()).stream(), parameters, nullptr),
                 kernel.name);
}

Limits cuda_limits(const c10::Device &device) {
  const auto *p = at::cuda::getDeviceProperties(device.index());
  return {static_cast<int64_t>(p->sharedMemPerBlockOptin) / 4, p->multiProcessorCount, 10 * p->major + p->minor};
}

int64_t cuda_compile(const std::string &architecture, bool bf16) {
  return static_cast<int64_t>(compile(architecture, all_kernels(bf16)).size());
}

}  // namespace fd

#else

namespace fd {

void cuda_launch(const c10::Device &, const Kernel &, int64_t, int, int64_t, const void *, size_t) {
  TORCH_CHECK(false, "this build has no CUDA code");
}
Limits cuda_limits(const c10::Device &) { TORCH_CHECK(false, "this build has no CUDA code"); }
int64_t cuda_compile(const std::string &, bool) { TORCH_CHECK(false, "this build has no CUDA code"); }

}  // namespace fd

#endif
