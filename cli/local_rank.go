package cli

import (
	"fmt"
	"strconv"
)

// localRankVariables name the place of a process among those on its machine: torchrun's variable, srun's, and Open MPI's.
var localRankVariables = []string{"LOCAL_RANK", "SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK"}

// localDevice returns what --device auto stands for where a launcher starts several processes on a machine with that many
// CUDA devices: the device of the process's local rank, counted from the first again where there are more processes than
// devices. It is auto where there is no choice. getenv is [os.Getenv].
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
