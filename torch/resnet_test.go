package torch_test

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"sort"
	"strings"
	"testing"

	"feddag/models"
	"feddag/torch"
)

// resnetCase is three steps of plain PyTorch, made by testdata/make_resnet_fixtures.py.
type resnetCase struct {
	Model, Norm string
	Input       [3]int
	Dual        bool
	Parts       []string
	Seed        uint32
	Losses      []float64
	Tensors     map[string]moved
}

const resnetN = 5

var resnetSGD = torch.SGD{Batch: 2, LearningRate: 0.001, Momentum: 0.5, WeightDecay: 1e-4}

// hashedState returns the script's state, in which each tensor is made from a hash of its name.
func hashedState(net *torch.Network) []float32 {
	state := make([]float32, net.Len())
	for _, p := range net.Params() {
		h := fnv.New32a()
		h.Write([]byte(p.Name))
		fan := 1
		for _, s := range p.Shape[1:] {
			fan *= s
		}
		for i, u := range hashed(h.Sum32(), p.Range.Len()) {
			unit := float64(u) / (1 << 32)
			value := 0.1 * (2*unit - 1)
			if len(p.Shape) > 1 {
				value = (2*unit - 1) / math.Sqrt(float64(fan))
			} else if strings.HasSuffix(p.Name, ".weight") || strings.HasSuffix(p.Name, ".running_var") {
				value = 0.5 + unit
			} else if strings.HasSuffix(p.Name, ".bias") && p.Part != torch.Head {
				value += 3
			}
			state[p.Range.Begin+i] = float32(value)
		}
	}
	return state
}

// resnetJob returns the script's images and job for a network.
func resnetJob(t *testing.T, net *torch.Network, seed uint32) (*torch.Images, torch.Job) {
	t.Helper()
	start := vectorOf(t, hashedState(net)...)
	images := hashedImages(t, net.Input(), resnetN, seed)
	job := torch.Job{Client: 7, Start: start, Samples: counted(resnetN), Order: [][]int32{hashedOrder(10, resnetN)}}
	return images, job
}

// hashedImages returns the scripts' images.
func hashedImages(t *testing.T, input [3]int, n int, seed uint32) *torch.Images {
	t.Helper()
	pixels := make([]byte, n*input[0]*input[1]*input[2])
	for i, h := range hashed(seed, len(pixels)) {
		pixels[i] = byte(h >> 24)
	}
	labels := make([]uint8, n)
	for i, h := range hashed(3, n) {
		labels[i] = uint8(h % 10)
	}
	images, err := torch.NewImages(torch.CPU, pixels, input, labels,
		[]float32{.45, .45, .45}[:input[0]], []float32{.25, .25, .25}[:input[0]])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(images.Close)
	return images
}

// counted returns 0, 1, ..., n-1.
func counted(n int) []int32 {
	x := make([]int32, n)
	for i := range x {
		x[i] = int32(i)
	}
	return x
}

// hashedOrder returns the scripts' order of an epoch.
func hashedOrder(stream uint32, n int) []int32 {
	keys, order := hashed(stream, n), counted(n)
	sort.SliceStable(order, func(a, b int) bool { return keys[order[a]] < keys[order[b]] })
	return order
}

// TestResNetsEqualPyTorch checks that ResNets with batch norm and group norm equal PyTorch's modules after three steps,
// including the running statistics, and that frozen parts keep their bits.
func TestResNetsEqualPyTorch(t *testing.T) {
	text, err := os.ReadFile("testdata/resnet.json")
	if err != nil {
		t.Fatal(err)
	}
	var fixture struct{ Cases []resnetCase }
	if err := json.Unmarshal(text, &fixture); err != nil {
		t.Fatal(err)
	}
	for _, c := range fixture.Cases {
		net, err := models.New(c.Model, c.Input, 10, c.Dual, models.Options{Norm: c.Norm})
		if err != nil {
			t.Fatal(err)
		}
		if len(net.Params()) != len(c.Tensors) {
			t.Errorf("%s: %d tensors, PyTorch has %d", c.Model, len(net.Params()), len(c.Tensors))
		}
		images, job := resnetJob(t, net, c.Seed)
		for name, executor := range executors(t) {
			if name == "plain engine" || strings.HasPrefix(name, "batched") {
				continue // the same code here; other tests cover the other methods of the batched engine
			}
			t.Run(fmt.Sprintf("%s/%s/dual=%v/%s/%s", c.Model, c.Norm, c.Dual, strings.Join(c.Parts, "+"), name), func(t *testing.T) {
				parts := partsOf(c.Parts)
				trained, err := executor.Train(net, images, []torch.Job{job}, parts, resnetSGD)
				if err != nil {
					t.Fatal(err)
				}
				defer trained[0].End.Close()
				// Where rounding puts a value on the other side of a ReLU or a pooling, a layer of these deep networks moves by up
				// to half a percent more or less.
				equalsPyTorch(t, net, job.Start, trained[0], parts, c.Losses, c.Tensors, 5e-3)
			})
		}
	}
}

