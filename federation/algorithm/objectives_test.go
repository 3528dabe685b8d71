package algorithm

import (
	"errors"
	"math"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// TestMeanSample checks the mean of normalised images and of one-hot labels by hand: bytes 1 and 3 of 255, mean 0.5, standard
// deviation 0.5.
func TestMeanSample(t *testing.T) {
	e := federationtest.TinyEnv(t, 1)
	for i := range federationtest.Side * federationtest.Side {
		e.Data.Train.Pixels[i], e.Data.Train.Pixels[federationtest.Side*federationtest.Side+i] = 1, 3
	}
	image, label := meanSample(e, &federation.Client{LabelMap: []uint8{2, 3, 0, 1}}, []int32{0, 1}) // labels 0 and 1
	for _, x := range image {
		if math.Abs(float64(x)-(2./255-.5)/.5) > 1e-6 {
			t.Fatalf("a pixel of %g", x)
		}
	}
	if len(image) != federationtest.Side*federationtest.Side || !slices.Equal(label, []float32{0, 0, .5, .5}) {
		t.Errorf("%d pixels, labels %v", len(image), label)
	}
}

// TestFedMixMeans checks that every present client sends its means, and that held-out clients send no means.
func TestFedMixMeans(t *testing.T) {
	for group, want := range map[int]int{0: 6, 5: 3 + 3 + 3 + 3 + 4 + 4} { // for clients with 12, 13, 14, 15, 16 and 17 samples
		e, a := federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, "fedmix").(*FedMix)
		a.Group = group
		e.Clients[6].HeldOut, e.Clients[7].HeldOut = true, true
		if err := federationtest.Initialise(t, e, a); err != nil {
			t.Fatal(err)
		}
		if n := a.labels.Len() / federationtest.Classes; n != want || a.images.Len() != n*federationtest.Side*federationtest.Side {
			t.Errorf("groups of %d: %d means, want %d", group, n, want)
		}
	}
}

// TestNewcomersReceiveSharedImages checks that newcomers of FedMix and FedBR receive the images that their training needs.
func TestNewcomersReceiveSharedImages(t *testing.T) {
	for name, kind := range map[string]string{"fedmix": "mean samples", "fedbr": "pseudo-images"} {
		e := federationtest.TinyEnv(t, 1)
		e.Clients[6].HeldOut, e.Clients[7].HeldOut = true, true
		result := federationtest.MustRun(t, e, federationtest.Algorithm(t, name), federation.RunOptions{})
		present, newcomers := e.Ledger.Total.Down[kind]-result.HeldOutTraffic.Down[kind], result.HeldOutTraffic.Down[kind]
		if newcomers == 0 || newcomers*6 != present*2 {
			t.Errorf("%s: 2 newcomers receive %d bytes of %s, 6 other clients %d", name, newcomers, kind, present)
		}
	}
}

