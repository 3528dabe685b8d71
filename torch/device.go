package torch

// #include "shim/fd.h"
import "C"

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Device is a place for vectors and networks. The zero Device is the CPU.
type Device struct {
	cuda  bool
	index int
}

// CPU is the CPU.
var CPU = Device{}

// String returns libtorch's name of the device, such as "cpu" or "cuda:0".
func (d Device) String() string {
	if !d.cuda {
		return "cpu"
	}
	return "cuda:" + strconv.Itoa(d.index)
}

// ParseDevice parses "auto" (the first CUDA device, or the CPU if there is none), "cpu", "cuda" or "cuda:N". If a CUDA
// device is named but does not exist, ParseDevice returns an error and never the CPU.
func ParseDevice(text string) (Device, error) {
	info, err := Describe()
	if err != nil {
		return CPU, err
	}
	return info.device(text)
}

// device is ParseDevice on a machine with the given properties.
func (info Info) device(text string) (_ Device, err error) {
	if text == "auto" {
		return Device{cuda: info.CUDADevices > 0}, nil
	}
	if text == "cpu" {
		return CPU, nil
	}
	index := 0
	if rest, ok := strings.CutPrefix(text, "cuda:"); ok {
		if index, err = strconv.Atoi(rest); err != nil || index < 0 {
			return CPU, fmt.Errorf("device %q: the number after cuda: must be 0 or more", text)
		}
	} else if text != "cuda" {
		return CPU, fmt.Errorf("device %q: want auto, cpu, cuda or cuda:N", text)
	}
	switch {
	case !info.CUDABuilt:
		return CPU, fmt.Errorf("device %q: this libtorch (%s) was built without CUDA; use --device cpu, or build against a CUDA libtorch (LIBTORCH or LIBTORCH_USE_PYTORCH=1)", text, info.Version)
	case info.CUDADevices == 0:
		return CPU, fmt.Errorf("device %q: no CUDA device can be used: %s; or use --device cpu", text, info.CUDAProblem)
	case index >= info.CUDADevices:
		return CPU, fmt.Errorf("device %q: the CUDA devices are cuda:0 to cuda:%d", text, info.CUDADevices-1)
	}
	return Device{cuda: true, index: index}, nil
}

// Name returns the maker's name of the device, such as "NVIDIA H100 80GB HBM3"; it is empty for the CPU.
func (d Device) Name() (string, error) {
	var text *C.char
	if err := d.call(func(name *C.char) *C.char { return C.fd_device_name(name, &text) }); err != nil {
		return "", err
	}
	defer C.fd_free_message(text)
	return C.GoString(text), nil
}

// IsCUDA reports whether the device is a GPU.
func (d Device) IsCUDA() bool { return d.cuda }

// Memory returns the available memory of the device, its total memory, and the peak of this process, in bytes. For the CPU,
// it returns the available and the total memory that the kernel reports, and a peak of 0.
func (d Device) Memory() (available, total, peak int64, err error) {
	if !d.cuda {
		available, total, err = hostMemory()
		return available, total, 0, err
	}
	var a, t, p C.int64_t
	err = d.call(func(name *C.char) *C.char { return C.fd_device_memory(name, &a, &t, &p) })
	return int64(a), int64(t), int64(p), err
}

// hostMemory returns the memory of the host that the kernel reports, in bytes.
func hostMemory() (available, total int64, err error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, 0, fmt.Errorf("reading the host's memory: %w", err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kb int64
		if n, _ := fmt.Sscanf(lines.Text(), "MemTotal: %d kB", &kb); n == 1 {
			total = kb << 10
		}
		if n, _ := fmt.Sscanf(lines.Text(), "MemAvailable: %d kB", &kb); n == 1 {
			available = kb << 10
		}
	}
	return available, total, nil
}
