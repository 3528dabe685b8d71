package feddag

import (
	"context"
	"math"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/federation/federationtest"
	"feddag/similarity"
	"feddag/torch"
)

// adder replaces training: client i's trained weights are the weights that it received plus i+1. It records the start of each
// kind of training.
type adder struct {
	t      *testing.T
	starts map[torch.Part]map[int][4]float32 // by client: the first weights of the primary and the secondary, and the head's first weight of each
}

// Train implements [torch.Executor].
func (a *adder) Train(net *torch.Network, _ *torch.Images, jobs []torch.Job, parts torch.Part, _ torch.SGD) ([]torch.Trained, error) {
	var out []torch.Trained
	for _, j := range jobs {
		x, err := j.Start.Floats()
		if err != nil {
			a.t.Fatal(err)
		}
		head := net.Range(torch.Head).Begin
		if a.starts[parts] == nil {
			a.starts[parts] = map[int][4]float32{}
		}
		a.starts[parts][j.Client] = [4]float32{
			x[net.Range(torch.Primary).Begin], x[net.Range(torch.Secondary).Begin], x[head], x[head+net.Features()],
		}
		for _, r := range algorithm.Ranges(net, parts) {
			for k := r.Begin; k < r.End; k++ {
				x[k] += float32(j.Client + 1)
			}
		}
		v, err := torch.VectorOf(torch.Device{}, x)
		if err != nil {
			a.t.Fatal(err)
		}
		out = append(out, torch.Trained{End: v, Loss: []float64{1}, Finite: true})
	}
	return out, nil
}

// Predict implements [torch.Executor]. It is not called in these tests.
func (*adder) Predict(*torch.Network, *torch.Images, []torch.Prediction) ([]torch.Predicted, error) {
	return nil, nil
}

// Close implements [torch.Executor].
func (*adder) Close() {}

