package federation_test

import (
	"math"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// TestFirstLosses checks that the mean of the losses of the first batches, weighted by the batches' sizes, is the mean loss of
// the epoch; that the first of them is the loss of the received weights; and that the client with the fewest batches bounds their
// number.
func TestFirstLosses(t *testing.T) {
	e := federationtest.TinyEnv(t, 1)
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	net, err := e.Net(false)
	if err != nil {
		t.Fatal(err)
	}
	start, err := torch.VectorOf(e.Device, e.InitialState(net))
	if err != nil {
		t.Fatal(err)
	}
	defer start.Close()
	jobs := []torch.Job{e.Clients[5].Job(start), e.Clients[7].Job(start)} // 17 and 19 samples: batches of 8, 8 and 1, or 3
	sgd := e.SGD()
	trained, err := e.LocalTraining(net, jobs, 3, federation.PrimaryPhase, torch.All, sgd, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer torch.CloseTrained(trained)
	before := e.Ledger.AllWork()
	losses, err := e.FirstLosses(net, jobs, 3, federation.PrimaryPhase, torch.All, sgd, 7)
	if err != nil {
		t.Fatal(err)
	}
	if e.Ledger.AllWork() != before {
		t.Error("the losses of a training count as another training")
	}
	for i, job := range jobs {
		if len(losses[i]) != 3 {
			t.Fatalf("%d losses, want the losses of 3 batches", len(losses[i]))
		}
		n := float64(len(job.Samples))
		if got := (8*losses[i][0] + 8*losses[i][1] + (n-16)*losses[i][2]) / n; math.Abs(got-trained[i].Loss[0]) > 1e-6 {
			t.Errorf("the mean loss of the batches is %g, but the mean loss of the epoch is %g", got, trained[i].Loss[0])
		}
	}
	sgd.LearningRate = 0
	still, err := e.FirstLosses(net, jobs, 3, federation.PrimaryPhase, torch.All, sgd, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range jobs {
		if math.Abs(still[i][0]-losses[i][0]) > 1e-6 {
			t.Errorf("the first batch has the loss %g, with the received weights %g", losses[i][0], still[i][0])
		}
	}
	short := jobs[0]
	short.Samples = short.Samples[:12]
	both, err := e.FirstLosses(net, []torch.Job{short, jobs[1]}, 3, federation.PrimaryPhase, torch.All, sgd, 7)
	if err != nil {
		t.Fatal(err)
	}
	if len(both[0]) != 2 || len(both[1]) != 2 {
		t.Errorf("%v: want two losses of each client", both)
	}
}
