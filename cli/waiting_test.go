package cli

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"feddag/federation"
)

// TestShortWorkSaysNothing checks that work that ends at once prints nothing, and that done may be called twice.
func TestShortWorkSaysNothing(t *testing.T) {
	var log bytes.Buffer
	w := newWait(&log, false, "reading")
	w.set(1, 2)
	w.done()
	w.done()
	if log.Len() > 0 {
		t.Errorf("got %q", log.String())
	}
	if done, total := w.parts(); done != 1 || total != 2 {
		t.Errorf("%d of %d", done, total)
	}
}

// TestBarEndsWithTheWork checks that nothing draws on the terminal after the work has ended, whether or not its length is known
// when the bar appears.
func TestBarEndsWithTheWork(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{false, true} {
		log := &drawn{}
		w := &wait{what: "reading", stop: make(chan struct{}), ended: make(chan struct{})}
		if known {
			w.set(1, 2)
		}
		go w.draw(log)
		time.Sleep(quietFor + time.Second)
		w.done()
		before := log.Len()
		time.Sleep(time.Second)
		if after := log.Len(); before == 0 || after > before {
			t.Errorf("length known: %v: %d bytes were drawn during the work, and %d in the second after it", known, before, after-before)
		}
	}
}

// drawn counts the bytes that several goroutines write.
type drawn struct{ n atomic.Int64 }

func (b *drawn) Write(p []byte) (int, error) { b.n.Add(int64(len(p))); return len(p), nil }
func (b *drawn) Len() int                    { return int(b.n.Load()) }

// TestLongEvaluationSaysLines checks that without a terminal, a long evaluation and a long round print lines, and that short
// ones print none.
func TestLongEvaluationSaysLines(t *testing.T) {
	var log bytes.Buffer
	p := &progress{log: &log, rounds: 4, lines: true}
	evaluation := federation.Progress{Phase: "evaluation"}
	training := federation.Progress{Phase: "training", Done: 1, Total: 2, InRound: true, Round: 2, Share: 0.5}
	inRound := federation.Progress{Phase: "evaluation", InRound: true, Round: 2}
	for _, c := range []struct {
		work federation.Progress
		want string
	}{{evaluation, "evaluation of the models"}, {training, "round 3/4: 50% of the training"}, {inRound, "round 3/4: evaluation"}} {
		p.Phase(c.work)
		if log.Len() > 0 {
			t.Errorf("%s has just begun and says %q", c.work.Phase, log.String())
		}
		p.told = time.Now().Add(-2 * longWork)
		p.Phase(c.work)
		p.Phase(c.work)
		if got := log.String(); !strings.HasPrefix(got, c.want) || strings.Count(got, "\n") != 1 {
			t.Errorf("got %q, want one line %q", got, c.want)
		}
		log.Reset()
	}
}

// TestFetchLines checks that a long download prints its progress.
func TestFetchLines(t *testing.T) {
	var log bytes.Buffer
	progress := fetchLines(&log)
	progress("a.gz", 1, 100)
	progress("a.gz", 2, 100)
	if log.Len() > 0 {
		t.Errorf("got %q", log.String())
	}
}
