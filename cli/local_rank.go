package cli

import (
	"fmt"
	"strconv"
)

// localRankVariables are the environment variables with the local rank, which is the rank among the processes on the same
// machine, set by torchrun, srun and Open MPI.
var localRankVariables = []string{"LOCAL_RANK", "SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK"}

// localDevice returns the device that --device auto selects if a launcher starts several processes on a machine with the
// given number of CUDA devices: the device of the process's local rank, modulo the number of devices. It returns auto if
// there is no choice. getenv is [os.Getenv].
func localDevice(devices int, getenv func(string) string) (string, error) {
	if devices < 2 {
		return "auto", nil
	}
	for _, name := range localRankVariables {
		text := getenv(name)
		if text == "" {
			continue
		}
		rank, err := strconv.Atoi(text)
		if err != nil || rank < 0 {
			return "", usagef("the environment variable %s is %q, and not a whole number of 0 or more: name the GPU with --device cuda:N", name, text)
		}
		return fmt.Sprintf("cuda:%d", rank%devices), nil
	}
	return "auto", nil
}
