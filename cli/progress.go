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

// progress is the observer that shows the progress of a run: as a bar on a terminal, otherwise as lines of text.
type progress struct {
	log    io.Writer
	rounds int
	first  int // round with which this process began
	bar    *progressbar.ProgressBar
	at     int64 // position of the bar within the rounds; it never decreases
	within bool  // the rounds have begun
	lines  bool
	began  time.Time // start of the first round
	phase  string
	ended  string    // last stage that has ended, if no other has begun
	since  time.Time // start of the phase
	text   string    // text of the last round
	from   int64     // samples done at the start of the phase
	done   int64     // samples done
	rate   float64   // samples/s of the phase

	step      string    // step of the clustering
	stepSince time.Time // start of that step
	told      time.Time // when the last line about long work was printed

	round      int // round of the last progress within the rounds
	roundSince time.Time
	evaluating time.Time // start of the current evaluation; zero if there is none
}

// newProgress returns the observer of a run. There is no bar if the log is not a terminal, or if CI or NO_COLOR is set.
func newProgress(log io.Writer, o *options, first int) *progress {
	p := &progress{log: log, rounds: o.run.Rounds, first: first, within: o.resume != "", began: time.Now(), lines: !o.quiet}
	if hasBar(log, o.quiet) {
		p.lines = false
		p.bar = newBar(log, p.length(), "set-up")
	}
	return p
}

// perRound is the length of a round on the bar.
const perRound = 1000

// trainingShare is the share of local training in the length of a round; the rest is evaluation.
const trainingShare = 0.9

// Phase implements federation.Observer.
func (p *progress) Phase(x federation.Progress) {
	p.step = ""       // the next clustering starts with a new step
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

// inRound shows the progress within a round: the bar moves from the start of the round towards its end.
func (p *progress) inRound(x federation.Progress) {
	if p.bar == nil {
		p.longRound(x)
		return
	}
	at := int64(perRound * (float64(x.Round-p.first) + trainingShare*x.Share))
	p.bar.Describe(fmt.Sprintf("round %d/%d%s%s%s", federation.RoundNumber(x.Round), p.rounds, p.text, p.speed(), left(p.began, at, p.length())))
	p.advance(at)
}

// longRound prints a line every ten seconds of a round if there is no bar.
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

// evaluation shows that models are being evaluated: in the text of the bar, or, without a bar, in a line after two seconds
// and then every ten seconds. The engine does not report how much of the evaluation is done.
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
	p.at = max(p.at, min(at, p.length()-1)) // a bar that reaches its end disappears
	p.bar.Set64(p.at)
}

// stageLines describe each stage if there is no bar: its name and its purpose.
var stageLines = map[string][2]string{
	federation.WarmUpPhase.String(): {"warm-up", ": every client trains alone"},
	federation.FinalPhase.String():  {"last local training", ", for the accuracy after it (--final-post=false leaves it out)"},
}

// inStage shows the progress of a stage before or after the rounds. Each stage has its own bar. Without a bar, it prints a
// line at the start, at the end, and every ten seconds.
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
		// A method may train in several calls in a row, which are shown as one stage.
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

// longWork is the time between two lines about long work if there is no bar.
const longWork = 10 * time.Second

// Sketched implements federation.ClusterObserver.
func (p *progress) Sketched([]*federation.Client, similarity.Sketches, similarity.Options) error {
	return nil
}

// Clustering implements federation.ClusterObserver. It moves the bar, or prints a line after two seconds of a clustering and
// then every ten seconds.
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

// until returns a progress function for a clustering outside a run. The end of the context stops that clustering.
func (p *progress) until(ctx context.Context) similarity.Progress {
	return func(step string, done, total int) error {
		p.Clustering(step, done, total)
		return ctx.Err()
	}
}

// length is the length of the bar.
func (p *progress) length() int64 { return perRound * int64(max(1, p.rounds-p.first)) }

func (p *progress) speed() string {
	if p.rate <= 0 {
		return ""
	}
	return fmt.Sprintf(" %.0f samples/s", p.rate)
}

// left estimates the remaining time from the time since the start.
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

// Warn implements federation.WarningObserver. Warnings are printed even with --quiet.
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
	number := federation.RoundNumber(r.Round) // also the number of rounds done
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

// close removes the bar.
func (p *progress) close() {
	if p.bar != nil {
		p.bar.Clear()
		p.bar.Exit()
	}
}
