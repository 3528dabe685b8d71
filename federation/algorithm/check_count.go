package algorithm

import (
	"fmt"

	"feddag/federation"
)

// CheckCount checks K, a number of models or clusters that the user gives by a flag. It returns an error if k is below 1 or
// above the number of clients, and warns if k is 1 or above the number of classes.
func CheckCount(env *federation.Env, flag string, k int) error {
	if k < 1 {
		return fmt.Errorf("--%s is %d: use 1 or more", flag, k)
	}
	if n := len(env.Present()); k > n {
		return fmt.Errorf("--%s is %d, but there are %d clients: use at most as many", flag, k, n)
	}
	if k == 1 {
		env.Warn("--%s is 1: all clients share one model", flag)
	}
	if k > env.Data.Classes {
		env.Warn("--%s is %d, more than the %d classes", flag, k, env.Data.Classes)
	}
	return nil
}
