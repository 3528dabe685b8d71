// Package preload prevents gotorch's init from ending the process. Unless OMP_NUM_THREADS is set, that init calls
// SetNumThreads(NumCPU/2), which is SetNumThreads(0) on a machine with one CPU. Go initialises packages in the order of their
// import paths as far as their imports allow. This package sorts before github.com/... and only imports os, so its init runs
// first.
package preload

import "os"

func init() {
	if os.Getenv("OMP_NUM_THREADS") == "" {
		os.Setenv("OMP_NUM_THREADS", "1")
	}
}
