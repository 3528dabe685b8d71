package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"feddag/federation"

	"github.com/schollz/progressbar/v3"
)

// TestBarNeverGoesBack checks that the bar never goes back within the rounds, whatever phases, clusterings and evaluations
// there are in between, and that each stage before and after the rounds has its own bar.
func TestBarNeverGoesBack(t *testing.T) {
	p := &progress{log: io.Discard, rounds: 5, first: 2}
	p.bar = progressbar.NewOptions64(p.length(), progressbar.OptionSetWriter(io.Discard))
	at := int64(0)
	check := func(what string, least int64) {
		t.Helper()
		now := p.bar.State().CurrentNum
		if now < at || now < least || now >= p.length() {
			t.Errorf("%s: the bar is at %d of %d, was at %d, expected %d at least", what, now, p.length(), at, least)
		}
		at = now
	}
	p.Phase(federation.Progress{Phase: "warm-up", Done: 50, Total: 100})
	if now := p.bar.State().CurrentNum; now != p.length()/2 {
		t.Errorf("half of the warm-up: the bar is at %d of %d", now, p.length())
	}
	p.Ready(nil)
	if now := p.bar.State().CurrentNum; now != 0 {
		t.Errorf("before the rounds: the bar is at %d", now)
	}
	for round := 2; round < 5; round++ {
		start := int64(round-2) * perRound
		p.Clustering("gradient angles", 1, 10)
		check("clustering", 0)
		p.Phase(federation.Progress{Phase: "warm-up", Done: 1, Total: 2, InRound: true, Round: round})
		check("newcomers", start-1)
		for k, phase := range []string{"secondary", "secondary", "training", "training", "heads"} {
			p.Phase(federation.Progress{Phase: phase, Done: int64(k % 2), Total: 2, InRound: true, Round: round, Share: float64(k) / 4})
			check(phase, start+int64(float64(k)/4*trainingShare*perRound)-1)
		}
		p.Phase(federation.Progress{Phase: "evaluation", InRound: true, Round: round, Share: 1})
		p.Phase(federation.Progress{Phase: "personalising", Done: 1, Total: 2, InRound: true, Round: round, Share: 1})
		if err := p.Round(federation.RoundResult{Round: round}); err != nil {
			t.Fatal(err)
		}
		check("round", start+perRound-1)
	}
	p.Phase(federation.Progress{Phase: "final", Done: 0, Total: 100})
	if now := p.bar.State().CurrentNum; now != 0 {
		t.Errorf("the last local training begins: the bar is at %d", now)
	}
}

// TestShortClusteringSaysNothing checks that without a terminal, a clustering prints something only if it takes long,
// regardless of the duration of the warm-up before it.
func TestShortClusteringSaysNothing(t *testing.T) {
	var log bytes.Buffer
	p := &progress{log: &log, rounds: 1, lines: true}
	p.Phase(federation.Progress{Phase: "warm-up", Done: 1, Total: 2})
	p.told = time.Now().Add(-2 * longWork)
	log.Reset()
	for _, step := range []string{"gradient angles", "class angles"} {
		p.Clustering(step, 0, 10)
	}
	if log.Len() > 0 {
		t.Errorf("a clustering that has just begun says %q", log.String())
	}
	p.told = time.Now().Add(-2 * longWork)
	p.Clustering("class angles", 5, 10)
	if !strings.HasPrefix(log.String(), "class angles: 50%") {
		t.Errorf("a long clustering says %q", log.String())
	}
}

// TestStagesSayLines checks that without a terminal, the stages before and after the rounds print a line when they begin and
// end, and only once if a stage is trained in several calls.
func TestStagesSayLines(t *testing.T) {
	var log bytes.Buffer
	p := &progress{log: &log, rounds: 1, lines: true}
	for _, phase := range []string{"warm-up", "personalising", "final", "final"} {
		for done := range int64(3) {
			p.Phase(federation.Progress{Phase: phase, Done: done, Total: 2})
		}
	}
	p.Phase(federation.Progress{Phase: "training", Done: 1, Total: 2, InRound: true})
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	for i, start := range []string{"warm-up: every client", "warm-up: done in", "last local training, for", "last local training: done in"} {
		if len(lines) != 4 || !strings.HasPrefix(lines[i], start) {
			t.Fatalf("got\n%s", log.String())
		}
	}
}
