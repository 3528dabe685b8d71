package torch

// #include "shim/fd.h"
import "C"

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// Info describes the libraries that are linked and loaded.
type Info struct {
	Version     string // version of libtorch, such as "1.13.1"
	Library     string // path of the loaded libtorch_cpu
	BLAS        string // paths of the loaded BLAS libraries, or "inside libtorch"
	FastBLAS    bool   // false for the reference BLAS, which is several times slower
	BLASKernel  string // the BLAS and the kernels that it chose for this processor, such as "OpenBLAS 0.3.21 Zen"
	SIMD        string // the instruction sets of libtorch's own loops and of oneDNN, such as "AVX2, oneDNN AVX512"
	OneDNN      bool   // whether libtorch has oneDNN
	CUDABuilt   bool   // whether libtorch has CUDA code
	CUDA        string // the versions of CUDA's run-time library and of the driver, such as "13.0, driver 13.1"; empty without CUDA
	CUDADevices int    // number of visible CUDA devices
	CUDAProblem string // why there is no CUDA device; empty if there is one
}

// Describe asks libtorch and the loader for a description.
func Describe() (Info, error) {
	var info Info
	if err := ready(); err != nil {
		return info, err
	}
	var version *C.char
	if err := failure(C.fd_version(&version)); err != nil {
		return info, err
	}
	info.Version = C.GoString(version)
	var onednn, built, devices C.int
	if err := failure(C.fd_features(&onednn, &built, &devices)); err != nil {
		return info, err
	}
	info.OneDNN, info.CUDABuilt, info.CUDADevices = onednn != 0, built != 0, int(devices)
	var err error
	if info.CUDA, err = ask(func(text **C.char) *C.char { return C.fd_cuda_version(text) }); err != nil {
		return info, err
	}
	if info.CUDAProblem, err = ask(func(text **C.char) *C.char { return C.fd_device_problem(text) }); err != nil {
		return info, err
	}
	info.BLAS, info.FastBLAS = "inside libtorch", true
	for _, path := range loaded() {
		name := filepath.Base(path)
		switch {
		case strings.HasPrefix(name, "libtorch_cpu"):
			info.Library = path
		case strings.HasPrefix(name, "libopenblas"), strings.HasPrefix(name, "libmkl_rt"):
			info.BLAS = path
		case strings.HasPrefix(name, "libblas"):
			// With Debian's alternatives, OpenBLAS may be behind the same name.
			info.BLAS, info.FastBLAS = path, strings.Contains(path, "openblas") || strings.Contains(path, "atlas")
		}
	}
	return info, info.describeKernels()
}

// ask returns the text that a function of the shim allocates, and frees it.
func ask(fn func(text **C.char) *C.char) (string, error) {
	var text *C.char
	if err := failure(fn(&text)); err != nil {
		return "", err
	}
	defer C.fd_free_message(text)
	return C.GoString(text), nil
}

// loaded returns the shared libraries that this process has loaded.
func loaded() []string {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil
	}
	defer f.Close()
	var paths []string
	seen := map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if i := strings.IndexByte(lines.Text(), '/'); i >= 0 {
			if path := lines.Text()[i:]; strings.Contains(path, ".so") && !seen[path] {
				seen[path] = true
				paths = append(paths, path)
			}
		}
	}
	return paths
}
