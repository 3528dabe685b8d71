package federation

import (
	"math"
	"slices"
	"testing"

	"feddag/torch"
)

// The mean of normalised images and of one-hot labels, by hand: bytes 1 and 3 of 255, mean 0.5, deviation 0.5.
func TestMeanSample(t *testing.T) {
	e := tinyEnv(t, 1)
	for i := range side * side {
		e.Data.Train.Pixels[i], e.Data.Train.Pixels[side*side+i] = 1, 3
	}
	image, label := e.meanSample(&Client{LabelMap: []uint8{2, 3, 0, 1}}, []int32{0, 1}) // labels 0 and 1
	for _, x := range image {
		if math.Abs(float64(x)-(2./255-.5)/.5) > 1e-6 {
			t.Fatalf("a pixel of %g", x)
		}
	}
	if len(image) != side*side || !slices.Equal(label, []float32{0, 0, .5, .5}) {
		t.Errorf("%d pixels, labels %v", len(image), label)
	}
}

// Every client that is there gives its means, those held out give none.
func TestFedMixMeans(t *testing.T) {
	for group, want := range map[int]int{0: 6, 5: 3 + 3 + 3 + 3 + 4 + 4} { // of 12, 13, 14, 15, 16 and 17 samples
		e, a := tinyEnv(t, 1), algorithm(t, "fedmix").(*FedMix)
		a.Group = group
		e.Clients[6].HeldOut, e.Clients[7].HeldOut = true, true
		if err := initialised(t, e, a); err != nil {
			t.Fatal(err)
		}
		if n := a.labels.Len() / classes; n != want || a.images.Len() != n*side*side {
			t.Errorf("groups of %d: %d means, want %d", group, n, want)
		}
	}
}

// Before it predicts, with the model or at a round's end, a client takes a step of its own, of which α = 0 makes nothing;
// evaluation costs no work.
func TestPerFedAvgPredictsAfterAStep(t *testing.T) {
	for inner, moves := range map[float64]bool{0: false, 1: true} {
		e, a := tinyEnv(t, 2), algorithm(t, "per-fedavg").(*PerFedAvg)
		a.Inner = inner
		if err := initialised(t, e, a); err != nil {
			t.Fatal(err)
		}
		w := weights(t, a)["global"]
		err := a.Predict(e, e.Clients, func(clients []*Client, models []Model) error {
			for i, c := range clients {
				x, err := models[i].State.Floats()
				if err != nil {
					return err
				}
				if slices.Equal(x, w) == moves {
					t.Errorf("α = %g: client %d predicts with w: %v", inner, c.ID, moves)
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
		report.Trained[0].close()
		if slices.Equal(x, weights(t, a)["global"]) == moves {
			t.Errorf("α = %g: at the round's end the only client predicts with its w: %v", inner, moves)
		}
	}
}

// The second order is another method than the first, and costs a third more.
func TestPerFedAvgSecondOrder(t *testing.T) {
	var ends [][]float32
	var works []int64
	for _, second := range []bool{false, true} {
		e, a := tinyEnv(t, 2), algorithm(t, "per-fedavg").(*PerFedAvg)
		a.SecondOrder, e.Batch = second, 3
		mustRun(t, e, a, RunOptions{})
		ends, works = append(ends, weights(t, a)["global"]), append(works, e.Ledger.AllWork().Training)
	}
	if slices.Equal(ends[0], ends[1]) || works[1] <= works[0] {
		t.Errorf("equal weights, or work %v", works)
	}
}

// The projection is averaged with the model; without the objective it stays.
func TestFedBRProjection(t *testing.T) {
	for mu, moves := range map[float64]bool{0: false, 0.5: true} {
		e, a := tinyEnv(t, 2), algorithm(t, "fedbr").(*FedBR)
		a.Mu, a.Lambda = mu, 0
		if err := initialised(t, e, a); err != nil {
			t.Fatal(err)
		}
		if n := a.pseudo.Len() / (side * side); n != e.Batch {
			t.Errorf("%d pseudo-images for batches of %d", n, e.Batch)
		}
		before, err := a.projection.Floats()
		if err != nil {
			t.Fatal(err)
		}
		report, err := a.Round(e, 0, e.cohort(0))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range report.Trained {
			l.close()
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

// What an objective costs is in the ledger: three passes for FedMix, the pseudo-images with every batch for FedBR.
func TestWorkOfObjectives(t *testing.T) {
	trained := func(name string) float64 {
		e, a := tinyEnv(t, 2), algorithm(t, name)
		mustRun(t, e, a, RunOptions{})
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

// The diversity regulariser changes FedDAG's primary phase, and lowers the cosine of its encoders' features.
func TestDiversity(t *testing.T) {
	cosine := func(lambda float64) float64 {
		e, a := readied(t, func(_ *Env, a *FedDAG) {
			a.Diversity, a.PrimaryInit, a.HeadInit = lambda, "common", "random"
		})
		for round := range 4 {
			report, err := a.Round(e, round, e.cohort(round))
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range report.Trained {
				l.close()
			}
		}
		seen, err := e.predict(a.net, e.Train, []torch.Prediction{{
			State: a.Model(0).State, Samples: e.Clients[0].Train, Features: true,
		}})
		if err != nil {
			t.Fatal(err)
		}
		var sum float64
		f := a.net.Features()
		for row := range slices.Chunk(seen[0].Features, 2*f) {
			u, v := row[:f], row[f:]
			if n := math.Sqrt(dot(u, u) * dot(v, v)); n > 0 {
				sum += math.Pow(dot(u, v)/n, 2)
			}
		}
		return sum
	}
	if without, with := cosine(0), cosine(2); !(with < without) {
		t.Errorf("squared cosines %g without, %g with the regulariser", without, with)
	}
}
