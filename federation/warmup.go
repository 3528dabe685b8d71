package federation

import (
	"fmt"
	"math"
	"slices"

	"feddag/federation/stream"
	"feddag/torch"
)

// warmUpAtOnce bounds how many clients' weights are on the device during the warm-up.
const warmUpAtOnce = 32

// WarmUp is what every client's training alone left behind (section 3, phase 1).
type WarmUp struct {
	Mask    []int64     // the coordinates kept, ascending
	Updates [][]float32 // Δ~_i, by client: the masked update over the last warm-up round
	States  [][]float32 // θ_i after warm-up, by client; nil if not kept
}

// warmUp lets every client train alone for tg rounds of E epochs from θ^0 and sends the masked change over the last of
// them. Momentum starts anew each round. With keep, the trained weights are sent too (eq. 22 averages them).
func (e *Env) warmUp(net *torch.Network, theta0 []float32, tg int, fraction float64, keep bool) (*WarmUp, error) {
	w := &WarmUp{Mask: e.mask(net.Len(), fraction), Updates: make([][]float32, len(e.Clients))}
	if keep {
		w.States = make([][]float32, len(e.Clients))
	}
	start, err := torch.VectorOf(e.Device, theta0)
	if err != nil {
		return nil, err
	}
	defer start.Close()
	defer e.spanning(tg)()
	for clients := range slices.Chunk(e.Clients, warmUpAtOnce) {
		if err := w.train(e, net, clients, start, tg); err != nil {
			return nil, fmt.Errorf("warm-up: %w", err)
		}
	}
	for _, c := range e.Clients {
		e.Ledger.Down(c, "initial", net.Len())
		e.Ledger.Up(c, "update", len(w.Mask))
		if keep {
			e.Ledger.Up(c, "warm-up weights", net.Len())
		}
	}
	return w, nil
}

// train warms up a few clients.
func (w *WarmUp) train(e *Env, net *torch.Network, clients []*Client, start *torch.Vector, tg int) error {
	var before vectors
	for range clients {
		before = append(before, start)
	}
	for round := range tg {
		tasks := make([]Task, len(clients))
		for i, c := range clients {
			tasks[i] = Task{c, before[i]}
		}
		trained, err := e.LocalSGD(net, tasks, round, WarmUpPhase, torch.All)
		if err == nil && round == tg-1 {
			err = w.keep(clients, before, ends(trained))
		}
		if round > 0 {
			before.Close()
		}
		if err != nil {
			ends(trained).Close()
			return err
		}
		before = ends(trained)
	}
	before.Close()
	return nil
}

// keep takes the masked updates, and the weights, of a few clients to the host.
func (w *WarmUp) keep(clients []*Client, before, after vectors) error {
	for i, c := range clients {
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
		w.Updates[c.ID] = update
		if w.States != nil {
			if w.States[c.ID], err = after[i].Floats(); err != nil {
				return err
			}
		}
	}
	return nil
}

// mask draws the coordinates that every client sends: max(1, round(fraction P)) of P, ascending.
func (e *Env) mask(p int, fraction float64) []int64 {
	k := min(p, max(1, int(math.Round(fraction*float64(p)))))
	chosen := stream.New(e.Seed, "mask").Perm(p)[:k]
	slices.Sort(chosen)
	mask := make([]int64, k)
	for i, c := range chosen {
		mask[i] = int64(c)
	}
	return mask
}
