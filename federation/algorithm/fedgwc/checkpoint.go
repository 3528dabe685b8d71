package fedgwc

import (
	"fmt"

	"feddag/federation"
)

// Save implements [federation.Checkpointer].
func (a *FedGWC) Save() (federation.Saved, error) { return a.SaveWith(a.interactions) }

// Load implements [federation.Checkpointer].
func (a *FedGWC) Load(env *federation.Env, s federation.Saved) error {
	if err := a.LoadWith(env, s, &a.interactions); err != nil {
		return err
	}
	if len(a.interactions) != len(a.States) {
		return fmt.Errorf("the checkpoint has matrices of %d clusters for %d models", len(a.interactions), len(a.States))
	}
	if env.Scenario == nil && len(a.States) == 1 { // the run may have more rounds now
		a.warnOfNoSplit(env)
	}
	return nil
}
