package lockfile

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Holder is a process that holds a lock, as recorded in the lock file.
type Holder struct {
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	Job   string    `json:"job,omitempty"` // number of the Slurm job
	Since time.Time `json:"since"`
	Boot  string    `json:"boot"` // id of the running kernel; containers of one machine share it
	Beat  int       `json:"beat"` // increases while the process lives
}

// String describes the holder in words: host, process, job and start time.
func (h Holder) String() string {
	if h.PID == 0 {
		return "another process, which the lock file does not name"
	}
	job := ""
	if h.Job != "" {
		job = ", Slurm job " + h.Job
	}
	return fmt.Sprintf("process %d on host %s%s, since %s", h.PID, h.Host, job, h.Since.Local().Format("2006-01-02 15:04:05"))
}

func thisProcess() Holder {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		boot = []byte(host) // use the name of the machine instead
	}
	return Holder{Host: plain(host), PID: os.Getpid(), Job: SlurmJob(), Since: time.Now().UTC().Truncate(time.Second), Boot: plain(string(boot))}
}

// SlurmJob returns the number of the Slurm job of this process, with the task of an array: "71" or "71_3". It is empty
// outside of Slurm.
func SlurmJob() string {
	if array, task := os.Getenv("SLURM_ARRAY_JOB_ID"), os.Getenv("SLURM_ARRAY_TASK_ID"); array != "" && task != "" {
		return plain(array + "_" + task)
	}
	return plain(os.Getenv("SLURM_JOB_ID"))
}

// recordSize is the length of a record in bytes. It is one write, and less than a disk's sector.
const recordSize = 512

// encode returns the record, one line of JSON padded with blanks.
func (h Holder) encode() ([]byte, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	return []byte(string(text) + strings.Repeat(" ", max(0, recordSize-1-len(text))) + "\n"), nil
}

// plain keeps at most 64 letters, digits, dots, dashes and underscores of a name, so that a record has its length for every
// host name and every environment.
func plain(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
			return r
		}
		return -1
	}, name)
	return name[:min(len(name), 64)]
}

// Read returns who holds, or held, the lock at path. The file may be unlocked: a killed process leaves it behind.
func Read(path string) (Holder, error) {
	f, err := os.Open(path)
	if err != nil {
		return Holder{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, recordSize))
	if err != nil {
		return Holder{}, err
	}
	var h Holder
	if err := json.Unmarshal(text, &h); err != nil {
		return Holder{}, fmt.Errorf("reading %s: %w", path, err)
	}
	if h.PID <= 0 {
		return Holder{}, fmt.Errorf("reading %s: it does not name a process", path)
	}
	h.Host, h.Job, h.Boot = plain(h.Host), plain(h.Job), plain(h.Boot) // because any program may have written them
	return h, nil
}