// tinyNet is a small network with every kind of layer.
func tinyNet(t *testing.T, dual bool, dropout float64) *torch.Network {
	t.Helper()
	net, err := torch.NewNetwork([]torch.Layer{
		torch.Conv2d{Name: "conv1", In: 2, Out: 4, Kernel: 3, Stride: 1, Padding: 1, NoBias: true}, // 4 x 8 x 8
		torch.BatchNorm2d{Name: "bn1", Channels: 4},
		torch.ReLU{},
		torch.Residual{ // 6 x 4 x 4
			Body: []torch.Layer{
				torch.Conv2d{Name: "body1", In: 4, Out: 6, Kernel: 3, Stride: 2, Padding: 1},
				torch.GroupNorm{Name: "gn1", Groups: 3, Channels: 6},
				torch.ReLU{},
				torch.Residual{Body: []torch.Layer{torch.Conv2d{Name: "inner", In: 6, Out: 6, Kernel: 1, Stride: 1}}},
			},
			Shortcut: []torch.Layer{
				torch.Conv2d{Name: "short", In: 4, Out: 6, Kernel: 1, Stride: 2, NoBias: true},
				torch.BatchNorm2d{Name: "bn2", Channels: 6},
			},
		},
		torch.Conv2d{Name: "conv2", In: 6, Out: 8, Kernel: 3, Stride: 1, Padding: 1},
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 8 x 2 x 2
		torch.AvgPool2d{Size: 2}, // 8 x 1 x 1
		torch.Flatten{},
		torch.Linear{Name: "fc1", In: 8, Out: 12},
		torch.ReLU{},
		torch.Dropout{P: dropout},
	}, [3]int{2, 8, 8}, 10, dual)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// TestRunningStatistics checks that in evaluation mode batch norm uses the running statistics, which a training of other
// parts does not change. Training changes them even with a learning rate of 0, and weight decay does not.
func TestRunningStatistics(t *testing.T) {
	net := tinyNet(t, true, 0)
	images, job := resnetJob(t, net, 100)
	sgd := resnetSGD
	sgd.LearningRate, sgd.WeightDecay = 0, 10
	for name, executor := range executors(t) {
		start := values(t, job.Start)
		trained, err := executor.Train(net, images, []torch.Job{job}, torch.Secondary, sgd)
		if err != nil {
			t.Fatal(name, err)
		}
		end := values(t, trained[0].End)
		trained[0].End.Close()
		buffers := net.Buffers(torch.Secondary)
		if buffers.Len() != 2*(4+6) {
			t.Fatalf("%d buffers, want 20", buffers.Len())
		}
		for i := range end {
			moves := i >= buffers.Begin && i < buffers.End
			if moved := end[i] != start[i]; moved != moves {
				t.Fatalf("%s: value %d moved: %v, want %v", name, i, moved, moves)
			}
		}
	}
}

// TestLastBatchOfOne checks that a batch norm on one pixel and a last batch of one sample give an error that names the
// client, before any step.
func TestLastBatchOfOne(t *testing.T) {
	net, err := torch.NewNetwork([]torch.Layer{
		torch.Conv2d{Name: "conv1", In: 2, Out: 4, Kernel: 8, Stride: 1},
		torch.BatchNorm2d{Name: "bn1", Channels: 4},
		torch.Flatten{},
	}, [3]int{2, 8, 8}, 10, false)
	if err != nil {
		t.Fatal(err)
	}
	images, job := resnetJob(t, net, 100)
	for name, executor := range executors(t) {
		sgd := resnetSGD
		sgd.Batch = 4
		_, err := executor.Train(net, images, []torch.Job{job}, torch.All, sgd)
		if err == nil || !strings.Contains(err.Error(), "client 7: 5 samples in batches of 4 leave 1") {
			t.Errorf("%s: %v", name, err)
		}
		sgd.Batch = 3
		if trained, err := executor.Train(net, images, []torch.Job{job}, torch.All, sgd); err != nil {
			t.Error(name, err)
		} else {
			trained[0].End.Close()
		}
	}
}

// TestResNetOptions checks that the ResNets accept the options that their names imply, and report the ones that they do not
// accept.
func TestResNetOptions(t *testing.T) {
	for _, c := range []struct {
		model   string
		input   [3]int
		o       models.Options
		params  int
		buffers int
		err     string
	}{
		{"resnet9", [3]int{3, 32, 32}, models.Options{}, 6573130, 4480, ""},
		{"resnet18", [3]int{3, 32, 32}, models.Options{}, 11173962, 9600, ""},
		{"resnet18", [3]int{3, 32, 32}, models.Options{Norm: "group", Dropout: 0.2}, 11173962, 0, ""},
		{"resnet9", [3]int{1, 28, 28}, models.Options{Norm: "group"}, 6571978, 0, ""},
		{"resnet9", [3]int{3, 64, 64}, models.Options{}, 0, 0, "28 to 35 pixels with one or three channels, but these are 3x64x64"},
		{"resnet18", [3]int{3, 32, 32}, models.Options{Norm: "layer"}, 0, 0, `norm "layer" is unknown`},
	} {
		net, err := models.New(c.model, c.input, 10, false, c.o)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.model, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := net.Buffers(torch.Primary).Len(); got != c.buffers || net.Len() != c.params+c.buffers {
			t.Errorf("%s: %d parameters and %d buffers, want %d and %d", c.model, net.Len()-got, got, c.params, c.buffers)
		}
	}
}

// TestExecutorsAgreeOnEveryLayer checks that the executors agree after two epochs, with every kind of layer, every choice
// of trained parts, and dropout.
func TestExecutorsAgreeOnEveryLayer(t *testing.T) {
	net := tinyNet(t, true, 0.3)
	images, job := resnetJob(t, net, 101)
	job.Order = append(job.Order, hashedOrder(11, resnetN))
	for parts := torch.Part(1); parts <= torch.All; parts++ {
		agree(t, net, images, job, parts, resnetSGD)
	}
}
