package cflgp

import (
	"fmt"
	"slices"

	"feddag/federation"
)

// snapshot returns a copy of all fields that a round may change.
func (a *CFLGP) snapshot() CFLGP {
	c := *a
	c.Of = slices.Clone(a.Of)
	c.profiles = make([][][]float32, len(a.profiles))
	for k := range c.profiles {
		c.profiles[k] = slices.Clone(a.profiles[k])
	}
	return c
}

// restore undoes a failed round, given a snapshot from before the round.
func (a *CFLGP) restore(c CFLGP) {
	a.Of, a.profiles, a.criterion, a.centroids = c.Of, c.profiles, c.criterion, c.centroids
}

// Save implements [federation.Checkpointer].
func (a *CFLGP) Save() (federation.Saved, error) {
	s, err := a.SaveWith(nil)
	if err != nil {
		return s, err
	}
	put := func(x []float32, name string, keys ...any) {
		if x != nil {
			s.Vectors[fmt.Sprintf(name, keys...)] = x
		}
	}
	put(a.criterion, "criterion")
	for z, x := range a.centroids {
		put(x, "centroid-%d", z)
	}
	for k, block := range a.profiles {
		for i, x := range block {
			put(x, "profile-%d-%d", k, i)
		}
	}
	return s, nil
}

// Load implements [federation.Checkpointer].
func (a *CFLGP) Load(env *federation.Env, s federation.Saved) error {
	if err := a.LoadWith(env, s, nil); err != nil {
		return err
	}
	if len(a.States) != a.K {
		return fmt.Errorf("the checkpoint has %d models, but this run has %d", len(a.States), a.K)
	}
	a.clearProfiles(len(env.Clients))
	for k, block := range a.profiles {
		for i := range block {
			block[i] = s.Vectors[fmt.Sprintf("profile-%d-%d", k, i)]
		}
	}
	if a.criterion = s.Vectors["criterion"]; a.criterion != nil {
		a.centroids = make([][]float32, a.K)
		for z := range a.centroids {
			a.centroids[z] = s.Vectors[fmt.Sprintf("centroid-%d", z)]
		}
	}
	return nil
}
