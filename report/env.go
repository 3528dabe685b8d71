package report

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Env is the content of env.json: the software and hardware that computed the results of a run. NewEnv fills in what Go and
// the system provide; the caller adds the fields of libtorch.
type Env struct {
	Feddag   string `json:"feddag"`   // commit, with "+modified" if the tree had changes
	Go       string `json:"go"`       // version
	Libtorch string `json:"libtorch"` // version
	BLAS     string `json:"blas"`     // file of the library

	// BLASKernel and SIMD name the code paths that were chosen for the processor. On the CPU, the bits of a result depend on
	// both and on Libtorch.
	BLASKernel string `json:"blas_kernel,omitempty"` // "OpenBLAS 0.3.21 Zen"
	SIMD       string `json:"simd,omitempty"`        // instruction sets of libtorch and oneDNN, such as "AVX2, oneDNN AVX512"

	CUDA   string `json:"cuda,omitempty"` // runtime and driver
	Device string `json:"device"`         // "cpu", "cuda:0"

	// DeviceName is the name of the GPU, or the model of the CPU.
	DeviceName    string `json:"device_name"`
	Engine        string `json:"engine"`
	Precision     string `json:"precision"`
	Deterministic bool   `json:"deterministic,omitempty"`

	CPU     string `json:"cpu"`   // model
	Cores   int    `json:"cores"` // number of cores that this process can use
	Workers int    `json:"workers"`
	OS      string `json:"os"`
	Kernel  string `json:"kernel"`

	Command []string  `json:"command"`
	Started time.Time `json:"started"`

	// Extra holds everything that has no field: environment variables, flags of the build, versions of the data.
	Extra map[string]string `json:"extra,omitempty"`
}

// NewEnv returns the environment of this process, without the fields of libtorch.
func NewEnv() Env {
	return Env{
		Feddag:  Commit(),
		Go:      runtime.Version(),
		CPU:     cpuModel(),
		Cores:   runtime.NumCPU(),
		OS:      osName(),
		Kernel:  firstLine("/proc/sys/kernel/osrelease"),
		Command: os.Args,
		Started: time.Now().Round(time.Second),
	}
}

// WriteEnv writes env.json.
func (d *Dir) WriteEnv(e Env) error { return d.WriteJSON(EnvFile, e) }

// Commit returns the commit from which this program was built, or "unknown".
func Commit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		var revision, modified string
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				revision = s.Value
			case "vcs.modified":
				if s.Value == "true" {
					modified = "+modified"
				}
			}
		}
		if revision != "" {
			return revision + modified
		}
	}
	// The program was built with -buildvcs=false, or as a test. Ask git, but only about the checkout of this program.
	exe, err := os.Executable()
	if err != nil {
		return "unknown"
	}
	for _, dir := range []string{filepath.Dir(exe), "."} {
		top := git(dir, "rev-parse", "--show-toplevel")
		if top == "" || firstLine(filepath.Join(top, "go.mod")) != "module feddag" {
			continue
		}
		if c := git(dir, "rev-parse", "HEAD"); c != "" {
			if git(dir, "status", "--porcelain", "--untracked-files=no") != "" {
				c += "+modified"
			}
			return c
		}
	}
	return "unknown"
}

func git(dir string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...).Output()
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(out))
}

func cpuModel() string {
	if s := lookup("/proc/cpuinfo", "model name", ":"); s != "" {
		return s
	}
	return runtime.GOARCH
}

func osName() string {
	if s := strings.Trim(lookup("/etc/os-release", "PRETTY_NAME", "="), `"`); s != "" {
		return s
	}
	return runtime.GOOS
}

// lookup returns the value of the first line `key sep value` of a file.
func lookup(path, key, sep string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if k, v, ok := strings.Cut(sc.Text(), sep); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func firstLine(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := bytes.Cut(raw, []byte("\n"))
	return string(bytes.TrimSpace(line))
}
