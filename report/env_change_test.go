package report

import (
	"slices"
	"testing"
)

func TestEnvChanges(t *testing.T) {
	was := Env{Libtorch: "1.13.1", BLASKernel: "OpenBLAS 0.3.21 Zen", SIMD: "AVX2", CPU: "a", Device: "cpu", DeviceName: "a"}
	mkl := was
	mkl.BLASKernel = "MKL 2024.2"
	gpu := was
	gpu.Device, gpu.DeviceName = "cuda:0", "H100"
	for name, c := range map[string]struct {
		was    Env
		change func(now *Env)
		want   []string
	}{
		"nothing":              {was, func(*Env) {}, nil},
		"another libtorch":     {was, func(now *Env) { now.Libtorch = "2.11.0" }, []string{"libtorch 2.11.0, was 1.13.1"}},
		"another kernel":       {was, func(now *Env) { now.BLASKernel = "OpenBLAS 0.3.21 Haswell" }, []string{"BLAS kernel OpenBLAS 0.3.21 Haswell, was OpenBLAS 0.3.21 Zen"}},
		"other SIMD":           {was, func(now *Env) { now.SIMD = "AVX512" }, []string{"SIMD AVX512, was AVX2"}},
		"another CPU":          {was, func(now *Env) { now.CPU = "b" }, nil},
		"another CPU with MKL": {mkl, func(now *Env) { now.CPU = "b" }, []string{"CPU b, was a"}},
		"another GPU":          {gpu, func(now *Env) { now.DeviceName = "H200" }, []string{"GPU H200, was H100"}},
		"an old file":          {Env{Libtorch: "1.13.1"}, func(now *Env) { *now = was }, nil},
	} {
		now := c.was
		c.change(&now)
		if got := c.was.Changes(now); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
