package torch_test

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/models"
	"feddag/torch"
)

// TestTensorCoreKernels compares the kernels of convolutions on tensor cores, on fibers and on random operands, with plain
// sums of the rounded operands, for layers of different shapes and clients of different sizes. Nothing else is rounded in
// tf32, so that differences are those of sums in float32. In bf16, outputs and gradients of the input are rounded too.
func TestTensorCoreKernels(t *testing.T) {
	program := filepath.Join(t.TempDir(), "gemm")
	compile := exec.Command("sh", "-ec", `
		cxx="${CXX:-g++} -std=c++17 -O1 -U_FORTIFY_SOURCE -Ifibers -Ishim -DFD_FIBERS"
		echo '#include "kernel_gemm_weight.h"' >"$0.cc"
		$cxx -fsanitize=thread -Wno-tsan -c "$0.cc" -o "$0.kernels.o"
		$cxx -DFD_ALONE -c testdata/gemm_kernels.cc -o "$0.o"
		$cxx -O2 fibers/fibers.cc "$0.o" "$0.kernels.o" -o "$0"`, program)
	if text, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("compiling: %v\n%s", err, text)
	}
	for _, layer := range []string{ // alone, stride, kernel, in, out, height, width, padding, slices, samples of each client
		"0 1 3 3 64 32 32 0 2 1 2", // conv1 of cnn
		"0 1 3 18 70 7 12 1 2 3 0 5",
		"0 1 3 40 20 8 8 2 1 5 1",
		"0 1 3 5 9 14 11 0 3 5 2",
		"0 1 5 1 6 28 28 2 2 3 0", // conv1 of lenet
		"0 1 5 6 16 14 14 0 1 5 1",
		"0 1 5 12 66 9 6 4 2 1 4",
		"1 1 3 3 64 32 32 1 2 1 2", // conv1 of resnet9
		"1 1 3 10 70 7 12 1 2 3 0 5",
		"1 1 3 18 130 4 4 1 1 5 1",
		"1 1 3 9 20 16 16 1 4 2 5",
		"1 1 3 5 9 14 11 0 3 5 2",
		"1 1 5 6 16 9 14 2 2 3 0",
		"1 1 5 12 66 10 5 4 2 1 4",
		"1 1 1 9 20 7 10 0 2 2 5",
		"1 2 1 20 70 7 9 0 2 3 0 5",
		"1 2 1 3 4 8 8 0 1 5 1",
		"1 2 3 3 5 8 8 1 1 2",
		"1 2 3 10 70 7 12 1 2 3 0 5",
		"1 2 3 20 9 9 13 1 3 3 5",
		"1 2 3 18 130 4 4 1 1 5 1",
		"1 2 3 9 20 16 16 1 4 2 5",
		"1 2 3 40 3 9 6 1 1 2 3",
		"1 2 3 130 20 7 5 1 2 3 0 1",
	} {
		for _, kind := range []string{"f32", "bf16"} {
			text, err := exec.Command(program, append([]string{"1", kind}, strings.Fields(layer)...)...).Output()
			if err != nil {
				t.Fatalf("%s, %s: %v", layer, kind, err)
			}
			line, report, _ := strings.Cut(string(text), "\n")
			if strings.Contains(report, "finding") {
				t.Errorf("%s, %s: found\n%s", layer, kind, report)
			}
			var off [3]float64
			wrong := -1
			if _, err := fmt.Sscan(line, &off[0], &off[1], &off[2], &wrong); err != nil || wrong != 0 {
				t.Errorf("%s, %s: %d maxima are wrong: %s", layer, kind, wrong, line)
			}
			for i, what := range []string{"outputs", "gradients of the input", "gradients of the weights"} {
				most := 1e-6
				if kind == "bf16" && i < 2 {
					most = 1.0 / 256
				}
				if !(off[i] <= most) {
					t.Errorf("%s, %s: %s differ by %g of the largest one", layer, kind, what, off[i])
				}
			}
		}
	}
}

