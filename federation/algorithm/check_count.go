package algorithm

import (
	"fmt"

	"feddag/federation"
)

// CheckCount checks k, a number of models or clusters that the user sets with a flag. It returns an error if k is below 1 or
// above the number of clients, and warns if k is 1 or above the number of classes.
func CheckCount(env *federation.Env, flag string, k int) error {
	if k < 1 {
		return fmt.Errorf("--%s is %d: use 1 or more", flag, k)
	}
	if n := len(env.Present()); k > n {
		return fmt.Errorf("--%s is %d, but there are only %d clients: use at most this number", flag, k, n)
	}
	if k == 1 {
		env.Warn("--%s is 1: all clients share one model", flag)
	}
	if k > env.Data.Classes {
		env.Warn("--%s is %d, which is more than the %d classes", flag, k, env.Data.Classes)
	}
	return nil
}
