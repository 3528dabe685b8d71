package feddag

import (
	"fmt"
	"slices"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/torch"
)

// warmUpAtOnce bounds how many clients' weights are on the device during the warm-up.
const warmUpAtOnce = 32

// warmUpResult is what every client's training alone left behind (section 3, phase 1).
type warmUpResult struct {
	Mask    []int64     // the coordinates kept, ascending
	Updates [][]float32 // Δ~_i, of each client: the masked update over the last warm-up round
	States  [][]float32 // θ_i after warm-up, of each client; nil if not kept
}

// warmUp lets clients train alone for tg rounds of E epochs from θ^0 and sends the masked change over the last of them.
// Momentum starts anew each round. With keep, the trained weights are sent too (eq. 22 averages them). A client's
// result depends on its data and the seed alone, not on when it warms up or with whom.
func warmUp(e *federation.Env, net *torch.Network, theta0 []float32, clients []*federation.Client, tg int, fraction float64, keep bool) (*warmUpResult, error) {
	w := &warmUpResult{Mask: algorithm.Mask(e, net, fraction)}
	start, err := torch.VectorOf(e.Device, theta0)
	if err != nil {
		return nil, err
	}
	defer start.Close()
	defer e.Span(clients, tg)()
	for some := range slices.Chunk(clients, warmUpAtOnce) {
		if err := w.train(e, net, some, start, tg, keep); err != nil {
			return nil, fmt.Errorf("warm-up: %w", err)
		}
	}
	for _, c := range clients {
		e.Ledger.Down(c, "initial", net.Len())
		e.Ledger.Up(c, "update", len(w.Mask))
		if keep {
			e.Ledger.Up(c, "warm-up weights", net.Len())
		}
	}
	return w, nil
}

// train warms up a few clients.
func (w *warmUpResult) train(e *federation.Env, net *torch.Network, clients []*federation.Client, start *torch.Vector, tg int, keep bool) error {
	var before torch.Vectors
	for range clients {
		before = append(before, start)
	}
	for round := range tg {
		tasks := make([]federation.Task, len(clients))
		for i, c := range clients {
			tasks[i] = federation.Task{Client: c, Start: before[i]}
		}
		trained, err := e.LocalSGD(net, tasks, round, federation.WarmUpPhase, torch.All)
		if err == nil && round == tg-1 {
			err = w.collect(before, federation.Ends(trained), keep)
		}
		if round > 0 {
			before.Close()
		}
		if err != nil {
			federation.Ends(trained).Close()
			return err
		}
		before = federation.Ends(trained)
	}
	before.Close()
	return nil
}

// take brings the masked updates of a few clients to the host, and with keep their weights.
func (w *warmUpResult) collect(before, after torch.Vectors, keep bool) error {
	for i := range after {
		old, err := before[i].Gather(w.Mask)
		if err != nil {
			return err
		}
		update, err := after[i].Gather(w.Mask)
		if err != nil {
			return err
		}
		for k := range update {
			update[k] -= old[k]
		}
		w.Updates = append(w.Updates, update)
		if keep {
			x, err := after[i].Floats()
			if err != nil {
				return err
			}
			w.States = append(w.States, x)
		}
	}
	return nil
}
