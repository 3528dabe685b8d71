package federationtest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"feddag/federation"

	"github.com/spf13/pflag"
)

// Algorithm returns a registered algorithm, which is closed at the end of the test. The name may be followed by flags of the
// algorithm, separated by spaces: "ifca --ifca-clusters=2".
func Algorithm(t *testing.T, name string) federation.Algorithm {
	t.Helper()
	words := strings.Fields(name)
	a, err := federation.New(words[0])
	if err != nil {
		t.Fatal(err)
	}
	if flags := words[1:]; len(flags) > 0 {
		fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
		a.(federation.Flagger).Flags(fs)
		if err := fs.Parse(flags); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(a.Close)
	return a
}

// Initialise does what [federation.Run] does before the first round: it validates the options of an algorithm, starts the
// environment and calls Init. It returns the first error.
func Initialise(t *testing.T, e *federation.Env, a federation.Algorithm) error {
	t.Helper()
	if v, ok := a.(federation.Validator); ok {
		if err := v.Validate(); err != nil {
			return err
		}
	}
	return errors.Join(e.Start(context.Background()), a.Init(e))
}

// MustRun runs an algorithm to its end and returns the result. The test fails if the run does.
func MustRun(t *testing.T, e *federation.Env, a federation.Algorithm, o federation.RunOptions) *federation.Result {
	t.Helper()
	r, err := federation.Run(context.Background(), e, a, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Finished runs a registered algorithm in a [TinyEnv], which change may modify before, and returns the models after the run and
// its result. change may be nil.
func Finished(t *testing.T, name string, workers int, change func(*federation.Env)) (map[string][]float32, *federation.Result) {
	t.Helper()
	e, a := TinyEnv(t, workers), Algorithm(t, name)
	if change != nil {
		change(e)
	}
	r := MustRun(t, e, a, federation.RunOptions{Algorithm: name})
	return Models(t, a), r
}

// Models returns copies of the models that an algorithm holds, as vectors of weights by name.
func Models(t *testing.T, a federation.Algorithm) map[string][]float32 {
	t.Helper()
	models := map[string][]float32{}
	for _, m := range a.Models() {
		x, err := m.State.Floats()
		if err != nil {
			t.Fatal(err)
		}
		models[m.Name] = x
	}
	return models
}
