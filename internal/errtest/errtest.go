// Package errtest checks error texts in tests.
package errtest

import (
	"strings"
	"testing"
)

// Want fails the test unless err is an error of one line that contains all the words.
func Want(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	if strings.ContainsAny(err.Error(), "\n\r") {
		t.Errorf("the error has several lines: %v", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q lacks %q", err, w)
		}
	}
}
