package torch_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/models"
	"feddag/torch"
)

// fibersLibrary builds the kernels with a fiber for each thread, unless the library is up to date.
func fibersLibrary(t *testing.T) string {
	t.Helper()
	return buildFibers(t, filepath.Join("..", "build", "fibers", "libfibers.so"))
}

// buildFibers builds a library from the kernels in a folder, or in torch/shim without one.
func buildFibers(t *testing.T, library string, shim ...string) string {
	t.Helper()
	library, err := filepath.Abs(library)
	if err != nil {
		t.Fatal(err)
	}
	script := exec.Command("../scripts/build_fibers.sh", append([]string{library}, shim...)...)
	if text, err := script.CombinedOutput(); err != nil {
		t.Fatalf("building the kernels on fibers: %v\n%s", err, text)
	}
	return library
}

// fiberProgram compiles a file of testdata, which has kernels and a main function, for fibers. It returns the program.
func fiberProgram(t *testing.T, source string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "kernels")
	compile := exec.Command("sh", "-ec", `
		cxx="${CXX:-g++} -std=c++17 -O1 -U_FORTIFY_SOURCE -Ifibers -Ishim"
		$cxx -DFD_FIBERS -fsanitize=thread -Wno-tsan -c "testdata/$1" -o "$0.o"
		$cxx fibers/fibers.cc "$0.o" -o "$0"`, program, source)
	if text, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("compiling: %v\n%s", err, text)
	}
	return program
}

// onFibers runs body with the kernels on fibers, without one barrier of a kernel if it is named. It returns the names of the
// library's kernels, and the lines of the report by their first word.
func onFibers(t *testing.T, library string, seed uint64, kernel, without string, body func()) ([]string, map[string][]string) {
	t.Helper()
	if err := torch.EmulateKernels(library, seed, kernel, without); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := torch.EmulateKernels("", 0, "", ""); err != nil {
			t.Fatal(err)
		}
	}()
	body()
	names, report, err := torch.KernelFindings()
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string][]string{}
	for line := range strings.Lines(report) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		lines[word] = append(lines[word], rest)
	}
	return strings.Fields(names), lines
}

