package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"feddag/federation"
	"feddag/report"
	"feddag/similarity"
	"feddag/torch"

	"github.com/schollz/progressbar/v3"
)

// progress is the observer for a person: a bar on a terminal, else lines.
type progress struct {
	log    io.Writer
	rounds int
	first  int // round with which this process began
	bar    *progressbar.ProgressBar
	at     int64 // position of the bar within the rounds, where it never goes back
	within bool  // the rounds
	lines  bool
	began  time.Time // begin of the first round
	phase  string
	ended  string    // stage that has ended last, where no other has begun
	since  time.Time // begin of the phase
	text   string    // text of the last round
	from   int64     // samples done when it began
	done   int64     // samples done
	rate   float64   // samples/s of the phase

	step      string    // step of the clustering
	stepSince time.Time // begin of that step
	told      time.Time // when the last line on long work was said

	round      int // round of the last progress within the rounds
	roundSince time.Time
	evaluating time.Time // begin of the evaluation that is under way; zero if none is
}

// newProgress watches a run. Off a terminal, under CI or with NO_COLOR there is no bar.
func newProgress(log io.Writer, o *options, first int) *progress {
	p := &progress{log: log, rounds: o.run.Rounds, first: first, within: o.resume != "", began: time.Now(), lines: !o.quiet}
	if hasBar(log, o.quiet) {
		p.lines = false
		p.bar = newBar(log, p.length(), "set-up")
	}
	return p
}

// perRound is a round's length on the bar.
const perRound = 1000

// trainingShare is the part of a round's length that is its local training; the rest is evaluation.
const trainingShare = 0.9

// Phase implements federation.Observer.
func (p *progress) Phase(x federation.Progress) {
	p.step = ""       // a clustering that follows begins anew
	if x.Total == 0 { // evaluation
		p.evaluation(x)
		return
	}
	p.evaluating = time.Time{}
	begins := p.phase != x.Phase || x.Done < p.done
	if begins {
		p.phase, p.since, p.from = x.Phase, time.Now(), x.Done
	}
	p.done = x.Done
	if s := time.Since(p.since).Seconds(); s > 0.5 {
		p.rate = float64(x.Done-p.from) / s
	}
	if x.InRound {
		p.inRound(x)
	} else {
		p.inStage(x, begins)
	}
}

// inRound shows work of a round: the bar goes from the round's start towards its end.
func (p *progress) inRound(x federation.Progress) {
	if p.bar == nil {
		p.longRound(x)
		return
	}
	at := int64(perRound * (float64(x.Round-p.first) + trainingShare*x.Share))
	p.bar.Describe(fmt.Sprintf("round %d/%d%s%s%s", federation.RoundNumber(x.Round), p.rounds, p.text, p.speed(), left(p.began, at, p.length())))
	p.advance(at)
}

// longRound prints a line every ten seconds of a round, where there is no bar.
func (p *progress) longRound(x federation.Progress) {
	now := time.Now()
	if p.round != x.Round || p.roundSince.IsZero() {
		p.round, p.roundSince, p.told = x.Round, now, now
	}
	if now.Sub(p.told) >= longWork {
		p.told = now
		p.say("round %d/%d: %.0f%% of the training%s", federation.RoundNumber(x.Round), p.rounds, 100*x.Share, p.speed())
	}
}

// evaluation shows that models are evaluated: the bar says so; without a bar there is a line after two seconds, and then every
// ten. How far it is, the engine does not know.
func (p *progress) evaluation(x federation.Progress) {
	now := time.Now()
	if p.evaluating.IsZero() {
		p.evaluating, p.told = now, now.Add(quietFor-longWork)
	}
	p.phase = x.Phase
	where := "evaluation of the models"
	if x.InRound {
		where = fmt.Sprintf("round %d/%d: evaluation", federation.RoundNumber(x.Round), p.rounds)
	}
	if p.bar != nil {
		p.bar.Describe(where + p.text)
		return
	}
	if now.Sub(p.told) >= longWork {
		p.told = now
		p.say("%s, %.0f s so far", where, now.Sub(p.evaluating).Seconds())
	}
}

// advance moves the bar within the rounds.
func (p *progress) advance(at int64) {
	p.at = max(p.at, min(at, p.length()-1)) // at its end the bar would go away
	p.bar.Set64(p.at)
}

// stageLines say what a stage is, where there is no bar: its name, and what it is for.
var stageLines = map[string][2]string{
	federation.WarmUpPhase.String(): {"warm-up", ": every client trains alone"},
	federation.FinalPhase.String():  {"last local training", ", for the accuracy after it (--final-post=false leaves it out)"},
}

