package torch

// #include "shim/fd.h"
import "C"

import (
	"fmt"
	"strconv"
	"strings"
)

// Device is where vectors live and networks run. The zero Device is the CPU.
type Device struct {
	cuda  bool
	index int
}

// CPU is the host.
var CPU = Device{}

// String returns libtorch's name of the device: "cpu", "cuda:0".
func (d Device) String() string {
	if !d.cuda {
		return "cpu"
	}
	return "cuda:" + strconv.Itoa(d.index)
}

// ParseDevice reads "auto" (the first CUDA device, or the CPU where there is none), "cpu", "cuda" or "cuda:N". A CUDA
// device that is asked for by name and is not there is an error, never the CPU.
func ParseDevice(text string) (Device, error) {
	info, err := Describe()
	if err != nil {
		return CPU, err
	}
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
		return CPU, fmt.Errorf("device %q: no CUDA device is visible; check nvidia-smi and CUDA_VISIBLE_DEVICES, or use --device cpu", text)
	case index >= info.CUDADevices:
		return CPU, fmt.Errorf("device %q: there are %d CUDA devices, cuda:0 to cuda:%d", text, info.CUDADevices, info.CUDADevices-1)
	}
	return Device{cuda: true, index: index}, nil
}
