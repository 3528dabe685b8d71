package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"feddag/internal/atomicfile"
	"feddag/internal/npy"
	"feddag/models"
	"feddag/report"
	"feddag/torch"

	"github.com/spf13/pflag"
)

func init() {
	register("bench", "time the local trainings of an engine, for benchmarks/engines.py", bench)
}

const benchIntro = `Runs the local trainings of both phases of FedDAG for a cohort, on synthetic images, once for every line "turn" on standard
input. benchmarks/engines.py uses it to compare engines. A line "state FILE" writes the mean of the clients' weights after the
last turn. At the end the batched engine says how it computed each convolution. --write DIR writes the images and weights for
other programs and stops.

Usage: feddag bench [flags]`

// benchWork is the work of one turn. It depends only on the flags.
type benchWork struct {
	machine
	model    string
	norm     string
	clients  int
	samples  int
	epochs   int
	batch    int
	lr       float64
	ragged   bool
	write    string
	momentum float64
	decay    float64

	net    *torch.Network
	pixels []byte
	labels []uint8
	first  []int // index of each client's first sample, followed by the total number of samples
	start  []float32
	order  [][][]int32 // [clients][epochs][n_i]
}

func (b *benchWork) flags() *pflag.FlagSet {
	f := newFlagSet()
	b.machine.flags(f)
	f.StringVar(&b.model, "model", "lenet", "model to train: "+strings.Join(models.Names(), ", ")+"; the images have the shape for which it is the default model, or else 3x32x32")
	f.StringVar(&b.norm, "norm", "group", "normalisation layer of the ResNets: batch, group")
	f.IntVar(&b.clients, "clients", 20, "number of clients in the cohort")
	f.IntVar(&b.samples, "samples", 600, "number of samples per client")
	f.IntVar(&b.epochs, "epochs", 1, "number of epochs per phase")
	f.IntVar(&b.batch, "batch", 64, "number of samples per step")
	f.Float64Var(&b.lr, "lr", 0.01, "learning rate")
	b.momentum, b.decay = 0.5, 1e-4
	f.BoolVar(&b.ragged, "ragged", false, "give the clients different numbers of samples, evenly spaced from 1 to --samples, instead of --samples each")
	f.BoolVar(&b.general, "general-kernels", false, "use the general GPU kernels instead of kernels compiled for the shapes of the layers, for comparisons (batched engine)")
	f.BoolVar(&b.fused, "fused-kernels", false, "compute all layers of a small network in few GPU kernels; these have not run on a GPU yet (batched engine)")
	f.StringVar(&b.write, "write", "", "folder to write images.npy, labels.npy, sizes.npy, order.npy and start.safetensors to")
	return f
}

func bench(_ context.Context, args []string, out, log io.Writer) error {
	b := &benchWork{}
	f := b.flags()
	if helped, err := parseCommand("bench", benchIntro+"\n", f, args, out); helped || err != nil {
		return err
	}
	if err := b.machine.check(); err != nil {
		return err
	}
	if err := refuseUnread(f, unreadByModel(b.model)); err != nil {
		return err
	}
	if b.clients < 1 || b.samples < 1 || b.epochs < 1 || b.batch < 1 {
		return usagef("--clients, --samples, --epochs and --batch must be 1 or more")
	}
	if err := b.make(); err != nil {
		return err
	}
	if b.write != "" {
		return b.save()
	}
	return b.turns(os.Stdin, out, log)
}

// make generates the work: images of ten distinguishable classes, initial weights, and shuffles.
func (b *benchWork) make() error {
	shape, err := models.Input(b.model)
	if err != nil {
		return usageError{err}
	}
	if b.net, err = models.New(b.model, shape, 10, true, models.Options{Norm: b.norm}); err != nil {
		return usageError{err}
	}
	r := rand.New(rand.NewPCG(1, 2))
	b.first = []int{0}
	for c := range b.clients {
		n := b.samples
		if b.ragged {
			n = 1 + (b.samples-1)*c/max(1, b.clients-1)
		}
		b.first = append(b.first, b.first[c]+n)
	}
	for i := range b.first[b.clients] {
		label := i % 10
		for p := range shape[0] * shape[1] * shape[2] {
			bright := 40
			if p/shape[2]%shape[1]*10/shape[1] == label {
				bright = 120
			}
			b.pixels = append(b.pixels, byte(bright+r.IntN(100)))
		}
		b.labels = append(b.labels, uint8(label))
	}
	b.start = make([]float32, b.net.Len())
	b.net.Init(b.start, torch.All, r)
	for c := range b.clients {
		var epochs [][]int32
		for range b.epochs {
			var order []int32
			for _, p := range r.Perm(b.first[c+1] - b.first[c]) {
				order = append(order, int32(p))
			}
			epochs = append(epochs, order)
		}
		b.order = append(b.order, epochs)
	}
	return nil
}

