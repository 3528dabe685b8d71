package algorithm

import (
	"fmt"

	"feddag/federation"
)

// checkCount warns where K models are more than there are clients, and returns an error where there is none.
func CheckCount(env *federation.Env, flag string, k int) error {
	if k < 1 {
		return fmt.Errorf("--%s is %d: use 1 or more", flag, k)
	}
	if n := len(env.Present()); k > n {
		return fmt.Errorf("--%s is %d, there are %d clients: use at most as many", flag, k, n)
	}
	if k == 1 {
		env.Warn("--%s is 1: one model for all clients", flag)
	}
	if k > env.Data.Classes {
		env.Warn("--%s is %d, more than the %d classes", flag, k, env.Data.Classes)
	}
	return nil
}
