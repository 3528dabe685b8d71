// Package preload keeps gotorch's init from ending the process: it calls SetNumThreads(NumCPU/2), which on one CPU is
// SetNumThreads(0), unless OMP_NUM_THREADS is set. Go initialises packages in the order of their import paths as their
// imports allow; this one comes before github.com/... and imports os alone, so its init runs first.
package preload

import "os"

func init() {
	if os.Getenv("OMP_NUM_THREADS") == "" {
		os.Setenv("OMP_NUM_THREADS", "1")
	}
}