// save writes the work for other programs.
func (b *benchWork) save() error {
	in := b.net.Input()
	var order []int32
	for _, epochs := range b.order {
		for _, e := range epochs {
			order = append(order, e...)
		}
	}
	sizes := make([]int32, b.clients)
	for c := range sizes {
		sizes[c] = int32(b.first[c+1] - b.first[c])
	}
	for name, a := range map[string]npy.Array{
		"images.npy": {Shape: []int{len(b.labels), in[0], in[1], in[2]}, Data: b.pixels},
		"labels.npy": {Shape: []int{len(b.labels)}, Data: b.labels},
		"sizes.npy":  {Shape: []int{len(sizes)}, Data: sizes},
		"order.npy":  {Shape: []int{len(order)}, Data: order},
	} {
		err := atomicfile.Write(filepath.Join(b.write, name), func(w io.Writer) error { return npy.Write(w, &a) })
		if err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return b.saveState(filepath.Join(b.write, "start.safetensors"), b.start)
}

// saveState writes a state with the names of its tensors.
func (b *benchWork) saveState(path string, x []float32) error {
	return atomicfile.Write(path, func(w io.Writer) error { return torch.WriteSafetensors(w, b.net.State(x), nil) })
}

// benchTurn is the result of a turn.
type benchTurn struct {
	Seconds float64      `json:"seconds"`
	Steps   int          `json:"steps"`                     // steps of all clients in both phases
	Loss    report.Float `json:"loss"`                      // mean loss over the clients in the last epoch of the second phase
	AtOnce  []int        `json:"clients_at_once,omitempty"` // smallest and largest number so far (batched engine)
}

// turns does the work once for every input line "turn".
func (b *benchWork) turns(in io.Reader, out, log io.Writer) error {
	device, err := b.machine.resolve()
	if err != nil {
		return err
	}
	torch.UseBLAS()
	x, err := b.machine.executor(device, b.machine.workers)
	if err != nil {
		return err
	}
	defer x.Close()
	shape := b.net.Input()
	mean, std := make([]float32, shape[0]), make([]float32, shape[0])
	for c := range mean {
		mean[c], std[c] = 0.3, 0.3
	}
	images, err := torch.NewImages(device, b.pixels, shape, b.labels, mean, std)
	if err != nil {
		return err
	}
	defer images.Close()
	start, err := torch.VectorOf(device, b.start)
	if err != nil {
		return err
	}
	defer start.Close()
	env := report.NewEnv()
	if err := b.machine.describe(&env); err != nil {
		return err
	}
	line, err := report.Marshal(struct {
		Engine     string `json:"engine"`
		Device     string `json:"device"`
		DeviceName string `json:"device_name"`
		Precision  string `json:"precision"`
		Libtorch   string `json:"libtorch"`
	}{b.engine, b.device, env.DeviceName, b.precision, env.Libtorch})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n", line)
	var state []float32
	for lines := bufio.NewScanner(in); lines.Scan(); {
		file, writes := strings.CutPrefix(lines.Text(), "state ")
		if writes {
			err = b.saveState(file, state)
			line = []byte("{}")
		} else {
			var t benchTurn
			t, state, err = b.turn(x, device, images, start)
			if err == nil {
				line, err = report.Marshal(t)
			}
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\n", line)
	}
	if batched, ok := x.(*torch.Batched); ok {
		report, err := batched.Report()
		fmt.Fprint(log, report)
		return err
	}
	return nil
}

// turn trains all clients in both phases, each from the initial weights, and averages them: the work of a round without
// evaluation.
func (b *benchWork) turn(x torch.Executor, device torch.Device, images *torch.Images, start *torch.Vector) (t benchTurn, state []float32, err error) {
	began := time.Now()
	next, err := start.Clone()
	if err != nil {
		return t, nil, err
	}
	defer next.Close()
	for _, parts := range []torch.Part{torch.Primary | torch.Head, torch.Secondary} {
		jobs := make([]torch.Job, b.clients)
		for c := range jobs {
			jobs[c] = torch.Job{Client: c, Start: start, Order: b.order[c]}
			for i := b.first[c]; i < b.first[c+1]; i++ {
				jobs[c].Samples = append(jobs[c].Samples, int32(i))
			}
			t.Steps += b.epochs * ((len(jobs[c].Samples) + b.batch - 1) / b.batch)
		}
		trained, err := x.Train(b.net, images, jobs, parts, torch.SGD{Batch: b.batch, LearningRate: b.lr, Momentum: b.momentum, WeightDecay: b.decay})
		if err != nil {
			return t, nil, err
		}
		t.Loss = 0
		var ends []*torch.Vector
		weights := make([]float64, len(trained))
		for c, r := range trained {
			ends, weights[c] = append(ends, r.End), 1
			t.Loss += report.Float(r.Loss[b.epochs-1] / float64(b.clients))
		}
		for _, p := range []torch.Part{torch.Primary, torch.Secondary, torch.Head} {
			if parts&p != 0 && err == nil {
				err = next.SetMean(ends, weights, b.net.Range(p))
			}
		}
		for _, e := range ends {
			e.Close()
		}
		if err != nil {
			return t, nil, err
		}
	}
	state, err = next.Floats() // waits for the device
	t.Seconds = time.Since(began).Seconds()
	if batched, ok := x.(*torch.Batched); ok {
		fewest, most := batched.AtOnce()
		t.AtOnce = []int{fewest, most}
	}
	return t, state, err
}
