package feddag

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"feddag/federation"
	"feddag/federation/data"
	"feddag/models"
	"feddag/torch"
)

// growthSize has the numbers on which the cost of a round may depend. samples is per client.
type growthSize struct{ clients, cohort, epochs, samples int }

// growthSizes returns the sizes in FEDDAG_GROWTH, "clients/cohort/epochs/samples" separated by blanks, or three default ones.
func growthSizes(b *testing.B) []growthSize {
	var sizes []growthSize
	for _, word := range strings.Fields(os.Getenv("FEDDAG_GROWTH")) {
		var n [4]int
		for i, part := range strings.Split(word, "/") {
			x, err := strconv.Atoi(part)
			if err != nil || i >= len(n) {
				b.Fatalf("FEDDAG_GROWTH has %q: use clients/cohort/epochs/samples", word)
			}
			n[i] = x
		}
		sizes = append(sizes, growthSize{n[0], n[1], n[2], n[3]})
	}
	if sizes == nil {
		sizes = []growthSize{{100, 20, 2, 100}, {10_000, 20, 2, 100}, {100_000, 20, 2, 100}}
	}
	return sizes
}

// BenchmarkRound times rounds of FedDAG as in Run, with the evaluation of all clients and the checkpoint. There are
// ten given clusters with two sources each, and lenet trains on random images of Fashion-MNIST's size. It reports the medians
// per round of the wall time and of the processor time of all threads. benchmarks/growth.py draws the curves.
func BenchmarkRound(b *testing.B) {
	sizes := growthSizes(b)
	set := randomSet(60_000, 1_000)
	shape := [3]int{1, 28, 28}
	images := func(of data.Images) *torch.Images {
		x, err := torch.NewImages(torch.CPU, of.Pixels, shape, of.Labels, set.Mean, set.Std)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(x.Close)
		return x
	}
	train, test := images(set.Train), images(set.Test)
	for _, size := range sizes {
		b.Run(fmt.Sprintf("clients=%d/cohort=%d/epochs=%d/samples=%d", size.clients, size.cohort, size.epochs, size.samples), func(b *testing.B) {
			e := &federation.Env{Options: federation.DefaultOptions(), Data: set, Train: train, Test: test, Device: torch.CPU, Workers: 2}
			e.Rounds, e.Rate, e.Epochs = b.N+2, float64(size.cohort)/float64(size.clients), size.epochs
			e.Clients = overlappingClients(set, size)
			e.Net = func(dual bool) (*torch.Network, error) {
				return models.New("lenet", shape, set.Classes, dual, models.Options{})
			}
			r := newClusteredRun(b, e)
			var took, spent []time.Duration
			for t := range b.N + 1 {
				if t == 1 { // the caches are full
					b.ResetTimer()
				}
				start, before := time.Now(), processorTime(b)
				if err := r.Round(t); err != nil {
					b.Fatal(err)
				}
				took, spent = append(took, time.Since(start)), append(spent, processorTime(b)-before)
			}
			b.StopTimer()
			for unit, all := range map[string][]time.Duration{"s/round": took[1:], "cpu-s/round": spent[1:]} {
				slices.Sort(all)
				b.ReportMetric(all[b.N/2].Seconds(), unit)
			}
		})
	}
}

// processorTime returns the processor time of all threads so far.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// newClusteredRun returns a run of FedDAG with ten clusters, in which client i is in cluster i mod 10.
func newClusteredRun(b *testing.B, e *federation.Env) *federation.Runner {
	b.Helper()
	const clusters = 10
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	engine, err := torch.NewEngine(e.Device, e.Workers)
	must(err)
	b.Cleanup(engine.Close)
	e.Executor = engine
	must(e.Start(context.Background()))
	alg, err := federation.New("feddag")
	must(err)
	a := alg.(*FedDAG)
	b.Cleanup(a.Close)
	members, graph, scores := make([][]int, clusters), make([][]int, clusters), make([][]float64, clusters)
	for i := range e.Clients {
		members[i%clusters] = append(members[i%clusters], i)
	}
	for z := range graph {
		graph[z] = []int{(z + 1) % clusters, (z + 2) % clusters}
		scores[z] = []float64{1, 1}
	}
	must(a.setClustering(len(e.Clients), members, graph, scores))
	a.net, err = e.Net(true)
	must(err)
	for range clusters {
		x := make([]float32, a.net.Len())
		a.net.Init(x, torch.All, rand.New(rand.NewPCG(1, 2)))
		v, err := torch.VectorOf(e.Device, x)
		must(err)
		a.states = append(a.states, v)
	}
	return federation.NewRunner(e, a, federation.RunOptions{Algorithm: "feddag", Checkpoint: filepath.Join(b.TempDir(), "checkpoint.safetensors")})
}

// randomSet returns a data set of random images of 28 x 28 pixels, whose labels are the ten classes in turn.
func randomSet(train, test int) *data.Set {
	r := rand.New(rand.NewPCG(1, 2))
	s := &data.Set{Name: "random", Channels: 1, Height: 28, Width: 28, Classes: 10, Mean: []float32{0.5}, Std: []float32{0.5}}
	for _, split := range []struct {
		images *data.Images
		n      int
	}{{&s.Train, train}, {&s.Test, test}} {
		split.images.Pixels = make([]byte, split.n*28*28)
		for i := range split.images.Pixels {
			split.images.Pixels[i] = byte(r.Uint32())
		}
		for i := range split.n {
			split.images.Labels = append(split.images.Labels, uint8(i%10))
		}
	}
	return s
}

// overlappingClients returns clients with random samples, which other clients may also have. Each has one of ten test sets,
// the test images of two classes.
func overlappingClients(s *data.Set, size growthSize) []*federation.Client {
	r := rand.New(rand.NewPCG(3, 4))
	tests := make([][]int32, 10)
	for k, l := range s.Test.Labels {
		tests[l] = append(tests[l], int32(k))
		tests[(l+9)%10] = append(tests[(l+9)%10], int32(k))
	}
	clients := make([]*federation.Client, size.clients)
	for i := range clients {
		c := &federation.Client{ID: i, Test: tests[i%10], Group: i % 10}
		for range size.samples {
			c.Train = append(c.Train, int32(r.IntN(s.Train.Len())))
		}
		slices.Sort(c.Train)
		clients[i] = c
	}
	return clients
}
