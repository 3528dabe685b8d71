package cli

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"feddag/internal/spelling"
	"feddag/report"
	"feddag/torch"

	"github.com/spf13/pflag"
)

// machine holds the flags that select the device, the engine and the precision.
type machine struct {
	device        string // as given; after resolve, libtorch's name of the device
	engine        string // as given; after resolve, one of engines except auto
	precision     string
	deterministic bool
	memory        string // memory limit of a stacked call, as given
	workers       int
	general       bool // bench only: use kernels that are not compiled for the shapes of the layers
	fused         bool // bench only: compute all layers of a small network in few kernels
}

var (
	engines    = []string{"auto", "serial", "batched", "eager"}
	precisions = []string{"fp32", "tf32", "bf16"}
)

func (m *machine) flags(f *pflag.FlagSet) {
	f.StringVar(&m.device, "device", "auto", "device that computes: auto (a GPU if there is one; under torchrun, srun and mpirun, the GPU of the local rank), cpu, cuda, cuda:N")
	f.IntVar(&m.workers, "workers", runtime.NumCPU(), "number of clients that the serial engine trains at the same time on the CPU")
	f.StringVar(&m.engine, "engine", "auto", "engine that trains the clients: auto (batched on a GPU, serial on the CPU), serial (each client by itself, in C++), batched (all clients of a round together, with stacked weights), eager (layer by layer; a slow reference, CPU only)")
	f.StringVar(&m.precision, "precision", "fp32", "precision of matrix products and convolutions: fp32, tf32 (GPUs), bf16 (batched engine); weights, sums and losses are always float32")
	f.BoolVar(&m.deterministic, "deterministic", false, "make runs with the same seed on the same GPU machine give the same bits; slower; runs on the CPU always do, with the same libtorch and BLAS kernel")
	f.StringVar(&m.memory, "memory", "", "memory that the batched engine may use on the device besides models and images, such as 500MB or 8GB; it splits the clients of a round into groups that fit (default: 85% of the free memory)")
}

// check reports errors that can be found without the device.
func (m *machine) check() error {
	if err := spelling.OneOf("engine", m.engine, engines); err != nil {
		return usageError{err}
	}
	if err := spelling.OneOf("precision", m.precision, precisions); err != nil {
		return usageError{err}
	}
	if _, err := parseBytes(m.memory); err != nil {
		return usagef("--memory: %w", err)
	}
	switch {
	case m.workers < 1:
		return usagef("--workers is %d: use 1 or more", m.workers)
	case m.engine == "eager" && m.precision != "fp32":
		return usagef("--precision %s: the eager engine computes in fp32 only; use --engine batched", m.precision)
	case m.engine == "serial" && m.precision == "bf16":
		return usagef("only the batched engine has --precision bf16: add --engine batched")
	case m.memory != "" && (m.engine == "serial" || m.engine == "eager"):
		return usagef("only the batched engine has --memory: add --engine batched")
	case m.general && (m.engine == "serial" || m.engine == "eager"):
		return usagef("only the batched engine has --general-kernels: add --engine batched")
	case m.fused && (m.engine == "serial" || m.engine == "eager"):
		return usagef("only the batched engine has --fused-kernels: add --engine batched")
	case m.fused && m.general:
		return usagef("--fused-kernels are compiled for the shapes of layers: leave out --general-kernels")
	}
	return nil
}

// resolve replaces auto by the device and the engine that it selects on this machine.
func (m *machine) resolve() (torch.Device, error) {
	if m.device == "auto" {
		info, err := torch.Describe()
		if err != nil {
			return torch.CPU, err
		}
		if m.device, err = localDevice(info.CUDADevices, os.Getenv); err != nil {
			return torch.CPU, err
		}
	}
	device, err := torch.ParseDevice(m.device)
	if err != nil {
		return device, usageError{err}
	}
	m.device = device.String()
	if m.engine == "auto" {
		m.engine = "serial"
		if device.IsCUDA() {
			m.engine = "batched"
		}
	}
	switch {
	case m.engine == "eager" && device.IsCUDA():
		return device, usagef("--engine eager runs on the CPU only: add --device cpu")
	case m.precision == "tf32" && !device.IsCUDA():
		return device, usagef("only GPUs have --precision tf32, and this run is on the CPU: use --device cuda, or --precision fp32")
	case m.general && !device.IsCUDA():
		return device, usagef("only GPUs have --general-kernels, and this run is on the CPU: use --device cuda, or leave the flag out")
	case m.fused && !device.IsCUDA():
		return device, usagef("only GPUs have --fused-kernels, and this run is on the CPU: use --device cuda, or leave the flag out")
	}
	return device, m.check() // again, now that auto has been replaced
}

// executor starts the executor that the flags select, with the given number of workers. resolve must have been called before.
func (m *machine) executor(device torch.Device, workers int) (torch.Executor, error) {
	precision, err := torch.ParsePrecision(m.precision)
	if err != nil {
		return nil, usageError{err}
	}
	a := torch.Arithmetic{Precision: precision, Deterministic: m.deterministic}
	switch m.engine {
	case "eager":
		return torch.NewEager()
	case "batched":
		memory, err := parseBytes(m.memory)
		if err != nil {
			return nil, err
		}
		return torch.NewBatched(device, torch.BatchedOptions{Arithmetic: a, Memory: memory, GeneralKernels: m.general, FusedKernels: m.fused})
	}
	return torch.NewEngineWith(device, workers, a)
}

// describe fills in the description of the machine for the results.
func (m *machine) describe(e *report.Env) error {
	info, err := torch.Describe()
	if err != nil {
		return err
	}
	e.Libtorch, e.CUDA = info.Version, info.CUDA
	e.BLAS, e.BLASKernel, e.SIMD = info.BLAS, info.BLASKernel, info.SIMD
	e.Workers, e.Engine, e.Precision, e.Deterministic = m.workers, m.engine, m.precision, m.deterministic
	e.Device = m.device
	device, err := torch.ParseDevice(m.device)
	if err != nil {
		return err
	}
	e.DeviceName, err = device.Name()
	if !device.IsCUDA() {
		e.DeviceName = e.CPU
	}
	return err
}

// parseBytes parses a number of bytes, such as 500MB, 8GB or 1048576. An empty text is 0.
func parseBytes(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	digits := strings.TrimRight(text, "kKMGiB ")
	unit := strings.TrimSpace(text[len(digits):])
	n, err := strconv.ParseFloat(digits, 64)
	scale, known := map[string]float64{"": 1, "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "MiB": 1 << 20, "GiB": 1 << 30}[unit]
	if err != nil || !known || !(n*scale >= 1 && n*scale < 1<<60) {
		return 0, fmt.Errorf("%q is not a number of bytes: use 500MB, 8GB or the like", text)
	}
	return int64(n * scale), nil
}

// whyCPU explains why auto selected the CPU although there is an NVIDIA driver. It returns "" if there is nothing to explain.
func whyCPU(asked string, info torch.Info) string {
	if asked != "auto" || info.CUDADevices > 0 || !info.CUDABuilt || info.CUDAProblem == "there is no NVIDIA driver" {
		return ""
	}
	return info.CUDAProblem
}