// TestRoundByHand checks one round on three clusters against values computed by hand (eq. 16 to 21). Clients 0 and 1, of 12
// and 13 samples, are cluster 0, client 2 is cluster 1 and client 3 is cluster 2. Cluster 0 learns from 1 and 2, cluster 1
// from 2, and cluster 2 from 0.
//
//	at the start  Θ1 = 1, 2, 3    Θ2 = 10, 20, 40    Θc = 5, 6, 7
//	primary       cluster 0 gains (12*1 + 13*2)/25 = 1.52, cluster 1 gains 3, cluster 2 gains 4
//	source 0      starts at Θ2 of its learner 2 = 40 and finds 1.52
//	source 1      starts at Θ2 of its learner 0 = 10 and finds 3
//	source 2      starts at the mean of its learners 0 and 1 = 15 and finds 4
//	mean, sum     learner 0 gains the mean of 3 and 4, or their sum; learner 1 gains 4; learner 2 gains 1.52
//	weighted      H is 3 for the edge from 1 to 0 and 1 for the edge from 2 to 0: learner 0 gains (3*3 + 1*4)/4 = 3.25
//	own sources   learner z also gains from z: learner 0 (3 + 4 + 1.52)/3, learner 1 (4 + 3)/2, learner 2 (1.52 + 4)/2
//	own head      each source also trains its classifier ψ = 50, 60, 70, and keeps it: 51.52, 63, 74
//	shared body   clusters 0 and 2 share Θ1: it becomes (12*2 + 13*3 + 15*7)/40 = 4.2 in both, and the heads gain as before; where
//	              client 3 is not sampled it becomes cluster 0's, (12*2 + 13*3)/25 = 2.52
//	one head      if they share Θc too, but not the first layers of Θ1: these become 2.52 and 7, and Θc (12*6 + 13*7 + 15*11)/40 = 8.2
//	heads         the heads train alone once more and gain as in the primary phase
func TestRoundByHand(t *testing.T) {
	all := []int{0, 1, 2, 3}
	for _, c := range []struct {
		name      string
		change    func(*FedDAG)
		cohort    []int
		primary   [3]float64
		secondary [3]float64
	}{
		{"mean", func(*FedDAG) {}, all, [3]float64{2.52, 5, 7}, [3]float64{13.5, 24, 41.52}},
		{"sum", func(a *FedDAG) { a.Sources = SourcesSum }, all, [3]float64{2.52, 5, 7}, [3]float64{17, 24, 41.52}},
		{"weighted", func(a *FedDAG) { a.Sources = SourcesWeighted }, all, [3]float64{2.52, 5, 7}, [3]float64{13.25, 24, 41.52}},
		{"server rate", func(a *FedDAG) { a.ServerRate = 0.5 }, all, [3]float64{2.52, 5, 7}, [3]float64{11.75, 22, 40.76}},
		{"rate decay", func(a *FedDAG) { a.RateDecay = 0.5 }, all, [3]float64{2.52, 5, 7}, [3]float64{10.875, 21, 40.38}},
		{"source 2 not sampled", func(*FedDAG) {}, []int{0, 1, 2}, [3]float64{2.52, 5, 3}, [3]float64{13, 20, 41.52}},
		{"own sources", func(a *FedDAG) { a.OwnSource = true }, all, [3]float64{2.52, 5, 7}, [3]float64{10 + 8.52/3, 23.5, 40 + 5.52/2}},
		{"own clients only", func(a *FedDAG) { a.Variant = DaggerVariant }, all, [3]float64{2.52, 5, 7}, [3]float64{11.52, 23, 44}},
		{"primary-first", func(a *FedDAG) { a.Order = OrderPrimaryFirst }, all, [3]float64{2.52, 5, 7}, [3]float64{13.5, 24, 41.52}},
		{"secondary-first", func(a *FedDAG) { a.Order = OrderSecondaryFirst }, all, [3]float64{2.52, 5, 7}, [3]float64{13.5, 24, 41.52}},
		{"own head", func(a *FedDAG) { a.SecondaryHead = SecondaryHeadOwn }, all, [3]float64{2.52, 5, 7}, [3]float64{13.5, 24, 41.52}},
		{"shared body", func(a *FedDAG) { a.sharing = sharedEncoders([][]int{{0, 2}, {1}}) }, all, [3]float64{4.2, 5, 4.2}, [3]float64{13.5, 24, 41.52}},
		{"first layers apart, one head", func(a *FedDAG) {
			a.sharing = similarity.Sharing{FirstLayers: [][]int{{0}, {1}, {2}}, Encoders: [][]int{{0, 2}, {1}}, Heads: [][]int{{0, 2}, {1}}}
		}, all, [3]float64{4.2, 5, 4.2}, [3]float64{13.5, 24, 41.52}},
		{"shared body, cluster 2 not sampled", func(a *FedDAG) { a.sharing = sharedEncoders([][]int{{0, 2}, {1}}) }, []int{0, 1, 2}, [3]float64{2.52, 5, 2.52}, [3]float64{13, 20, 41.52}},
		{"heads", func(a *FedDAG) { a.HeadEpochs = 1 }, all, [3]float64{2.52, 5, 7}, [3]float64{13.5, 24, 41.52}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, a := federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, twoEncoders).(*FedDAG)
			executor := &adder{t, map[torch.Part]map[int][4]float32{}}
			e.Clients, e.Executor, e.Epochs = e.Clients[:4], executor, 1
			if err := e.Start(context.Background()); err != nil {
				t.Fatal(err)
			}
			a.SecondaryHead, a.OwnSource, a.Order = SecondaryHeadFull, false, OrderParallel // as printed in the paper, except for the cases
			c.change(a)
			a.net, _ = e.Net(true)
			if err := a.setClustering(4, [][]int{{0, 1}, {2}, {3}}, [][]int{{1, 2}, {2}, {0}}, [][]float64{{3, 1}, {2}, {5}}); err != nil {
				t.Fatal(err)
			}
			parts := []torch.Part{torch.Primary, torch.Secondary, torch.Head}
			for _, values := range [][3]float32{{1, 10, 5}, {2, 20, 6}, {3, 40, 7}} {
				x := make([]float32, a.net.Len())
				for k, p := range parts {
					for i := a.net.Range(p).Begin; i < a.net.Range(p).End; i++ {
						x[i] = values[k]
					}
				}
				v, err := torch.VectorOf(e.Device, x)
				if err != nil {
					t.Fatal(err)
				}
				a.states = append(a.states, v)
			}
			if a.usesClassifiers() {
				a.sourceNet, _ = e.Net(false)
				for _, value := range []float32{50, 60, 70} {
					v, err := torch.VectorOf(e.Device, slices.Repeat([]float32{value}, a.sourceNet.Range(torch.Head).Len()))
					if err != nil {
						t.Fatal(err)
					}
					a.classifiers = append(a.classifiers, v)
				}
			}
			var cohort []*federation.Client
			for _, i := range c.cohort {
				cohort = append(cohort, e.Clients[i])
			}
			round := 0
			if c.name == "rate decay" {
				round = 2 // in which η2 is a quarter
			}
			report, err := a.Round(e, round, cohort)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range report.Trained {
				l.State.Close()
			}
			for z, psi := range a.classifiers {
				x, err := psi.Floats()
				if want := [3]float64{51.52, 63, 74}[z]; err != nil || math.Abs(float64(slices.Min(x))-want) > 1e-5 || math.Abs(float64(slices.Max(x))-want) > 1e-5 {
					t.Errorf("classifier %d is %v, %v, want %g", z, x, err, want)
				}
			}
			first := c.primary
			head := [3]float64{5 + c.primary[0] - 1, 6 + c.primary[1] - 2, 7 + c.primary[2] - 3}
			switch c.name {
			case "heads":
				head = [3]float64{5 + 2*1.52, 6 + 2*3, 7 + 2*4}
			case "shared body":
				head = [3]float64{5 + 1.52, 6 + 3, 7 + 4}
			case "first layers apart, one head":
				head = [3]float64{8.2, 6 + 3, 8.2}
				first = [3]float64{2.52, 5, 7}
			case "shared body, cluster 2 not sampled":
				head = [3]float64{5 + 1.52, 6 + 3, 7}
			}
			for z, m := range a.Models() {
				x, err := m.State.Floats()
				if err != nil {
					t.Fatal(err)
				}
				for k, want := range []float64{c.primary[z], c.secondary[z], head[z]} {
					for i := a.net.Range(parts[k]).Begin; i < a.net.Range(parts[k]).End; i++ {
						want := want
						if i < a.net.FirstLayer().End {
							want = first[z]
						}
						if math.Abs(float64(x[i])-want) > 1e-5 {
							t.Fatalf("cluster %d, part %d: %g, want %g", z, k, x[i], want)
						}
					}
				}
			}
			for parts, want := range map[torch.Part]map[string]map[int][4]float32{
				torch.Secondary: {
					"mean":            {1: {1, 40, 5, 5}, 3: {3, 15, 7, 7}},
					"secondary-first": {1: {1, 40, 5, 5}, 3: {3, 15, 7, 7}},
					"primary-first":   {3: {7, 15, 11, 11}},
					"own sources":     {1: {1, 25, 5, 5}}, // the mean of learners 0 and 2
				},
				torch.All: {
					"own head": {1: {40, 40, 50, 50}, 3: {15, 15, 70, 70}}, // [Θ2' | ψ]
				},
				torch.Primary | torch.Head: {
					"mean":            {1: {1, 10, 5, 5}, 3: {3, 40, 7, 7}},
					"secondary-first": {1: {1, 13.5, 5, 5}, 3: {3, 41.52, 7, 7}},
				},
				torch.Head: {
					"heads": {1: {2.52, 13.5, 6.52, 6.52}, 3: {7, 41.52, 11, 11}},
				},
			} {
				for client, start := range want[c.name] {
					for k, x := range executor.starts[parts][client] {
						if math.Abs(float64(x-start[k])) > 1e-5 {
							t.Errorf("client %d trains part %d from %v, want %v", client, parts, executor.starts[parts][client], start)
							break
						}
					}
				}
			}
		})
	}
}
