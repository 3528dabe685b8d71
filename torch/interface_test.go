package torch

import (
	"strings"
	"testing"
)

// TestSameInterface checks that a library which was compiled with other headers is refused.
func TestSameInterface(t *testing.T) {
	if err := sameInterface("81ab836a", "81ab836a"); err != nil {
		t.Error(err)
	}
	if err := sameInterface("81ab836a", "5572a6d3"); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("the error is %v", err)
	}
}
