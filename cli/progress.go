package cli

import (
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"feddag/federation"
	"feddag/similarity"
	"feddag/torch"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress is the observer a person watches: a bar on a terminal, else a line a round.
type progress struct {
	log    io.Writer
	rounds int
	first  int // round this process began with
	bar    *progressbar.ProgressBar
	lines  bool
	began  time.Time // of the first round
	phase  string
	since  time.Time // of the phase
	text   string    // of the last round
	rate   float64   // samples/s of the phase
}

// newProgress watches a run. Off a terminal, under CI or with NO_COLOR there is no bar.
func newProgress(log io.Writer, o *options, first int) *progress {
	p := &progress{log: log, rounds: o.run.Rounds, first: first, began: time.Now(), lines: !o.quiet}
	f, isFile := log.(*os.File)
	if o.quiet || !isFile || !term.IsTerminal(int(f.Fd())) || os.Getenv("CI") != "" || os.Getenv("NO_COLOR") != "" {
		return p
	}
	p.lines = false
	p.bar = progressbar.NewOptions64(perRound*int64(max(1, p.rounds-first)),
		progressbar.OptionSetWriter(log), progressbar.OptionSetDescription("set-up"), progressbar.OptionSetWidth(20),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetElapsedTime(true), progressbar.OptionClearOnFinish(), progressbar.OptionUseANSICodes(true))
	return p
}

// perRound is a round's length on the bar.
const perRound = 1000

// Phase implements federation.Observer.
func (p *progress) Phase(x federation.Progress) {
	if p.phase != x.Phase || x.Done == 0 {
		p.phase, p.since = x.Phase, time.Now()
	}
	if s := time.Since(p.since).Seconds(); s > 0.1 && x.Total > 0 {
		p.rate = float64(x.Done) / s
	}
	if p.bar == nil {
		return
	}
	speed := ""
	if p.rate > 0 {
		speed = fmt.Sprintf(" %.0f samples/s", p.rate)
	}
	share := 0.0
	if x.Total > 0 {
		share = float64(x.Done) / float64(x.Total)
	}
	at := int64(perRound * (x.Round - p.first))
	switch x.Phase {
	case "training":
		at += int64(share * perRound * 0.45)
	case "secondary":
		at += int64((0.45 + 0.45*share) * perRound)
	case "warm-up", "final":
		p.bar.Describe(fmt.Sprintf("%s %.0f%%%s%s", x.Phase, 100*share, speed, p.text))
		return
	default:
		return
	}
	p.bar.Describe(fmt.Sprintf("round %d/%d %s%s%s", x.Round+1, p.rounds, x.Phase, p.text, speed))
	p.bar.Set64(at)
}

// Weights implements federation.Observer.
func (p *progress) Weights(string, []torch.NamedTensor) error { return nil }

// Clustered implements federation.Observer.
func (p *progress) Clustered(r *similarity.Result) error {
	p.say("%d clusters of %d clients", len(r.Clusters), clientCount(r.Clusters))
	return nil
}

func clientCount(clusters [][]int) (n int) {
	for _, c := range clusters {
		n += len(c)
	}
	return n
}

// Ready implements federation.Observer.
func (p *progress) Ready(pre []federation.Score) error {
	p.began = time.Now()
	p.say("before round 1: balanced accuracy %s of all clients before local training", score(pre).Balanced)
	return nil
}

// Round implements federation.Observer.
func (p *progress) Round(r federation.RoundResult) error {
	all := score(r.All).Balanced.Mean
	accuracy := ""
	if !math.IsNaN(all) {
		accuracy = fmt.Sprintf(", accuracy %.1f%% before", all)
	}
	accuracy += fmt.Sprintf(", %.1f%% after local training", score(r.Post).Balanced.Mean)
	if !math.IsNaN(all) {
		p.text = fmt.Sprintf(" loss %.3f accuracy %.1f%%", r.Loss, all)
	}
	done := r.Round + 1 - p.first
	left := time.Duration(float64(time.Since(p.began)) / float64(done) * float64(p.rounds-r.Round-1)).Round(time.Second)
	if p.bar != nil {
		return p.bar.Set64(perRound * int64(done))
	}
	p.say("round %d/%d: loss %.3f%s, %.0f samples/s, %.1f s, %s left", r.Round+1, p.rounds, r.Loss, accuracy,
		float64(r.Samples)/max(r.Training, 1e-9), r.Seconds, left)
	return nil
}

// say prints a line, above the bar if there is one.
func (p *progress) say(format string, a ...any) {
	if p.bar != nil {
		p.bar.Clear()
	} else if !p.lines {
		return
	}
	fmt.Fprintf(p.log, format+"\n", a...)
}

// close takes the bar away.
func (p *progress) close() {
	if p.bar != nil {
		p.bar.Clear()
		p.bar.Exit()
	}
}