// inStage shows work before or after the rounds: the bar is the stage's own. Without a bar there is a line at the start and
// at the end, and every ten seconds.
func (p *progress) inStage(x federation.Progress, begins bool) {
	share := float64(x.Done) / float64(x.Total)
	if p.bar != nil {
		p.bar.Describe(fmt.Sprintf("%s%s%s%s", x.Phase, p.text, p.speed(), left(p.since, x.Done-p.from, x.Total-p.from)))
		p.bar.Set64(min(int64(share*float64(p.length())), p.length()-1))
		return
	}
	line, ok := stageLines[x.Phase]
	now := time.Now()
	switch {
	case !ok:
	case begins:
		// A method may train in several calls in a row, which are one stage for a person.
		if p.told = now; p.ended != x.Phase {
			p.say("%s%s, %d samples", line[0], line[1], x.Total)
		}
	case x.Done == x.Total:
		if took := now.Sub(p.since); p.ended != x.Phase || took >= quietFor {
			p.say("%s: done in %.1f s", line[0], took.Seconds())
		}
		p.phase, p.ended = "", x.Phase
	case now.Sub(p.told) >= longWork:
		p.told = now
		p.say("%s: %.0f%%%s", line[0], 100*share, left(p.since, x.Done-p.from, x.Total-p.from))
	}
}

// longWork is the time between two lines on work that takes long, where there is no bar.
const longWork = 10 * time.Second

// Sketched implements federation.ClusterObserver.
func (p *progress) Sketched([]*federation.Client, similarity.Sketches, similarity.Options) error {
	return nil
}

// Clustering implements federation.ClusterObserver: the bar, or a line after two seconds of a clustering and then every ten.
func (p *progress) Clustering(step string, done, total int) {
	now := time.Now()
	if p.step == "" {
		p.told = now.Add(quietFor - longWork)
	}
	if p.step != step {
		p.step, p.stepSince = step, now
	}
	share := float64(done) / float64(max(total, 1))
	if p.bar != nil {
		p.bar.Describe(fmt.Sprintf("%s%s", step, left(p.stepSince, int64(done), int64(total))))
		if !p.within { // a scenario may ask for a clustering between two rounds
			p.bar.Set64(min(int64(share*float64(p.length())), p.length()-1))
		}
		return
	}
	if now.Sub(p.told) >= longWork {
		p.told = now
		p.say("%s: %.0f%%%s", step, 100*share, left(p.stepSince, int64(done), int64(total)))
	}
}

// until is Clustering for a clustering outside a run, which an interrupt ends.
func (p *progress) until(ctx context.Context) similarity.Progress {
	return func(step string, done, total int) error {
		p.Clustering(step, done, total)
		return ctx.Err()
	}
}

// length is what the bar counts to.
func (p *progress) length() int64 { return perRound * int64(max(1, p.rounds-p.first)) }

func (p *progress) speed() string {
	if p.rate <= 0 {
		return ""
	}
	return fmt.Sprintf(" %.0f samples/s", p.rate)
}

// left estimates the time to go from the time since a start.
func left(start time.Time, done, total int64) string {
	if done <= 0 || total <= done {
		return ""
	}
	d := time.Duration(float64(time.Since(start)) * float64(total-done) / float64(done))
	return fmt.Sprintf(" %s left", d.Round(time.Second))
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

// Warn implements federation.WarningObserver. Warnings come even when nothing else does.
func (p *progress) Warn(text string) {
	if p.bar != nil {
		p.bar.Clear()
	}
	fmt.Fprintf(p.log, "warning: %s\n", text)
}

// Ready implements federation.Observer.
func (p *progress) Ready(pre []federation.Score) error {
	p.began, p.within, p.at, p.evaluating = time.Now(), true, 0, time.Time{}
	if p.bar != nil {
		p.bar.Reset()
	}
	if pre != nil {
		p.say("after round 0, the start: balanced accuracy %s of all clients before local training", report.NewScore(pre).Balanced)
	}
	return nil
}

// Round implements federation.Observer.
func (p *progress) Round(r federation.RoundResult) error {
	p.evaluating = time.Time{}
	p.tellMoves(r.Round, r.Moves)
	all := report.NewScore(r.All).Balanced.Mean
	accuracy := ""
	if !math.IsNaN(all) {
		accuracy = fmt.Sprintf(", accuracy %.1f%% before", all)
	}
	if after := report.NewScore(r.Post).Balanced.Mean; !math.IsNaN(after) {
		accuracy += fmt.Sprintf(", %.1f%% after local training", after)
	}
	if !math.IsNaN(all) {
		p.text = fmt.Sprintf(" loss %.3f accuracy %.1f%%", r.Loss, all)
	}
	number := federation.RoundNumber(r.Round) // as many rounds are done
	if len(r.Dropped) > 0 {
		p.say("round %d/%d: left out, since their training diverged: clients %v", number, p.rounds, r.Dropped)
	}
	done := number - p.first
	left := time.Duration(float64(time.Since(p.began)) / float64(done) * float64(p.rounds-number)).Round(time.Second)
	p.within = number < p.rounds
	if p.bar != nil {
		p.advance(perRound * int64(done))
		return nil
	}
	rate, _ := report.SamplesPerSecond([]report.Round{{Samples: r.Samples, TrainingSeconds: r.Training}})
	p.say("round %d/%d: loss %.3f%s, %.0f samples/s, %.1f s, %s left", number, p.rounds, r.Loss, accuracy, rate, r.Seconds, left)
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
