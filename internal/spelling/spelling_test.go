package spelling

import (
	"strings"
	"testing"
)

var known = []string{"cfl", "fedavg", "feddag", "feddag-star"}

func TestNearest(t *testing.T) {
	for name, want := range map[string]string{
		"fedavgg": "fedavg", "FedDag": "feddag", "feddag-stat": "feddag-star", "clf": "cfl", "xyzzyx": "", "": "", "fedprox": "", "c": "",
		strings.Repeat("fedavg", 20): "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("nearest to %s is %q, want %q", name, got, want)
		}
	}
}

func TestOneOf(t *testing.T) {
	if err := OneOf("algorithm", "cfl", known); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		name  string
		known []string
		want  string
	}{
		{"clf", known, `algorithm "clf" is unknown: did you mean cfl? (known: cfl, fedavg, feddag, feddag-star)`},
		{"xyzzyx", known[:2], `algorithm "xyzzyx" is unknown (known: cfl, fedavg)`},
		{"x", nil, `algorithm "x" is unknown: there are none`},
		{strings.Repeat("x", 100), known[:1], `algorithm "` + strings.Repeat("x", 64) + `..." is unknown (known: cfl)`},
	} {
		if err := OneOf("algorithm", c.name, c.known); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestPlain(t *testing.T) {
	for name, want := range map[string]string{
		"label": "label", "två ord": "två ord", "a\nb": `"a\nb"`, "\xff": `"\xff"`, strings.Repeat("x", 100): `"` + strings.Repeat("x", 80) + `"`,
	} {
		if got := Plain(name); got != want {
			t.Errorf("Plain(%q) is %s, want %s", name, got, want)
		}
	}
}

func TestFew(t *testing.T) {
	for want, names := range map[string][]string{"": nil, "a": {"a"}, "a, b": {"a", "b"}, "a, b and 1 more": {"a", "b", "c"}} {
		if got := Few(names, 2); got != want {
			t.Errorf("the first two of %q: %q, want %q", names, got, want)
		}
	}
}