// fusedNet returns a network whose convolutions are computed by the fused kernels of both sizes, with and without a gradient
// of their input.
func fusedNet(t *testing.T) *torch.Network {
	t.Helper()
	net, err := torch.NewNetwork([]torch.Layer{
		torch.Conv2d{Name: "conv1", In: 2, Out: 3, Kernel: 3, Stride: 1, Padding: 1}, // 3 x 20 x 20
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 3 x 10 x 10
		torch.Conv2d{Name: "conv2", In: 3, Out: 9, Kernel: 5, Stride: 1, Padding: 2}, // 9 x 10 x 10
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 9 x 5 x 5
		torch.Conv2d{Name: "conv3", In: 9, Out: 4, Kernel: 3, Stride: 1}, // 4 x 3 x 3
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 4 x 1 x 1
		torch.Flatten{},
	}, [3]int{2, 20, 20}, 10, true)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// linearNet returns a network with a convolution and linear layers, with and without ReLU and dropout, whose widths are not
// multiples of four.
func linearNet(t *testing.T, dual bool) *torch.Network {
	t.Helper()
	net, err := torch.NewNetwork([]torch.Layer{
		torch.Conv2d{Name: "conv1", In: 2, Out: 3, Kernel: 3, Stride: 1}, // 3 x 6 x 6
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 3 x 3 x 3
		torch.Flatten{},
		torch.Linear{Name: "fc1", In: 27, Out: 150}, torch.ReLU{}, torch.Dropout{P: 0.3},
		torch.Linear{Name: "fc2", In: 150, Out: 18},
		torch.Linear{Name: "fc3", In: 18, Out: 7}, torch.ReLU{},
	}, [3]int{2, 8, 8}, 10, dual)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// oneClient returns a client with n samples.
func oneClient(t *testing.T, net *torch.Network, n int) (*torch.Images, []torch.Job) {
	t.Helper()
	samples := counted(n)
	job := torch.Job{Client: 10, Start: vectorOf(t, hashedState(net)...), Seed: 1, Samples: samples, Order: [][]int32{samples}}
	return hashedImages(t, net.Input(), n, 100), []torch.Job{job}
}

// fiberResult is what fiberRun gives as loops and on fibers, with what the fibers report.
type fiberResult struct {
	trained          []torch.Trained // on fibers; equal to that of the loops
	predicted, loops []torch.Predicted
	kernels          []string
	lines            map[string][]string
}

// loopsAndFibers calls fiberRun as loops, and then on fibers with a seed. It checks that nothing is found on fibers, and that both
// trainings give the same bits.
func loopsAndFibers(t *testing.T, library string, seed uint64, o torch.BatchedOptions, net *torch.Network, images *torch.Images, jobs []torch.Job, parts torch.Part, sgd torch.SGD) (r fiberResult) {
	t.Helper()
	var loops []torch.Trained
	loops, r.loops = fiberRun(t, o, net, images, jobs, parts, sgd)
	r.kernels, r.lines = onFibers(t, library, seed, "", "", func() { r.trained, r.predicted = fiberRun(t, o, net, images, jobs, parts, sgd) })
	for _, finding := range r.lines["finding"] {
		t.Error(finding)
	}
	equalTrained(t, jobs, r.trained, loops, 0)
	return r
}

// fiberRun trains, hashes the weights and predicts with a new batched engine. It returns the results of the training and the
// log-probabilities.
func fiberRun(t *testing.T, o torch.BatchedOptions, net *torch.Network, images *torch.Images, jobs []torch.Job, parts torch.Part, sgd torch.SGD) ([]torch.Trained, []torch.Predicted) {
	t.Helper()
	trained, predicted, err := tryFiberRun(t, o, net, images, jobs, parts, sgd)
	if err != nil {
		t.Fatal(err)
	}
	return trained, predicted
}

// tryFiberRun is fiberRun, but returns the error of the engine.
func tryFiberRun(t *testing.T, o torch.BatchedOptions, net *torch.Network, images *torch.Images, jobs []torch.Job, parts torch.Part, sgd torch.SGD) ([]torch.Trained, []torch.Predicted, error) {
	t.Helper()
	e := newBatched(t, o)
	trained, err := e.Train(net, images, jobs, parts, sgd)
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() { closeAll(trained) })
	var ask []torch.Prediction
	for i, job := range jobs {
		if _, err := trained[i].End.Fingerprint(); err != nil {
			return nil, nil, err
		}
		ask = append(ask, torch.Prediction{State: trained[i].End, Samples: job.Samples, LogProbabilities: true, Features: true})
	}
	predicted, err := e.Predict(net, images, ask)
	return trained, predicted, err
}

// some returns the jobs of three clients of different sizes: 5, 1 and 9 samples.
func some(jobs []torch.Job) []torch.Job { return []torch.Job{jobs[0], jobs[2], jobs[4]} }

// TestKernelsOnFibers checks on ragged clients that all kernels, with a fiber for each thread and in a shuffled order, give
// the same results as loops and as the eager executor, and that no two threads access the same memory without a barrier in
// between.
func TestKernelsOnFibers(t *testing.T) {
	library := fibersLibrary(t)
	nets := map[string]*torch.Network{"every layer": tinyNet(t, true, 0.3), "fused": fusedNet(t), "linear": linearNet(t, true), "norms": normNet(t, false)}
	for model, input := range map[string][3]int{"lenet": {1, 28, 28}, "cnn": {3, 32, 32}, "resnet9": {3, 32, 32}} {
		if testing.Short() && model != "lenet" || model == "resnet9" && os.Getenv("FEDDAG_LONG") == "" {
			continue // resnet9 takes minutes, and the other networks have the same kernels
		}
		var err error
		if nets[model], err = models.New(model, input, 10, true, models.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	eager, err := torch.NewEager()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ran := map[string]bool{}
	for name, net := range nets {
		images, jobs := raggedCohort(t, net, 1)
		if name == "norms" {
			images, jobs = normCohort(t, net, 1)
		}
		jobs = some(jobs)
		for _, parts := range []torch.Part{torch.Primary | torch.Head, torch.Secondary, torch.All} {
			if parts == torch.All && name != "linear" {
				continue // with both encoders, some of the fused kernels are others
			}
			want, err := eager.Train(net, images, jobs, parts, raggedSGD)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range []torch.BatchedOptions{
				{Method: torch.Fused}, {Method: torch.Columns}, {Method: torch.Fused, Arithmetic: torch.Arithmetic{Precision: torch.BF16}},
				{Method: torch.Columns, Arithmetic: torch.Arithmetic{Precision: torch.BF16}},
				{FusedKernels: true}, {FusedKernels: true, Arithmetic: torch.Arithmetic{Precision: torch.BF16}},
			} {
				o.GeneralKernels = true // TestShapedKernels runs the others
				small := slices.Contains([]string{"every layer", "fused", "linear", "norms"}, name)
				if parts == torch.All && !o.FusedKernels {
					continue
				}
				if !small && (parts != torch.Secondary || o.Method != torch.Fused || o.FusedKernels || o.Precision != torch.FP32) {
					continue
				}
				t.Run(fmt.Sprintf("%s/%d/%d/%v/%v", name, parts, o.Method, o.FusedKernels, o.Precision), func(t *testing.T) {
					r := loopsAndFibers(t, library, 1, o, net, images, jobs, parts, raggedSGD)
					names = r.kernels
					for _, kernel := range r.lines["ran"] {
						ran[kernel] = true
					}
					if o.Precision == torch.FP32 && name != "resnet9" {
						equalTrained(t, jobs, r.trained, want, kinks)
					}
					for i := range r.predicted {
						if !slices.Equal(r.predicted[i].Classes, r.loops[i].Classes) {
							t.Errorf("client %d: classes %v, want %v", jobs[i].Client, r.predicted[i].Classes, r.loops[i].Classes)
						}
					}
				})
			}
			closeAll(want)
		}
	}
	if len(names) < 40 {
		t.Errorf("the library has %d kernels", len(names))
	}
	shapes := knownShapes(t)
	for _, kernel := range names {
		if !ran[kernel] && shapes[kernel] == "" && !strings.HasPrefix(kernel, "conv_gemm_") { // TestTensorCores runs those
			t.Errorf("%s did not run", kernel)
		}
	}
}

// TestFibersMissEveryBarrier checks that each barrier of each kernel is needed, and that the fibers find a missing barrier.
// It leaves out one barrier of one kernel at a time.
func TestFibersMissEveryBarrier(t *testing.T) {
	library := fibersLibrary(t)
	type workload struct {
		net    *torch.Network
		images *torch.Images
		jobs   []torch.Job
		o      torch.BatchedOptions
		batch  int
		only   string // the beginning of the names of kernels that no other network covers
	}
	barriers := 0
	for name, w := range map[string]workload{
		"fused": {net: fusedNet(t), o: torch.BatchedOptions{Method: torch.Fused}}, "every layer": {net: tinyNet(t, true, 0), o: torch.BatchedOptions{Method: torch.Columns}},
		"all convolutions fused": {net: fusedNet(t), o: torch.BatchedOptions{FusedKernels: true}},
		"all layers fused":       {net: linearNet(t, true), o: torch.BatchedOptions{FusedKernels: true}, batch: 70},
		"tensor cores":           {net: tensorCoreNet(t), o: torch.BatchedOptions{Method: torch.TensorCores}},
		"tensor cores, alone":    {net: aloneNet(t), o: torch.BatchedOptions{Method: torch.TensorCores}, only: "conv_gemm_"},
	} {
		t.Run(name, func(t *testing.T) {
			sgd := raggedSGD
			if w.batch > 0 {
				w.images, w.jobs = oneClient(t, w.net, w.batch)
				sgd.Batch = w.batch
			} else {
				w.images, w.jobs = raggedCohort(t, w.net, 1)
				w.jobs = w.jobs[4:5] // 9 samples in batches of 5
			}
			var err error
			run := func() {
				_, _, err = tryFiberRun(t, w.o, w.net, w.images, w.jobs, torch.Primary|torch.Head, sgd)
			}
			_, whole := onFibers(t, library, 2, "", "", run)
			if len(whole["finding"]) > 0 || err != nil {
				t.Fatal(whole["finding"], err)
			}
			for i, barrier := range whole["barrier"] {
				kernel, site, _ := strings.Cut(barrier, " ")
				if !strings.HasPrefix(kernel, w.only) {
					continue
				}
				// The engine may notice by itself that the results are wrong.
				_, lines := onFibers(t, library, uint64(i), kernel, site, run)
				if !slices.ContainsFunc(lines["finding"], func(f string) bool { return strings.HasPrefix(f, kernel+", block") }) {
					t.Errorf("%s without its barrier at %s: found %q", kernel, site, lines["finding"])
				}
				barriers++
			}
		})
	}
	if barriers < 20 {
		t.Errorf("%d barriers were left out", barriers)
	}
}

// mutatedLibrary builds the kernels with a text of one of their files, which occurs there once, replaced.
func mutatedLibrary(t *testing.T, mutated, text, replacement string) string {
	t.Helper()
	folder := t.TempDir()
	files, err := filepath.Glob("shim/kernel_*.h")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(file) == mutated {
			if n := strings.Count(string(source), text); n != 1 {
				t.Fatalf("%s has %q %d times", file, text, n)
			}
			source = []byte(strings.Replace(string(source), text, replacement, 1))
		}
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(file)), source, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return buildFibers(t, filepath.Join(folder, "libfibers.so"), folder)
}

// TestFibersFindMutation removes a barrier from the source of a kernel.
func TestFibersFindMutation(t *testing.T) {
	library := mutatedLibrary(t, "kernel_loss.h", "FD_SYNC;", "") // the only barrier of cross_entropy_step
	net := tinyNet(t, false, 0)
	images, jobs := raggedCohort(t, net, 1)
	_, lines := onFibers(t, library, 3, "", "", func() {
		fiberRun(t, torch.BatchedOptions{}, net, images, some(jobs), torch.All, raggedSGD)
	})
	if len(lines["finding"]) == 0 {
		t.Fatal("nothing was found")
	}
	for _, finding := range lines["finding"] {
		if !strings.HasPrefix(finding, "cross_entropy_step_f32, ") || !strings.Contains(finding, "shared") {
			t.Errorf("found %s", finding)
		}
	}
}

// TestFibersFind checks the findings of the fibers for correct and incorrect kernels, in several orders of their threads, and
// that shuffles and barriers of a warp work.
func TestFibersFind(t *testing.T) {
	program := fiberProgram(t, "fiber_kernels.cc")
	for _, c := range []struct {
		kernel, finding string // first line of the finding; empty if there is none
		value           func(thread int) int
	}{
		{"shuffles", "", func(thread int) int { first := thread / 32 * 32; return 32*first + 496 + first }},
		{"warp_barrier", "", func(thread int) int { return thread ^ 1 }},
		{"no_warp_barrier", "shared word", nil},
		{"warp_barrier_across", "shared word", nil},
		{"read_then_write", "shared word 0 is", nil},
		{"beyond_the_end", "shared word 256 is used by thread 0; the launch asks for 256 words", nil},
		{"never_written", "shared word 255 is read by thread 255 before it is written", nil},
		{"overlapping_blocks", "global memory is written by thread", nil},
		{"divergent", "200 threads wait in a barrier at fiber_kernels.cc:", nil},
	} {
		for _, seed := range []string{"1", "2", "3"} {
			text, err := exec.Command(program, c.kernel, seed).Output()
			if err != nil {
				t.Fatalf("%s: %v", c.kernel, err)
			}
			values, report, _ := strings.Cut(string(text), "\n")
			_, finding, found := strings.Cut(report, "finding "+c.kernel+", block ")
			_, finding, _ = strings.Cut(finding, ": ")
			if found != (c.finding != "") || !strings.HasPrefix(finding, c.finding) {
				t.Errorf("%s, seed %s: found %q, want %q", c.kernel, seed, finding, c.finding)
			}
			for i, value := range strings.Fields(values) {
				if c.value != nil && value != fmt.Sprint(c.value(i%256)) {
					t.Fatalf("%s, seed %s: value %d is %s, want %d", c.kernel, seed, i, value, c.value(i%256))
				}
			}
		}
	}
}
