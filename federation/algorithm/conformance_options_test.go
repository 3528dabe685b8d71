package algorithm_test

import (
	"context"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
)

func TestLossThatIsNoNumber(t *testing.T) {
	for _, name := range federation.Names() {
		e := federationtest.TinyEnv(t, 2)
		e.LearningRate = 1e30
		_, err := federation.Run(context.Background(), e, federationtest.Algorithm(t, name), federation.RunOptions{Algorithm: name})
		if err == nil || !strings.Contains(err.Error(), "client ") || !strings.Contains(err.Error(), "--lr") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