// TestPerFedAvgPredictsAfterAStep checks that a client takes a step before it predicts, with the global model and at the end of a
// round; that the step has no effect with α = 0; and that evaluation counts no work.
func TestPerFedAvgPredictsAfterAStep(t *testing.T) {
	for inner, moves := range map[float64]bool{0: false, 1: true} {
		e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "per-fedavg").(*PerFedAvg)
		a.Inner = inner
		if err := federationtest.Initialise(t, e, a); err != nil {
			t.Fatal(err)
		}
		w := federationtest.Models(t, a)["global"]
		err := a.Predict(e, e.Clients, func(clients []*federation.Client, models []federation.Model) error {
			for i, c := range clients {
				x, err := models[i].State.Floats()
				if err != nil {
					return err
				}
				if slices.Equal(x, w) == moves {
					t.Errorf("α = %g: client %d predicts with the unchanged w: %v", inner, c.ID, moves)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if w := e.Ledger.AllWork(); w.Training != 0 {
			t.Errorf("evaluation trained on %d samples", w.Training)
		}
		report, err := a.Round(e, 0, e.Clients[:1])
		if err != nil {
			t.Fatal(err)
		}
		x, err := report.Trained[0].Model.State.Floats()
		if err != nil {
			t.Fatal(err)
		}
		report.Trained[0].Close()
		if slices.Equal(x, federationtest.Models(t, a)["global"]) == moves {
			t.Errorf("α = %g: at the round's end the only client predicts with its w: %v", inner, moves)
		}
	}
}

// TestPerFedAvgSecondOrder checks that the second order gives different weights from the first order and costs more.
func TestPerFedAvgSecondOrder(t *testing.T) {
	var ends [][]float32
	var works []int64
	for _, second := range []bool{false, true} {
		e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "per-fedavg").(*PerFedAvg)
		a.SecondOrder, e.Batch = second, 3
		federationtest.MustRun(t, e, a, federation.RunOptions{})
		ends, works = append(ends, federationtest.Models(t, a)["global"]), append(works, e.Ledger.AllWork().Training)
	}
	if slices.Equal(ends[0], ends[1]) || works[1] <= works[0] {
		t.Errorf("the weights are equal, or the work is wrong: %v", works)
	}
}

// TestFedBRProjection checks that the projection is averaged with the model, and does not change without the objective.
func TestFedBRProjection(t *testing.T) {
	for mu, moves := range map[float64]bool{0: false, 0.5: true} {
		e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "fedbr").(*FedBR)
		a.Mu, a.Lambda = mu, 0
		if err := federationtest.Initialise(t, e, a); err != nil {
			t.Fatal(err)
		}
		if n := a.pseudo.Len() / (federationtest.Side * federationtest.Side); n != e.Batch {
			t.Errorf("%d pseudo-images for batches of %d", n, e.Batch)
		}
		before, err := a.projection.Floats()
		if err != nil {
			t.Fatal(err)
		}
		report, err := a.Round(e, 0, e.Sample(0))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range report.Trained {
			l.Close()
		}
		after, err := a.projection.Floats()
		if err != nil {
			t.Fatal(err)
		}
		if slices.Equal(before, after) == moves {
			t.Errorf("µ = %g: the projection moves: %v", mu, !moves)
		}
	}
}

// TestWorkOfObjectives checks that the ledger has the cost of an objective: three passes for FedMix, and the pseudo-images in
// every batch for FedBR.
func TestWorkOfObjectives(t *testing.T) {
	trained := func(name string) float64 {
		e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, name)
		federationtest.MustRun(t, e, a, federation.RunOptions{})
		return float64(e.Ledger.AllWork().Training)
	}
	plain := trained("fedavg")
	if x := trained("fedmix") / plain; x != 3 {
		t.Errorf("FedMix costs %g times FedAvg", x)
	}
	if x := trained("fedbr") / plain; x < 2 || x > 2.5 { // batches of 8 with 8 pseudo-images, the last ones shorter
		t.Errorf("FedBR costs %g times FedAvg", x)
	}
}

// TestObjectivesByHand checks rounds of FedMix and FedBR by hand (see [federationtest.HandEnv]).
func TestObjectivesByHand(t *testing.T) {
	for _, c := range []federationtest.HandCase{
		// λ = 1/2 with the single mean x̄ = (1, 1), ȳ = (1/2, 1/2), whose own gradient is 0 at W = 0. Client 0: x~ = (1/2,
		// 0), so -dW_0 = 1/2 1/2 x~ + 1/4 1/2 x̄ = (1/4, 1/8), -db_0 = 1/4; client 1: x~ = (0, 1), dW_0 = (1/8, 3/8), db_0 = 1/4.
		{
			Name:   "fedmix",
			Change: func(_ *federation.Env, a federation.Algorithm) { a.(*FedMix).Lambda = 0.5 },
			Ready: func(_ *federation.Env, a federation.Algorithm) error {
				m := a.(*FedMix)
				torch.Vectors{m.images, m.labels}.Close()
				return m.upload([]float32{1, 1}, []float32{.5, .5})
			},
			Want: map[string]federationtest.Linear{"global": {.25*.25 - .75*.125, .25*.125 - .75*.375, .25*.25 - .75*.25}},
		},
		// There are two steps with the single pseudo-image (1, 1), whose label is uniform. It adds nothing at W = 0, but in the
		// second step its logits are ±1 at client 0 and ±(-1.5) at client 1. The features are the pixels, so the contrastive loss
		// changes only P.
		{
			Name:   "fedbr",
			Change: func(e *federation.Env, a federation.Algorithm) { e.Epochs = 2 },
			Ready: func(_ *federation.Env, a federation.Algorithm) error {
				m := a.(*FedBR)
				p, err := m.projection.Floats()
				torch.Vectors{m.pseudo, m.projection}.Close()
				return errors.Join(err, m.upload([]float32{1, 1}, p))
			},
			Want: func() map[string]federationtest.Linear {
				p, q := federationtest.Logistic(2)-.5, federationtest.Logistic(-3)-.5
				return map[string]federationtest.Linear{"global": {
					.25*(.5+federationtest.Logistic(-2)-p) + .75*(-q), .25*(-p) + .75*(-1-2*federationtest.Logistic(-5)-q), .25*(.5+federationtest.Logistic(-2)-p) + .75*(-.5-federationtest.Logistic(-5)-q),
				}}
			}(),
		},
	} {
		t.Run(c.Name, c.Run)
	}
}