// tensorCoreNet returns a small network with filters of both sizes and several chunks of input channels, and of output
// channels in the backward pass.
func tensorCoreNet(t *testing.T) *torch.Network {
	t.Helper()
	net, err := torch.NewNetwork([]torch.Layer{
		torch.Conv2d{Name: "conv1", In: 2, Out: 18, Kernel: 3, Stride: 1, Padding: 1}, // 18 x 12 x 12
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 18 x 6 x 6
		torch.Conv2d{Name: "conv2", In: 18, Out: 20, Kernel: 5, Stride: 1, Padding: 2}, // 20 x 6 x 6
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 20 x 3 x 3
		torch.Conv2d{Name: "conv3", In: 20, Out: 34, Kernel: 3, Stride: 1, Padding: 1}, // 34 x 3 x 3
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 34 x 1 x 1
		torch.Flatten{},
	}, [3]int{2, 12, 12}, 10, true)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// aloneNet returns a small network with filters of all sizes and with strides, whose convolutions have no bias and stand before
// norms.
func aloneNet(t *testing.T) *torch.Network {
	t.Helper()
	net, err := torch.NewNetwork([]torch.Layer{
		torch.Conv2d{Name: "conv1", In: 2, Out: 18, Kernel: 3, Stride: 1, Padding: 1, NoBias: true}, // 18 x 12 x 12
		torch.BatchNorm2d{Name: "norm1", Channels: 18},
		torch.ReLU{},
		torch.Residual{ // 18 x 6 x 6
			Body: []torch.Layer{
				torch.Conv2d{Name: "down", In: 18, Out: 18, Kernel: 3, Stride: 2, Padding: 1, NoBias: true},
				torch.BatchNorm2d{Name: "norm4", Channels: 18},
			},
			Shortcut: []torch.Layer{
				torch.Conv2d{Name: "short", In: 18, Out: 18, Kernel: 1, Stride: 2, NoBias: true},
				torch.BatchNorm2d{Name: "norm5", Channels: 18},
			},
		},
		torch.ReLU{},
		torch.Conv2d{Name: "point", In: 18, Out: 18, Kernel: 1, Stride: 1, NoBias: true},
		torch.Residual{Body: []torch.Layer{
			torch.Conv2d{Name: "conv2", In: 18, Out: 18, Kernel: 3, Stride: 1, Padding: 1, NoBias: true},
			torch.GroupNorm{Name: "norm2", Groups: 3, Channels: 18},
			torch.ReLU{},
		}},
		torch.Conv2d{Name: "conv3", In: 18, Out: 20, Kernel: 5, Stride: 1, Padding: 1, NoBias: true}, // 20 x 4 x 4
		torch.BatchNorm2d{Name: "norm3", Channels: 20},
		torch.ReLU{},
		torch.MaxPool2d{Size: 4}, // 20 x 1 x 1
		torch.Flatten{},
	}, [3]int{2, 12, 12}, 10, true)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// changes returns by how much a training has changed a client's weights.
func changes(t *testing.T, job torch.Job, trained torch.Trained) []float64 {
	t.Helper()
	start, end := values(t, job.Start), values(t, trained.End)
	moved := make([]float64, len(end))
	for i := range moved {
		moved[i] = float64(end[i]) - float64(start[i])
	}
	return moved
}

// TestTensorCores checks on ragged clients that with convolutions on tensor cores, training and prediction agree with eager
// up to the rounding of operands, on fibers, without races, and that all kernels for them have run. cnn and the ResNets have
// the kernels for their shapes.
func TestTensorCores(t *testing.T) {
	library, known := fibersLibrary(t), knownShapes(t)
	eager, err := torch.NewEager()
	if err != nil {
		t.Fatal(err)
	}
	cnn, err := models.New("cnn", [3]int{3, 32, 32}, 10, true, models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	resnet9, err := models.New("resnet9", [3]int{3, 32, 32}, 10, true, models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	resnet18, err := models.New("resnet18", [3]int{3, 32, 32}, 10, true, models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	long := os.Getenv("FEDDAG_LONG") != ""
	ran := map[string]bool{}
	var names []string
	for _, c := range []struct {
		name      string
		net       *torch.Network
		model     bool
		precision torch.Precision
		most      float64 // difference of the changes of weights, relative to their norm
	}{
		{"small", tensorCoreNet(t), false, torch.FP32, 0.01}, {"small", tensorCoreNet(t), false, torch.BF16, 0.1},
		{"alone", aloneNet(t), false, torch.FP32, 0.01}, {"alone", aloneNet(t), false, torch.BF16, 0.1},
		{"cnn", cnn, true, torch.FP32, 0.01}, {"resnet9", resnet9, true, torch.FP32, 0.01},
		{"resnet18", resnet18, true, torch.FP32, 0.01},
	} {
		resnet := strings.HasPrefix(c.name, "resnet")
		if c.model && testing.Short() || resnet && !long {
			continue // a ResNet takes minutes
		}
		t.Run(fmt.Sprintf("%s/%v", c.name, c.precision), func(t *testing.T) {
			images, jobs := raggedCohort(t, c.net, 1)
			jobs = []torch.Job{jobs[0], jobs[2]} // 5 samples and 1
			if resnet {
				jobs = jobs[1:]
			}
			want, err := eager.Train(c.net, images, jobs, torch.Secondary, raggedSGD)
			if err != nil {
				t.Fatal(err)
			}
			defer closeAll(want)
			o := torch.BatchedOptions{Method: torch.TensorCores, Arithmetic: torch.Arithmetic{Precision: c.precision}, GeneralKernels: !c.model}
			var got []torch.Trained
			var lines map[string][]string
			names, lines = onFibers(t, library, 8, "", "", func() { got, _ = fiberRun(t, o, c.net, images, jobs, torch.Secondary, raggedSGD) })
			for _, finding := range lines["finding"] {
				t.Error(finding)
			}
			for _, kernel := range lines["ran"] {
				ran[kernel] = true
			}
			for _, line := range lines["shaped"] {
				name, _, _ := strings.Cut(strings.TrimPrefix(line, "FD_SHAPED("), ",")
				if strings.HasPrefix(name, "conv_gemm_") && (known[name] != line || !slices.Contains(lines["ran"], name)) {
					t.Errorf("fibers/shapes.h lacks what %s needs, or it did not run:\n%s", c.name, line)
				}
			}
			for i, job := range jobs {
				a, b := changes(t, job, got[i]), changes(t, job, want[i])
				var off, size float64
				for k := range a {
					off, size = off+(a[k]-b[k])*(a[k]-b[k]), size+b[k]*b[k]
				}
				t.Logf("client %d: changes differ by %.2g of their norm", job.Client, math.Sqrt(off/size))
				if !(math.Sqrt(off/size) <= c.most) {
					t.Errorf("client %d: the changes of weights differ from those of eager by %g of their norm, at most %g may", job.Client, math.Sqrt(off/size), c.most)
				}
			}
		})
	}
	for _, kernel := range names {
		skipped := testing.Short() && known[kernel] != "" || !long && strings.Contains(known[kernel], "args.alone = 1;") // ResNets
		if strings.HasPrefix(kernel, "conv_gemm_") && !ran[kernel] && !skipped {
			t.Errorf("%s did not run", kernel)
		}
	}
}

// TestTensorCoresAddGradients checks that the sum of the two gradients of a residual layer's input has the same bits if a convolution
// on tensor cores adds one to the other as if it is a layer of its own.
func TestTensorCoresAddGradients(t *testing.T) {
	library := fibersLibrary(t)
	one, apart := normNet(t, false), normNet(t, true)
	images, jobs := normCohort(t, one, 1)
	jobs = some(jobs)
	for _, precision := range []torch.Precision{torch.FP32, torch.BF16} {
		o := torch.BatchedOptions{Method: torch.TensorCores, Arithmetic: torch.Arithmetic{Precision: precision}, GeneralKernels: true}
		var got, want []torch.Trained
		_, lines := onFibers(t, library, 11, "", "", func() { got, _ = fiberRun(t, o, one, images, jobs, torch.All, raggedSGD) })
		for _, finding := range lines["finding"] {
			t.Error(finding)
		}
		onFibers(t, library, 11, "", "", func() { want, _ = fiberRun(t, o, apart, images, jobs, torch.All, raggedSGD) })
		for i, job := range jobs {
			if !slices.Equal(values(t, got[i].End), values(t, want[i].End)) {
				t.Errorf("%v, client %d: the weights differ", precision, job.Client)
			}
		}
	}
}

// TestTensorCoresConfirmed checks that a training fails if the kernels on tensor cores are wrong. In the mutated kernels, the
// weights of the forward pass, or those for the gradient of the input, belong to other taps.
func TestTensorCoresConfirmed(t *testing.T) {
	const taps = "turned ? k * k - 1 - y * k - z : y * k + z"
	for what, wrong := range map[string]string{
		"outputs":                "turned ? k * k - 1 - y * k - z : z * k + y",
		"gradients of the input": "turned ? k * k - 1 - z * k - y : y * k + z",
	} {
		library := mutatedLibrary(t, "kernel_gemm_conv.h", taps, wrong)
		for name, net := range map[string]*torch.Network{"small": tensorCoreNet(t), "alone": aloneNet(t)} {
			images, jobs := raggedCohort(t, net, 1)
			onFibers(t, library, 10, "", "", func() {
				e := newBatched(t, torch.BatchedOptions{Method: torch.TensorCores})
				trained, err := e.Train(net, images, jobs[:1], torch.All, raggedSGD)
				closeAll(trained)
				if err == nil || !strings.Contains(err.Error(), what+" differ from those of libtorch") {
					t.Errorf("%s with wrong %s: error %v", name, what, err)
				}
			})
		}
	}
}

// TestTensorCoresElsewhere checks that other methods compute the convolutions where the tensor cores cannot: as loops on the
// CPU, with a bias and a stride, with a stride and another padding, and with a bias but without pooling.
func TestTensorCoresElsewhere(t *testing.T) {
	library := fibersLibrary(t)
	other, err := torch.NewNetwork([]torch.Layer{
		torch.Conv2d{Name: "conv1", In: 2, Out: 4, Kernel: 3, Stride: 2},
		torch.ReLU{},
		torch.MaxPool2d{Size: 2},
		torch.Conv2d{Name: "conv2", In: 4, Out: 3, Kernel: 3, Stride: 1, Padding: 1},
		torch.ReLU{},
		torch.Conv2d{Name: "conv3", In: 3, Out: 3, Kernel: 3, Stride: 2, NoBias: true},
		torch.Flatten{},
	}, [3]int{2, 16, 16}, 10, true)
	if err != nil {
		t.Fatal(err)
	}
	o := torch.BatchedOptions{Method: torch.TensorCores}
	images, jobs := raggedCohort(t, other, 1)
	r := loopsAndFibers(t, library, 9, o, other, images, some(jobs), torch.All, raggedSGD)
	for _, kernel := range r.lines["ran"] {
		if strings.HasPrefix(kernel, "conv_gemm_") {
			t.Errorf("%s ran", kernel)
		}
	}
	net := tensorCoreNet(t)
	images, jobs = raggedCohort(t, net, 1)
	loops, _ := fiberRun(t, o, net, images, some(jobs), torch.All, raggedSGD)
	columns, _ := fiberRun(t, torch.BatchedOptions{Method: torch.Columns}, net, images, some(jobs), torch.All, raggedSGD)
	equalTrained(t, some(jobs), loops, columns, 0)
}
