package algorithm

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// TestOracleIsFedAvgInEachGroup checks that within a group the oracle equals FedAvg on the clients of the group.
func TestOracleIsFedAvgInEachGroup(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "oracle")
	e.Rate = 1
	federationtest.MustRun(t, e, a, federation.RunOptions{})
	for g := range 2 {
		e, b := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "fedavg")
		e.Rate = 1
		for _, c := range e.Clients {
			c.HeldOut = c.Group != g
		}
		federationtest.MustRun(t, e, b, federation.RunOptions{})
		if !slices.Equal(federationtest.Models(t, a)[modelName(g)], federationtest.Models(t, b)["global"]) {
			t.Errorf("group %d has another model than FedAvg makes of its clients", g)
		}
	}
	if c := a.(federation.Clustered).Clusters(); len(c) != 2 || !slices.Equal(c[0], []int{0, 2, 4, 6}) {
		t.Errorf("clusters %v", c)
	}
}

// TestOracleNeedsGroups checks that a partition without true groups is an error.
func TestOracleNeedsGroups(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, "oracle")
	e.Clients[2].Group = -1
	if _, err := federation.Run(context.Background(), e, a, federation.RunOptions{}); err == nil || !strings.Contains(err.Error(), "client 2: the algorithm oracle needs true groups") {
		t.Errorf("no groups: %v", err)
	}
}

// TestLocalIsTheClientAlone checks that the model of a client of local is the result of its own trainings from θ^0 in the rounds
// in which it was sampled, and that it sends nothing.
func TestLocalIsTheClientAlone(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "local")
	federationtest.MustRun(t, e, a, federation.RunOptions{})
	net, _ := e.Net(false)
	state, err := torch.VectorOf(e.Device, e.InitialState(net))
	if err != nil {
		t.Fatal(err)
	}
	client := e.Clients[5]
	for round := range e.Rounds {
		if !slices.Contains(e.Sample(round), client) {
			continue
		}
		trained, err := e.LocalSGD(net, []torch.Job{client.Job(state)}, round, federation.PrimaryPhase, torch.All)
		if err != nil {
			t.Fatal(err)
		}
		state.Close()
		state = trained[0].End
	}
	defer state.Close()
	want, err := state.Floats()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(federationtest.Models(t, a)[modelName(5)], want) {
		t.Error("client 5 does not have the model of its own training")
	}
	if up, _ := e.Ledger.Total.Totals(); up != 0 {
		t.Errorf("%d bytes sent to the server", up)
	}
}

// TestProximalTermHoldsClients checks FedProx. In a single step the term is evaluated where the client started, so any µ gives
// FedAvg. With more steps, the model stays closer to its start if µ is larger.
func TestProximalTermHoldsClients(t *testing.T) {
	moved := func(name string, batch int, mu float64) ([]float32, float64) {
		e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, name)
		e.Rounds, e.Epochs, e.Batch, e.Rate = 1, 1, batch, 1
		if p, ok := a.(*FedProx); ok {
			p.Mu = mu
		}
		net, _ := e.Net(false)
		start := e.InitialState(net)
		federationtest.MustRun(t, e, a, federation.RunOptions{})
		end := federationtest.Models(t, a)["global"]
		var sum float64
		for i := range end {
			sum += math.Pow(float64(end[i]-start[i]), 2)
		}
		return end, math.Sqrt(sum)
	}
	plain, _ := moved("fedavg", 100, 0)
	if prox, _ := moved("fedprox", 100, 7); !slices.Equal(prox, plain) {
		t.Error("one step, µ = 7: not FedAvg")
	}
	_, d0 := moved("fedprox", 4, 0)
	_, d1 := moved("fedprox", 4, 1)
	_, d5 := moved("fedprox", 4, 5)
	if !(d0 > d1 && d1 > d5) {
		t.Errorf("the model moves by %g, %g, %g for µ = 0, 1, 5", d0, d1, d5)
	}
}
