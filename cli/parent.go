package cli

import (
	"syscall"
)

// dieWithLauncher makes the kernel send SIGTERM to this process when torchrun, which started it, is killed. Without this, the
// processes of a killed torchrun would keep running. getenv is [os.Getenv].
func dieWithLauncher(getenv func(string) string) {
	if getenv("TORCHELASTIC_RUN_ID") == "" {
		return
	}
	const setDeathSignal = 1 // PR_SET_PDEATHSIG
	// It cannot fail with a valid signal, and without it only the clean-up after a killed torchrun is missing.
	syscall.RawSyscall(syscall.SYS_PRCTL, setDeathSignal, uintptr(syscall.SIGTERM), 0)
}
