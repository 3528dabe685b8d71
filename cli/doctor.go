package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"feddag/federation/data"
	"feddag/report"
	"feddag/torch"

	"github.com/spf13/pflag"
)

func init() {
	register("doctor", "check libtorch, GPU and data sets, and say how to get what is missing", doctor)
}

const doctorIntro = `Says which libtorch, BLAS, GPU and data sets were found, and how to get what was not found. Also lists the directories in
runs/ that are in use, with the processes that use them.
Exit code 0 if training is possible, 1 if not.

Usage: feddag doctor [flags]
`

// doctorOptions are the flags of doctor.
type doctorOptions struct {
	dataDir, device string
	flags           *pflag.FlagSet
}

func newDoctorOptions() *doctorOptions {
	o := &doctorOptions{flags: newFlagSet()}
	o.flags.StringVar(&o.dataDir, "data-dir", "", "folder in which to look for data sets first")
	o.flags.StringVar(&o.device, "device", "auto", "device to check: auto, cpu, cuda, cuda:N")
	return o
}

func doctor(_ context.Context, args []string, out, _ io.Writer) error {
	o := newDoctorOptions()
	fs := o.flags
	if helped, err := parseCommand("doctor", doctorIntro, fs, args, out); helped || err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return usagef("doctor takes no argument, got %q", fs.Arg(0))
	}
	fmt.Fprintf(out, "feddag    %s, %s, %d cores\n", revision(), runtime.Version(), runtime.NumCPU())
	able := checkTorch(out, o.device)
	able = checkData(out, data.SearchDirs(o.dataDir)) && able
	if err := showUsers(out, "runs"); err != nil {
		return err
	}
	if !able {
		fmt.Fprintln(out, "\nnot ready to train: see the lines marked with !")
		return errReported
	}
	fmt.Fprintln(out, "\nready to train; the first command is: feddag train")
	return nil
}

// quiet is the longest time between two updates of the lock of a run in use, with a margin for slow file systems.
const quiet = time.Minute

// showUsers prints the run directories below a folder that are in use, with the process that uses each, and those that a
// killed process left locked.
func showUsers(out io.Writer, folder string) error {
	users, err := report.Users(folder)
	if err != nil {
		return err
	}
	for _, u := range users {
		if since := time.Since(u.Seen).Round(time.Second); since < quiet {
			fmt.Fprintf(out, "run       %s: in use by %s\n", u.Dir, u.Holder)
		} else {
			fmt.Fprintf(out, "run       %s: left by %s, which has shown no activity for %v\n", u.Dir, u.Holder, since)
		}
	}
	return nil
}

// checkTorch prints which libtorch and which device were found, and reports whether both can be used.
func checkTorch(out io.Writer, name string) bool {
	info, err := torch.Describe()
	if err != nil {
		fmt.Fprintf(out, "! libtorch %v\n  build again: make build (LIBTORCH=DIR or LIBTORCH_USE_PYTORCH=1 chooses another)\n", err)
		return false
	}
	fmt.Fprintf(out, "libtorch  %s, %s\n", info.Version, info.Library)
	fmt.Fprintf(out, "BLAS      %s, %s\n", info.BLASKernel, info.BLAS)
	if info.SIMD != "" {
		fmt.Fprintf(out, "SIMD      %s\n", info.SIMD)
	}
	if !info.FastBLAS {
		fmt.Fprintf(out, "  this is the slow reference BLAS. On Debian: apt-get install libopenblas0-pthread\n")
	}
	if !info.OneDNN {
		fmt.Fprintf(out, "  this libtorch lacks oneDNN: convolutions are slow\n")
	}
	fmt.Fprintf(out, "CUDA      %s\n", describeCUDA(info))
	device, err := torch.ParseDevice(name)
	if err != nil {
		fmt.Fprintf(out, "! device  %v\n", err)
		return false
	}
	engine, err := torch.NewEngine(device, 1) // does a small computation on the device
	if err != nil {
		fmt.Fprintf(out, "! device  %v\n", err)
		return false
	}
	engine.Close()
	title, err := device.Name()
	if err != nil {
		fmt.Fprintf(out, "! device  %v\n", err)
		return false
	}
	fmt.Fprintf(out, "device    %s\n", strings.TrimSpace(device.String()+" "+title))
	return true
}

// describeCUDA says which CUDA version libtorch was built for and whether a GPU can be used. If none can be used, it gives
// the reason, and mentions the driver's version only there.
func describeCUDA(info torch.Info) string {
	version, _, _ := strings.Cut(info.CUDA, ", ")
	switch {
	case !info.CUDABuilt:
		return "not in this libtorch; to use a GPU, build with LIBTORCH=DIR of a CUDA build"
	case info.CUDADevices == 0:
		return fmt.Sprintf("%s in this libtorch; no GPU can be used: %s", version, info.CUDAProblem)
	case info.CUDADevices == 1:
		return info.CUDA + ", 1 device"
	}
	return fmt.Sprintf("%s, %d devices", info.CUDA, info.CUDADevices)
}

// checkData prints where each data set is, and reports whether at least one was found.
func checkData(out io.Writer, dirs []string) bool {
	any := false
	var missing []string
	for _, name := range append(data.Names(), data.Imported(dirs)...) {
		if data.TakesPath(name) {
			continue
		}
		files, err := data.Find(name, dirs)
		var absent *data.NotFoundError
		switch {
		case errors.As(err, &absent):
			missing = append(missing, name)
		case err != nil:
			fmt.Fprintf(out, "data      %v\n", err)
		default:
			any = true
			fmt.Fprintf(out, "data      %s: %s\n", name, files[0])
		}
	}
	if missing != nil {
		fmt.Fprintf(out, "data      not found: %s (feddag data list says what they need)\n", strings.Join(missing, ", "))
	}
	if !any {
		fmt.Fprintln(out, "! no data set found: feddag data fetch fashion-mnist, or train with --dataset folder:PATH")
	}
	return any
}
