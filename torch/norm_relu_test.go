package torch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"feddag/torch"
)

// normNet returns a network with batch norms and group norms, each followed by a ReLU, and some by an addition before or behind
// it. If apart is set, a dropout that drops nothing lies before each ReLU and at the beginning of each residual body with a
// convolution, so that they are not one layer, and no convolution adds the gradient of a shortcut to its own.
func normNet(t *testing.T, apart bool) *torch.Network {
	t.Helper()
	relu := []torch.Layer{torch.ReLU{}}
	var begin []torch.Layer
	if apart {
		relu = []torch.Layer{torch.Dropout{}, torch.ReLU{}}
		begin = []torch.Layer{torch.Dropout{}}
	}
	conv := func(name string, in, out, kernel, stride int) torch.Layer {
		return torch.Conv2d{Name: name, In: in, Out: out, Kernel: kernel, Stride: stride, Padding: kernel / 2, NoBias: true}
	}
	layers := slices.Concat(
		[]torch.Layer{torch.Residual{Body: []torch.Layer{torch.BatchNorm2d{Name: "norm0", Channels: 2}}}}, relu,
		[]torch.Layer{
			conv("conv1", 2, 6, 3, 1), // 6 x 7 x 7
			torch.BatchNorm2d{Name: "norm1", Channels: 6},
		}, relu,
		[]torch.Layer{torch.Residual{Body: slices.Concat(begin,
			[]torch.Layer{conv("conv2", 6, 6, 3, 1), torch.GroupNorm{Name: "norm2", Groups: 3, Channels: 6}}, relu,
		)}},
		[]torch.Layer{torch.Residual{Body: slices.Concat([]torch.Layer{torch.BatchNorm2d{Name: "norm9", Channels: 6}}, relu)}},
		[]torch.Layer{torch.Residual{
			Body: slices.Concat(begin,
				[]torch.Layer{conv("conv3", 6, 4, 3, 2), torch.BatchNorm2d{Name: "norm3", Channels: 4}}, relu, // 4 x 4 x 4
				[]torch.Layer{conv("conv4", 4, 4, 3, 1), torch.BatchNorm2d{Name: "norm4", Channels: 4}}),
			Shortcut: []torch.Layer{conv("short", 6, 4, 1, 2), torch.GroupNorm{Name: "norm5", Groups: 2, Channels: 4}},
		}}, relu,
		[]torch.Layer{torch.Residual{
			Body: slices.Concat(begin, []torch.Layer{conv("conv5", 4, 4, 3, 1), torch.GroupNorm{Name: "norm6", Groups: 2, Channels: 4}}),
		}}, relu,
		[]torch.Layer{torch.Residual{
			Body:     slices.Concat(begin, []torch.Layer{conv("conv7", 4, 4, 1, 2), torch.BatchNorm2d{Name: "norm8", Channels: 4}}), // 4 x 2 x 2
			Shortcut: []torch.Layer{conv("short2", 4, 4, 1, 2)},
		}}, relu,
		[]torch.Layer{
			conv("conv6", 4, 4, 1, 1),
			torch.BatchNorm2d{Name: "norm7", Channels: 4}, // without a ReLU
			torch.Flatten{},
		})
	net, err := torch.NewNetwork(layers, [3]int{2, 7, 7}, 10, true)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// normCohort is raggedCohort for normNet, without the bias of three that hashedState gives each norm, so that every ReLU has
// negative inputs.
func normCohort(t *testing.T, net *torch.Network, epochs int) (*torch.Images, []torch.Job) {
	t.Helper()
	images, jobs := raggedCohort(t, net, epochs)
	for i, job := range jobs {
		state := values(t, job.Start)
		for _, p := range net.Params() {
			if strings.HasSuffix(p.Name, ".bias") && p.Part != torch.Head {
				for k := p.Range.Begin; k < p.Range.End; k++ {
					state[k] -= 3
				}
			}
		}
		jobs[i].Start = vectorOf(t, state...)
	}
	return images, jobs
}

// TestReLUBehindNorm checks on ragged clients that the batched engine, which computes a norm and the following ReLU as one layer,
// also with an addition between them, gives the same bits as if they were apart, in training and in prediction.
func TestReLUBehindNorm(t *testing.T) {
	one, apart := normNet(t, false), normNet(t, true)
	images, jobs := normCohort(t, one, 2)
	for _, precision := range []torch.Precision{torch.FP32, torch.BF16} {
		t.Run(fmt.Sprint(precision), func(t *testing.T) {
			o := torch.BatchedOptions{Method: torch.Columns, Arithmetic: torch.Arithmetic{Precision: precision}}
			got, predicted := fiberRun(t, o, one, images, jobs, torch.All, raggedSGD)
			want, other := fiberRun(t, o, apart, images, jobs, torch.All, raggedSGD)
			for i := range predicted {
				if !slices.Equal(values(t, got[i].End), values(t, want[i].End)) {
					t.Errorf("client %d: the weights differ", jobs[i].Client)
				}
				if !slices.Equal(predicted[i].Features, other[i].Features) {
					t.Errorf("client %d: the features differ", jobs[i].Client)
				}
			}
		})
	}
}
