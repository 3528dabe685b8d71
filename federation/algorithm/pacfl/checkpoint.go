package pacfl

import "feddag/federation"

// Save implements [federation.Checkpointer].
func (a *PACFL) Save() (federation.Saved, error) { return a.SaveWith(a.threshold) }

// Load implements [federation.Checkpointer].
func (a *PACFL) Load(env *federation.Env, s federation.Saved) error {
	return a.LoadWith(env, s, &a.threshold)
}
