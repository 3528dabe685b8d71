package torch_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"feddag/models"
	"feddag/torch"
)

// knownShapes returns the lines of fibers/shapes.h, by the kernel's name.
func knownShapes(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("fibers/shapes.h")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, _, found := strings.Cut(line, ","); found && strings.HasPrefix(name, "FD_SHAPED(") {
			known[strings.TrimPrefix(name, "FD_SHAPED(")] = strings.TrimSpace(line)
		}
	}
	return known
}

// smallNorms returns a small network with both norms, followed by pooling, and at the end of residual layers.
func smallNorms(t *testing.T) *torch.Network {
	t.Helper()
	net, err := torch.NewNetwork([]torch.Layer{
		torch.Conv2d{Name: "conv1", In: 2, Out: 6, Kernel: 3, Stride: 1, Padding: 1}, // 6 x 14 x 14
		torch.GroupNorm{Name: "norm1", Groups: 3, Channels: 6},
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 6 x 7 x 7
		torch.Conv2d{Name: "conv2", In: 6, Out: 6, Kernel: 3, Stride: 1, Padding: 1},
		torch.BatchNorm2d{Name: "norm2", Channels: 6},
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 6 x 3 x 3
		torch.Residual{Body: []torch.Layer{
			torch.Conv2d{Name: "conv3", In: 6, Out: 6, Kernel: 3, Stride: 1, Padding: 1},
			torch.BatchNorm2d{Name: "norm3", Channels: 6},
		}},
		torch.ReLU{},
		torch.Residual{Body: []torch.Layer{
			torch.Conv2d{Name: "conv4", In: 6, Out: 6, Kernel: 3, Stride: 1, Padding: 1},
			torch.GroupNorm{Name: "norm4", Groups: 3, Channels: 6},
		}},
		torch.ReLU{},
		torch.Residual{Body: []torch.Layer{torch.BatchNorm2d{Name: "norm5", Channels: 6}, torch.ReLU{}}},
		torch.Flatten{},
	}, [3]int{2, 14, 14}, 10, true)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// TestShapedKernels checks that the kernels that a GPU compiles for the shapes of the models' layers are those in
// fibers/shapes.h, which kernels_lab also compiles, and that on fibers they give the same results as the loops for any shape,
// without races. The method with columns and the fused method have different kernels.
func TestShapedKernels(t *testing.T) {
	library, known := fibersLibrary(t), knownShapes(t)
	needed := map[string]bool{}
	long := os.Getenv("FEDDAG_LONG") != ""
	for _, c := range []struct {
		model string
		input [3]int
		norm  string
		long  bool
	}{
		{"norms", [3]int{2, 14, 14}, "", false}, {"lenet", [3]int{1, 28, 28}, "", false}, {"lenet", [3]int{3, 32, 32}, "", false}, {"cnn", [3]int{3, 32, 32}, "", false},
		{"resnet9", [3]int{3, 32, 32}, "batch", true}, {"resnet9", [3]int{3, 32, 32}, "group", true},
		{"resnet18", [3]int{3, 32, 32}, "batch", true}, {"resnet18", [3]int{3, 32, 32}, "group", true},
	} {
		if c.long && !long || testing.Short() && c.input[1] == 32 {
			continue // takes minutes
		}
		net := smallNorms(t)
		if c.model != "norms" {
			var err error
			if net, err = models.New(c.model, c.input, 10, true, models.Options{Norm: c.norm}); err != nil {
				t.Fatal(err)
			}
		}
		images, jobs := raggedCohort(t, net, 1)
		jobs = some(jobs)[1:]
		if c.long {
			jobs = jobs[:1]
		}
		for _, method := range []torch.ConvMethod{torch.Fused, torch.Columns} {
			r := loopsAndFibers(t, library, 4, torch.BatchedOptions{Method: method}, net, images, jobs, torch.Secondary, raggedSGD)
			for _, line := range r.lines["shaped"] {
				name, _, _ := strings.Cut(strings.TrimPrefix(line, "FD_SHAPED("), ",")
				needed[name] = true
				if known[name] != line {
					t.Errorf("fibers/shapes.h lacks what %s on %v needs:\n%s", c.model, c.input, line)
				} else if !slices.Contains(r.lines["ran"], name) {
					t.Errorf("%s did not run", name)
				}
			}
			for i := range r.predicted {
				if !slices.Equal(r.predicted[i].Classes, r.loops[i].Classes) {
					t.Errorf("%s, client %d: classes %v, want %v", c.model, jobs[i].Client, r.predicted[i].Classes, r.loops[i].Classes)
				}
			}
			_, lines := onFibers(t, library, 4, "", "", func() {
				fiberRun(t, torch.BatchedOptions{Method: method, GeneralKernels: true}, net, images, jobs[:1], torch.Head, raggedSGD)
			})
			if len(lines["shaped"]) > 0 {
				t.Errorf("without kernels for shapes, %s needs %q", c.model, lines["shaped"])
			}
		}
	}
	for name := range known {
		if long && !needed[name] && !strings.HasPrefix(name, "fused_") && !strings.HasPrefix(name, "conv_gemm_") { // TestFusedKernels and TestTensorCores have those
			t.Errorf("no model needs %s of fibers/shapes.h", name)
		}
	}
}
