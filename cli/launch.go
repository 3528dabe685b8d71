package cli

import (
	"fmt"
	"strconv"
	"strings"

	"feddag/internal/spelling"
	"feddag/torch/ranks"
)

// distributedFlag is the name of the flag that says whether the processes of a launcher do one run together.
const distributedFlag = "distributed"

// distributedModes are the values of that flag.
var distributedModes = []string{"auto", "off"}

// launcher describes the environment variables by which a program that starts several processes tells each process its rank.
type launcher struct {
	name, rank, size string // name of the launcher, and the variables with the rank and the number of processes
}

// launchers are the supported launchers. The first one whose variables are set is used. torchrun, the PyTorchJobs of Kubeflow
// and others set the same variables. For srun, only the variables of a job step are used: in a batch script outside of srun
// there is one process, however many tasks the job has.
var launchers = []launcher{
	{"torchrun", "RANK", "WORLD_SIZE"},
	{"srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"},
	{"mpirun", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
}

// distributedMode returns the value of --distributed before the other flags are parsed.
func distributedMode(args []string) (string, error) {
	mode, err := scan(args, distributedFlag)
	if err != nil {
		return "", err
	}
	if mode == "" {
		given, err := loadDefaults(args)
		if err != nil {
			return "", err
		}
		mode, _ = given.get(distributedFlag)
	}
	if mode == "" {
		return "auto", nil
	}
	if err := spelling.OneOf("distributed", mode, distributedModes); err != nil {
		return "", usageError{err}
	}
	return mode, nil
}

// launched returns the rank of this process and where the ranks meet. It returns nil if the process is not one of several.
// getenv is [os.Getenv].
func launched(getenv func(string) string) (*ranks.Place, error) {
	for _, l := range launchers {
		if getenv(l.rank) == "" || getenv(l.size) == "" {
			continue
		}
		rank, err := variable(getenv, l.rank, 0, 1<<20)
		if err != nil {
			return nil, err
		}
		size, err := variable(getenv, l.size, 1, 1<<20)
		if err != nil {
			return nil, err
		}
		if size == 1 {
			return nil, nil
		}
		if rank >= size {
			return nil, usagef("the environment variable %s is %d, and %s is %d: ranks count from 0%s", l.rank, rank, l.size, size, orOff)
		}
		p := &ranks.Place{Rank: rank, Size: size, Serve: true, Attempt: attempt(getenv), Interface: getenv("GLOO_SOCKET_IFNAME")}
		p.Interface, _, _ = strings.Cut(p.Interface, ",")
		// The agent of torchrun serves the store at MASTER_PORT, unless it is configured otherwise.
		if strings.EqualFold(getenv("TORCHELASTIC_USE_AGENT_STORE"), "true") {
			p.Serve = false
		}
		if err := l.master(p, getenv); err != nil {
			return nil, err
		}
		return p, nil
	}
	return nil, nil
}

// orOff is the end of the errors about a launcher's variables.
const orOff = "; --distributed off ignores launchers"

// attempt returns a text that is different for each attempt of a launcher, because all attempts use the same store.
func attempt(getenv func(string) string) string {
	if n := getenv("TORCHELASTIC_RESTART_COUNT"); n != "" {
		return "attempt-" + n
	}
	return "attempt-0"
}

// master sets the address and port at which the ranks meet.
func (l launcher) master(p *ranks.Place, getenv func(string) string) error {
	p.Host = getenv("MASTER_ADDR")
	if p.Host == "" && l.name == "srun" {
		nodes := getenv("SLURM_STEP_NODELIST")
		if nodes == "" {
			nodes = getenv("SLURM_NODELIST")
		}
		p.Host = firstHost(nodes)
	}
	if p.Host == "" {
		return usagef("the environment variables %s and %s say that this is rank %d of %d, but MASTER_ADDR, the host of rank 0, is not set%s",
			l.rank, l.size, p.Rank, p.Size, orOff)
	}
	if getenv("MASTER_PORT") != "" {
		port, err := variable(getenv, "MASTER_PORT", 1, 65535)
		p.Port = uint16(port)
		return err
	}
	if id := getenv("SLURM_JOB_ID"); id != "" && l.name == "srun" {
		job, err := variable(getenv, "SLURM_JOB_ID", 0, 1<<62)
		p.Port = uint16(20000 + job%20000) // two jobs on one machine rarely get the same port
		return err
	}
	return usagef("the environment variables %s and %s say that this is rank %d of %d, but MASTER_PORT, a free port of %s, is not set%s",
		l.rank, l.size, p.Rank, p.Size, p.Host, orOff)
}

// variable reads a whole number from an environment variable.
func variable(getenv func(string) string, name string, least, most int) (int, error) {
	n, err := strconv.Atoi(getenv(name))
	if err != nil || n < least || n > most {
		return 0, usagef("the environment variable %s is %q, and not a whole number from %d to %d%s", name, getenv(name), least, most, orOff)
	}
	return n, nil
}

// firstHost returns the first host of a list in Slurm's notation: gpu03 for "gpu[03-05,9],login".
func firstHost(list string) string {
	name, rest, ranges := strings.Cut(list, "[")
	if before, _, several := strings.Cut(name, ","); several || !ranges {
		return before
	}
	numbers, rest, _ := strings.Cut(rest, "]")
	first, _, _ := strings.Cut(numbers, ",")
	first, _, _ = strings.Cut(first, "-")
	suffix, _, _ := strings.Cut(rest, ",")
	return fmt.Sprintf("%s%s%s", name, first, suffix)
}
