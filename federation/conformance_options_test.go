package federation

import (
	"context"
	"strings"
	"testing"
)

func TestLossThatIsNoNumber(t *testing.T) {
	for _, name := range Names() {
		e := tinyEnv(t, 2)
		e.LearningRate = 1e30
		_, err := Run(context.Background(), e, algorithm(t, name), RunOptions{Algorithm: name})
		if err == nil || !strings.Contains(err.Error(), "client ") || !strings.Contains(err.Error(), "--lr") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
