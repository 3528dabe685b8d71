package cfl

import (
	"fmt"

	"feddag/federation"
	"feddag/torch"
)

// cflMeta is the part of a checkpoint that is not weights: the thresholds, which may have been calibrated.
type cflMeta struct {
	Eps1, Eps2 float64
	Calibrate  bool // still to do
}

// Save implements [Checkpointer].
func (a *CFL) Save() (federation.Saved, error) {
	s, err := a.SaveWith(cflMeta{a.Eps1, a.Eps2, a.Calibrate})
	if err != nil {
		return s, err
	}
	for i, x := range a.last {
		s.PutBlob(fmt.Sprintf("update-%d", i), x)
	}
	return s, nil
}

// Load implements [Checkpointer].
func (a *CFL) Load(env *federation.Env, s federation.Saved) error {
	var meta cflMeta
	if err := a.LoadWith(env, s, &meta); err != nil {
		return err
	}
	a.Eps1, a.Eps2, a.Calibrate = meta.Eps1, meta.Eps2, meta.Calibrate
	a.last = make([][]float32, len(env.Clients))
	parameters := 0
	for _, r := range a.Net.Trained(torch.All) {
		parameters += r.Len()
	}
	for i := range a.last {
		var err error
		if a.last[i], err = s.Blob(fmt.Sprintf("update-%d", i), parameters); err != nil {
			return err
		}
	}
	return nil
}

// Leave implements [Leaver].
func (a *CFL) Leave(env *federation.Env, t int, clients []*federation.Client) error {
	for _, c := range clients {
		a.last[c.ID] = nil
	}
	return a.ClusterBank.Leave(env, t, clients)
}

// Join implements [Newcomer]: the leaf's model with the lowest loss on the newcomer's training data. The authors do not
// say; their code has none.
func (a *CFL) Join(env *federation.Env, _ int, newcomers []*federation.Client) error {
	return a.JoinLowestLoss(newcomers)
}
