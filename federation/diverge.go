package federation

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"feddag/torch"
)

// DivergencePolicy says what a run does when the local training of a client diverges, which means that its loss or its weights
// become infinite or NaN. Its values are those of the flag --on-divergence.
type DivergencePolicy string

// The policies.
const (
	StopOnDivergence DivergencePolicy = "stop" // the run ends with an error; the last checkpoint remains
	DropOnDivergence DivergencePolicy = "drop" // the round is done as if the client had not been sampled
)

// Diverged is the error of local trainings whose loss or weights became infinite or NaN.
type Diverged struct {
	Clients []int // ids of the clients that diverged, ascending
	Round   int   // index of the round, in the warm-up the index of its round
	Phase   Phase
	Words   int // number of values in the model that each client received, for the ledger

	what         string // what is not finite in the training of the first client
	learningRate float64
}

// Error names the clients, the round, the phase and what is not finite, and says which flags to change.
func (d *Diverged) Error() string {
	others := ""
	if n := len(d.Clients) - 1; n > 0 {
		others = fmt.Sprintf(" (and %d more: %v)", n, d.Clients[1:])
	}
	advice := "; or leave such clients out of their rounds: --on-divergence drop"
	switch d.Phase {
	case WarmUpPhase, QueryPhase:
		advice = ", or --batch; the clustering needs every client, so none can be left out"
	}
	return fmt.Sprintf("client %d%s, %s: %s; lower --lr (now %g)%s", d.Clients[0], others, d.when(), d.what, d.learningRate, advice)
}

// when names the round and the phase. The rounds of the warm-up are counted separately.
func (d *Diverged) when() string {
	if d.Phase == WarmUpPhase {
		return fmt.Sprintf("round %d of the warm-up", RoundNumber(d.Round))
	}
	return fmt.Sprintf("round %d, %s", RoundNumber(d.Round), d.Phase)
}

// diverged returns a [Diverged] that lists the clients whose trainings are not finite, or nil if all are finite.
func diverged(net *torch.Network, jobs []torch.Job, trained []torch.Trained, t int, phase Phase, rate float64) error {
	d := &Diverged{Round: t, Phase: phase, Words: net.Len(), learningRate: rate}
	for i, r := range trained {
		what := notFinite(r)
		if what == "" || slices.Contains(d.Clients, jobs[i].Client) { // a client that trains several models is listed once
			continue
		}
		if len(d.Clients) == 0 {
			d.what = what
		}
		d.Clients = append(d.Clients, jobs[i].Client)
	}
	if len(d.Clients) == 0 {
		return nil
	}
	return d
}

// notFinite returns a description of what is infinite or NaN in the result of a training, or "" if the loss of every epoch and
// the weights are finite.
func notFinite(r torch.Trained) string {
	for epoch, loss := range r.Loss {
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return fmt.Sprintf("the training loss is %v in epoch %d", loss, epoch+1)
		}
	}
	if !r.Finite {
		return "some weights are infinite or NaN after training"
	}
	return ""
}

// restoreReceived replaces the weights of each diverged training with the weights that the client received, so that the client
// predicts with these.
func restoreReceived(jobs []torch.Job, trained []torch.Trained) error {
	for i := range trained {
		if r := &trained[i]; notFinite(*r) != "" {
			if err := r.End.Copy(r.End.Range(), jobs[i].Start, jobs[i].Start.Range()); err != nil {
				return err
			}
		}
	}
	return nil
}

// trainRound calls the algorithm for round t with the cohort and returns its report. Under [DropOnDivergence], a client whose
// training diverges is dropped: the round is done again without it, from the same models and with the same batches of the
// other clients, so its result is that of a cohort which never had the client. The ledger still counts what the client received
// and computed. dropped lists the ids of these clients, ascending. It is an error if no client of the cohort remains.
func (r *Runner) trainRound(t int, cohort []*Client) (report Report, dropped []int, err error) {
	e := r.env
	e.round.plan(e, r.alg, cohort)
	for {
		var before *Ledger
		if e.OnDivergence == DropOnDivergence { // the copy takes time for every client of the federation
			before = e.Ledger.clone()
		}
		report, err = r.alg.Round(e, t, cohort)
		remaining, diverged := e.splitDiverged(cohort, err)
		if diverged == nil {
			return report, dropped, err
		}
		if len(remaining) == 0 {
			return report, dropped, fmt.Errorf("no client of round %d is left: %w", RoundNumber(t), err)
		}
		var d *Diverged
		errors.As(err, &d)
		computed := e.Ledger.Work
		*e.Ledger = *before
		for _, c := range diverged {
			e.Ledger.Down(c, "dropped", d.Words)
			e.Ledger.Trained(c, computed[c.ID].Training-before.Work[c.ID].Training)
			dropped = append(dropped, c.ID)
		}
		slices.Sort(dropped)
		cohort = remaining
		e.round.restart()
	}
}

// splitDiverged divides clients into those that err, a [Diverged], does not name and those that it names. diverged is nil if err
// is not a [Diverged], if the policy is not [DropOnDivergence], or if err names none of the clients.
func (e *Env) splitDiverged(clients []*Client, err error) (remaining, diverged []*Client) {
	var d *Diverged
	if e.OnDivergence != DropOnDivergence || !errors.As(err, &d) {
		return nil, nil
	}
	for _, c := range clients {
		if slices.Contains(d.Clients, c.ID) {
			diverged = append(diverged, c)
		} else {
			remaining = append(remaining, c)
		}
	}
	return remaining, diverged
}
