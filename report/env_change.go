package report

import (
	"fmt"
	"strings"
)

// Changes lists what a result's bits depend on and what is not the same in e and now, one "libtorch 1.13.1, was 2.11.0"
// for each. It skips what e does not have, because an older program did not record it.
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
	case strings.HasPrefix(now.BLASKernel, "MKL"): // which does not tell what it chose for the processor
		compare("CPU", e.CPU, now.CPU)
	}
	return changes
}
