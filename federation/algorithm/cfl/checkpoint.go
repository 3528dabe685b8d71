package cfl

import (
	"fmt"

	"feddag/federation"
	"feddag/torch"
)

// checkpoint holds the part of a checkpoint that is not a vector: the thresholds, which may have been calibrated.
type checkpoint struct {
	Eps1, Eps2 float64
	Calibrate  bool // whether the calibration has not been done yet
}

// Save implements [federation.Checkpointer].
func (a *CFL) Save() (federation.Saved, error) {
	limits := a.limits()
	s, err := a.SaveWith(checkpoint{limits.eps1, limits.eps2, a.Calibrate && a.calibrated == nil})
	if err != nil {
		return s, err
	}
	for i, x := range a.last {
		s.PutBlob(fmt.Sprintf("update-%d", i), x)
	}
	return s, nil
}

// Load implements [federation.Checkpointer].
func (a *CFL) Load(env *federation.Env, s federation.Saved) error {
	var meta checkpoint
	if err := a.LoadWith(env, s, &meta); err != nil {
		return err
	}
	if a.Calibrate && !meta.Calibrate {
		a.calibrated = &thresholds{meta.Eps1, meta.Eps2}
	}
	a.warnOfRounds(env)
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
