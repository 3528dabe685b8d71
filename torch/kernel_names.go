package torch

// #include "shim/fd.h"
import "C"

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	mklVersion    = regexp.MustCompile(`Math Kernel Library Version (\d+(?:\.\d+)*)`)
	cpuCapability = regexp.MustCompile(`CPU capability usage: (.+)`)
)

// oneDNNSets has the names of the values of oneDNN's dnnl_cpu_isa_t. A newer instruction set is shown with the name of the
// widest set that it contains.
var oneDNNSets = []struct {
	bits int
	name string
}{
	{0xfef, "AVX512 AMX"}, {0x1ef, "AVX512 FP16"}, {0xe7, "AVX512 BF16"}, {0x67, "AVX512 VNNI"}, {0x27, "AVX512"},
	{0xf, "AVX2 VNNI"}, {0x7, "AVX2"}, {0x3, "AVX"}, {0x1, "SSE4.1"},
}

// describeKernels sets BLASKernel and SIMD.
func (info *Info) describeKernels() error {
	config, err := ask(func(text **C.char) *C.char { return C.fd_config(text) })
	if err != nil {
		return err
	}
	openBLAS, err := ask(func(text **C.char) *C.char { return C.fd_openblas(text) })
	if err != nil {
		return err
	}
	var isa C.int
	if err := failure(C.fd_onednn_isa(&isa)); err != nil {
		return err
	}
	info.BLASKernel = blasKernel(config, openBLAS, os.Getenv("MKL_CBWR"), info.BLAS)
	info.SIMD = simdSets(config, int(isa))
	return nil
}

// blasKernel returns the name of the BLAS and of its kernels. MKL does not say which kernels it runs, so its version and
// the variable that restricts them, MKL_CBWR, are all that is known. A system BLAS other than OpenBLAS is named by its
// file.
func blasKernel(config, openBLAS, cbwr, file string) string {
	version := mklVersion.FindStringSubmatch(config)
	switch {
	case version != nil && cbwr != "":
		return "MKL " + version[1] + " MKL_CBWR=" + cbwr
	case version != nil:
		return "MKL " + version[1]
	case openBLAS != "":
		return openBLAS
	}
	return filepath.Base(file)
}

// simdSets returns the names of the instruction sets of libtorch's loops and of oneDNN, as far as they are known.
func simdSets(config string, isa int) string {
	var names []string
	if m := cpuCapability.FindStringSubmatch(config); m != nil {
		names = append(names, strings.TrimSpace(m[1]))
	}
	for _, set := range oneDNNSets {
		if isa != 0 && isa&set.bits == set.bits {
			names = append(names, "oneDNN "+set.name)
			break
		}
	}
	return strings.Join(names, ", ")
}
