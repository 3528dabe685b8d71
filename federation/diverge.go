package federation

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"feddag/torch"
)

// What becomes of a run when a client's training diverges: its loss or its weights are no numbers.
const (
	StopOnDivergence = "stop" // an error; the last checkpoint stands
	DropOnDivergence = "drop" // the round goes on as if the client had not been sampled
)

// Diverged is the error of a local training whose loss or weights are no longer numbers.
type Diverged struct {
	Clients []int // ascending
	Round   int
	Phase   Phase
	Words   int // values of the model that a client received

	what         string // of the first of them
	learningRate float64
}

// Error implements error.
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
	return fmt.Sprintf("client %d%s, round %d, %s: %s; lower --lr (now %g)%s", d.Clients[0], others, d.Round, d.Phase, d.what, d.learningRate, advice)
}

// diverged returns a [Diverged] if some trainings are not finite.
func diverged(net *torch.Network, tasks []Task, trained []torch.Trained, t int, phase Phase, sgd torch.SGD) error {
	d := &Diverged{Round: t, Phase: phase, Words: net.Len(), learningRate: sgd.LearningRate}
	for i, r := range trained {
		what := notFinite(r)
		if what == "" || slices.Contains(d.Clients, tasks[i].Client.ID) { // a client may train several models
			continue
		}
		if len(d.Clients) == 0 {
			d.what = what
		}
		d.Clients = append(d.Clients, tasks[i].Client.ID)
	}
	if len(d.Clients) == 0 {
		return nil
	}
	return d
}

// notFinite says what of a training is not a number.
func notFinite(r torch.Trained) string {
	for epoch, loss := range r.Loss {
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return fmt.Sprintf("the training loss is %v in epoch %d", loss, epoch)
		}
	}
	if !r.Finite {
		return "weights are no longer numbers after training"
	}
	return ""
}

// keepReceived puts the weights that a client received in place of those of a training that diverged: with them it
// predicts.
func keepReceived(tasks []Task, trained []torch.Trained) error {
	for i := range trained {
		if r := &trained[i]; notFinite(*r) != "" {
			if err := r.End.Copy(r.End.Range(), tasks[i].Start, tasks[i].Start.Range()); err != nil {
				return err
			}
		}
	}
	return nil
}

// trainRound lets the algorithm do round t. Under [DropOnDivergence], a client whose training diverges is left out: the
// round is done again without it, from the same models and with the others' same batches, so that it is the round of a
// cohort that never had the client. What it received and computed stays in the ledger.
func (r *Runner) trainRound(t int, cohort []*Client) (report Report, dropped []int, err error) {
	e := r.env
	for {
		var before *Ledger
		if e.OnDivergence == DropOnDivergence { // else a round costs nothing for those who are not in it
			before = e.Ledger.clone()
		}
		report, err = r.alg.Round(e, t, cohort)
		left, gone := e.without(cohort, err)
		if gone == nil {
			return report, dropped, err
		}
		if len(left) == 0 {
			return report, dropped, fmt.Errorf("no client of round %d is left: %w", t, err)
		}
		var d *Diverged
		errors.As(err, &d)
		computed := e.Ledger.Work
		*e.Ledger = *before
		for _, c := range gone {
			e.Ledger.Down(c, "dropped", d.Words)
			e.Ledger.Trained(c, computed[c.ID].Training-before.Work[c.ID].Training)
			dropped = append(dropped, c.ID)
		}
		slices.Sort(dropped)
		cohort = left
	}
}

// without parts clients into those who may go on and those that an error of divergence names. gone is nil where the error
// is another, stands, or names none of them.
func (e *Env) without(clients []*Client, err error) (left, gone []*Client) {
	var d *Diverged
	if e.OnDivergence != DropOnDivergence || !errors.As(err, &d) {
		return nil, nil
	}
	for _, c := range clients {
		if slices.Contains(d.Clients, c.ID) {
			gone = append(gone, c)
		} else {
			left = append(left, c)
		}
	}
	return left, gone
}

// copy returns a ledger that later bookings do not change.
func (l *Ledger) clone() *Ledger {
	traffic := func(t Traffic) Traffic { return Traffic{Up: maps.Clone(t.Up), Down: maps.Clone(t.Down)} }
	return &Ledger{
		Total: traffic(l.Total), Clients: slices.Clone(l.Clients), Work: slices.Clone(l.Work), round: traffic(l.round), work: l.work,
	}
}
