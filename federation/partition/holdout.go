package partition

import (
	"fmt"
	"math"
	"slices"

	"feddag/internal/stream"
)

// checkHoldout returns an error unless the share of held-out clients is valid and leaves clients to train.
func checkHoldout(o Options) error {
	h := o.Holdout
	if math.IsNaN(h) || h < 0 || h >= 1 {
		return fmt.Errorf("--holdout %v: must be a share of the clients, 0 (none) to below 1", h)
	}
	if h > 0 && o.Clients == 1 {
		return fmt.Errorf("--holdout %v: the only client would be held out; use more --clients", h)
	}
	return nil
}

// drawHeldOut holds out round(Holdout*N) random clients. It holds out none if Holdout is 0, and otherwise at least one and at
// most all clients except one. It draws from a separate stream, so that the samples of the clients are the same for every
// share.
func (p *Partition) drawHeldOut() {
	n := len(p.Shards)
	if p.Params.Holdout == 0 || n < 2 {
		return
	}
	k := min(max(1, int(math.Round(p.Params.Holdout*float64(n)))), n-1)
	p.HeldOut = stream.New(p.Seed, "partition/holdout").Perm(n)[:k:k]
	slices.Sort(p.HeldOut)
}

// IsHeldOut reports whether a client does not take part in training and clustering.
func (p *Partition) IsHeldOut(client int) bool {
	_, held := slices.BinarySearch(p.HeldOut, client)
	return held
}

// checkHeldOut returns an error unless HeldOut has distinct clients in ascending order, and not all of them.
func (p *Partition) checkHeldOut() error {
	if n := len(p.Shards); len(p.HeldOut) > 0 && len(p.HeldOut) >= n {
		return fmt.Errorf("%d of %d clients are held out, so none is left to train; hold out fewer", len(p.HeldOut), n)
	}
	for k, i := range p.HeldOut {
		if i < 0 || i >= len(p.Shards) {
			return fmt.Errorf("held-out client %d is out of range: it must be 0 to %d", i, len(p.Shards)-1)
		}
		if k > 0 && i <= p.HeldOut[k-1] {
			return fmt.Errorf("held-out clients must be in ascending order without repeats, but %d follows %d", i, p.HeldOut[k-1])
		}
	}
	return nil
}
