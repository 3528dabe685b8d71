package torch_test

import (
	"fmt"
	"slices"
	"testing"

	"feddag/torch"
)

// normNet returns a network with a batch norm and a group norm, each followed by a ReLU. If apart is set, a dropout that drops
// nothing lies between them, so that they are not one layer.
func normNet(t *testing.T, apart bool) *torch.Network {
	t.Helper()
	relu := []torch.Layer{torch.ReLU{}}
	if apart {
		relu = []torch.Layer{torch.Dropout{}, torch.ReLU{}}
	}
	layers := slices.Concat(
		[]torch.Layer{
			torch.Conv2d{Name: "conv1", In: 2, Out: 6, Kernel: 3, Stride: 1, Padding: 1, NoBias: true}, // 6 x 7 x 7
			torch.BatchNorm2d{Name: "norm1", Channels: 6},
		}, relu,
		[]torch.Layer{torch.Residual{Body: slices.Concat([]torch.Layer{
			torch.Conv2d{Name: "conv2", In: 6, Out: 6, Kernel: 3, Stride: 1, Padding: 1, NoBias: true},
			torch.GroupNorm{Name: "norm2", Groups: 3, Channels: 6},
		}, relu)}},
		[]torch.Layer{
			torch.Conv2d{Name: "conv3", In: 6, Out: 4, Kernel: 1, Stride: 1, NoBias: true},
			torch.BatchNorm2d{Name: "norm3", Channels: 4}, // without a ReLU
			torch.Flatten{},
		})
	net, err := torch.NewNetwork(layers, [3]int{2, 7, 7}, 10, true)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// TestReLUBehindNorm checks on ragged clients that the batched engine, which computes a norm and the following ReLU as one layer,
// gives the same bits as if they were apart, in training and in prediction.
func TestReLUBehindNorm(t *testing.T) {
	one, apart := normNet(t, false), normNet(t, true)
	images, jobs := raggedCohort(t, one, 2)
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
