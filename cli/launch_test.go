package cli

import (
	"maps"
	"strings"
	"testing"

	"feddag/torch/ranks"
)

// TestLaunched checks the rank of a process with the variables of each launcher, and the errors for wrong variables.
func TestLaunched(t *testing.T) {
	torchrun := map[string]string{"RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "node1", "MASTER_PORT": "29500",
		"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "2"}
	job := map[string]string{"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "job-master-0", "MASTER_PORT": "23456"}
	step := map[string]string{"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NODELIST": "gpu[07-08,12]", "SLURM_JOB_ID": "123456"}
	with := func(m map[string]string, pairs ...string) map[string]string {
		m = maps.Clone(m)
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	for name, c := range map[string]struct {
		variables map[string]string
		want      *ranks.Place
		problem   string
	}{
		"no launcher": {map[string]string{}, nil, ""},
		"torchrun":    {torchrun, &ranks.Place{Rank: 1, Size: 4, Host: "node1", Port: 29500, Attempt: "attempt-2"}, ""},
		"torchrun without its store": {with(torchrun, "TORCHELASTIC_USE_AGENT_STORE", "False"),
			&ranks.Place{Rank: 1, Size: 4, Host: "node1", Port: 29500, Serve: true, Attempt: "attempt-2"}, ""},
		"one process": {with(torchrun, "RANK", "0", "WORLD_SIZE", "1"), nil, ""},
		"PyTorchJob": {with(job, "GLOO_SOCKET_IFNAME", "eth0,eth1"),
			&ranks.Place{Size: 2, Host: "job-master-0", Port: 23456, Serve: true, Attempt: "attempt-0", Interface: "eth0"}, ""},
		"srun": {step, &ranks.Place{Rank: 3, Size: 4, Host: "gpu07", Port: 23456, Serve: true, Attempt: "attempt-0"}, ""},
		"srun with MASTER_ADDR": {with(step, "MASTER_ADDR", "10.0.0.1", "MASTER_PORT", "4000"),
			&ranks.Place{Rank: 3, Size: 4, Host: "10.0.0.1", Port: 4000, Serve: true, Attempt: "attempt-0"}, ""},
		"a batch script outside of srun": {map[string]string{"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_JOB_ID": "1"}, nil, ""},
		"mpirun": {map[string]string{"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"},
			&ranks.Place{Rank: 1, Size: 2, Host: "a", Port: 1, Serve: true, Attempt: "attempt-0"}, ""},
		"no address":     {with(job, "MASTER_ADDR", ""), nil, "MASTER_ADDR, the host of rank 0, is not set"},
		"no port":        {with(job, "MASTER_PORT", ""), nil, "MASTER_PORT, a free port of job-master-0, is not set"},
		"no number":      {with(job, "RANK", "first"), nil, `RANK is "first"`},
		"a rank too big": {with(job, "RANK", "2"), nil, "ranks count from 0"},
		"no such port":   {with(job, "MASTER_PORT", "70000"), nil, `MASTER_PORT is "70000"`},
	} {
		got, err := launched(func(v string) string { return c.variables[v] })
		if c.problem != "" {
			if err == nil || !strings.Contains(err.Error(), c.problem) || !strings.Contains(err.Error(), "--distributed off") {
				t.Errorf("%s: %v, which lacks %q", name, err, c.problem)
			}
			continue
		}
		if err != nil || (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: %+v, not %+v (%v)", name, got, c.want, err)
		}
	}
}

func TestFirstHost(t *testing.T) {
	for list, want := range map[string]string{
		"gpu1": "gpu1", "gpu1,gpu2": "gpu1", "gpu[03-05,9],login": "gpu03", "gpu[7,9]": "gpu7", "a,gpu[1-2]": "a", "n[1-2]-ib": "n1-ib", "": "",
	} {
		if got := firstHost(list); got != want {
			t.Errorf("the first host of %q is %q, not %q", list, got, want)
		}
	}
}
