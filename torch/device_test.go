package torch

import (
	"strings"
	"testing"
)

// TestDevices checks every name of a device on machines of every kind: the result is the device or an error that says what
// is missing, and never the CPU in place of a GPU.
func TestDevices(t *testing.T) {
	plain := Info{Version: "1.13.1"}
	without := Info{Version: "2.11.0", CUDABuilt: true, CUDAProblem: "there is no NVIDIA driver"}
	old := Info{CUDABuilt: true, CUDAProblem: "the driver knows CUDA 12.4, this libtorch is built for CUDA 13.0: update the driver"}
	two := Info{CUDABuilt: true, CUDADevices: 2}
	for _, x := range []struct {
		info       Info
		text, want string // a device, or words of the error
	}{
		{plain, "auto", "cpu"}, {plain, "cpu", "cpu"}, {without, "auto", "cpu"}, {old, "cpu", "cpu"},
		{two, "auto", "cuda:0"}, {two, "cpu", "cpu"}, {two, "cuda", "cuda:0"}, {two, "cuda:1", "cuda:1"},
		{plain, "cuda", "was built without CUDA"}, {plain, "cuda:1", "was built without CUDA"},
		{without, "cuda", "there is no NVIDIA driver"}, {without, "cuda:0", "use --device cpu"},
		{old, "cuda", "built for CUDA 13.0: update the driver"},
		{two, "cuda:7", "the CUDA devices are cuda:0 to cuda:1"},
		{two, "cuda:-1", "must be 0 or more"}, {two, "cuda:x", "must be 0 or more"}, {two, "gpu", "want auto, cpu, cuda or cuda:N"},
	} {
		d, err := x.info.device(x.text)
		if err == nil && d.String() != x.want || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s on %+v: %v, %v; want %s", x.text, x.info, d, err, x.want)
		}
	}
}
