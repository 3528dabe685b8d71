package report

import (
	"fmt"
	"strings"
)

// Changes lists the differences between e and now on which the bits of a result depend, each in the form "libtorch 1.13.1,
// was 2.11.0". It skips fields that e does not have because an older version did not record them.
func (e Env) Changes(now Env) []string {
	var changes []string
	compare := func(name, was, is string) {
		if was != "" && is != was {
			changes = append(changes, fmt.Sprintf("%s %s, was %s", name, is, was))
		}
	}
	compare("libtorch", e.Libtorch, now.Libtorch)
	compare("BLAS kernel", e.BLASKernel, now.BLASKernel)
	compare("SIMD", e.SIMD, now.SIMD)
	switch {
	case strings.HasPrefix(now.Device, "cuda"):
		compare("GPU", e.DeviceName, now.DeviceName)
	case strings.HasPrefix(now.BLASKernel, "MKL"): // MKL does not report the kernel that it chose for the processor
		compare("CPU", e.CPU, now.CPU)
	}
	return changes
}
