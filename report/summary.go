package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"feddag/internal/numfmt"
)

// Summary is the content of summary.json, which is also the last line of a run's standard output.
type Summary struct {
	Algorithm string `json:"algorithm"`
	Dataset   string `json:"dataset"`
	Rounds    int    `json:"rounds"`

	// EndedBy says why the run ended: EndedByRounds or EndedByStopping. It is empty in older summaries, which means
	// EndedByRounds.
	EndedBy string `json:"ended_by,omitempty"`

	Clusters int `json:"clusters"`

	// FoundBy says what found the clusters before the rounds: "similarity" or "test". It is empty for a method that finds
	// them in another way.
	FoundBy string `json:"found_by,omitempty"`

	// AdjustedRandIndex compares the clusters with the true groups of the partition. It is nil if there are none.
	AdjustedRandIndex *float64 `json:"adjusted_rand_index,omitempty"`

	// Final has the scores of the last round. Best has, for each of its four accuracies separately, the round with the
	// highest mean over clients. Last10 has the averages of the means and of the standard deviations over the last ten
	// rounds, or over all rounds if there are fewer.
	Final  RoundScores `json:"final"`
	Best   RoundScores `json:"best"`
	Last10 RoundScores `json:"last10"`

	// ClientBest has the scores of each client's own best round. It is nil in older summaries and if it is not known.
	ClientBest *ClientBest `json:"client_best,omitempty"`

	// EvalShare is the share of each client's test set on which all accuracies, including the final ones, are computed. It is
	// 0 in older summaries, which means 1.
	EvalShare float64 `json:"eval_share,omitempty"`

	// Last10Rounds is the number of the last ten rounds that were evaluated, on which Last10 and Swing are based. It is 0 in
	// older summaries.
	Last10Rounds int `json:"last10_rounds,omitempty"`

	// PreWith describes the model with which the clients predicted before local training. It is empty for the model that the
	// server assigns.
	PreWith string `json:"pre_with,omitempty"`

	// Swing is the population standard deviation of the mean balanced accuracy before local training over the last ten
	// rounds, in percentage points. It is NaN if fewer than two of these rounds were evaluated.
	Swing Float `json:"swing"`

	BytesUp   int64 `json:"bytes_up"`   // clients to server, warm-up and rounds
	BytesDown int64 `json:"bytes_down"` // server to clients, warm-up and rounds

	// The computation of the clients in warm-up and rounds, as in Round, and the mean number of clients that trained in a
	// round.
	TrainingSamples int64   `json:"training_samples"`
	ForwardSamples  int64   `json:"forward_samples"`
	ClientsPerRound float64 `json:"clients_per_round"`

	// Dropped is the number of trainings that diverged and were left out of their rounds.
	Dropped int `json:"dropped,omitempty"`

	// Stragglers and Unanswered count the clients, over all rounds, that did only a part of their local epochs and that sent
	// nothing back.
	Stragglers int `json:"stragglers,omitempty"`
	Unanswered int `json:"unanswered,omitempty"`

	// Joined has the accuracies of the clients that joined during the run in a scenario: with the models that they received,
	// and after one local training of these models. It is nil if no client joined.
	Joined *Joined `json:"joined,omitempty"`

	// HeldOut has the same two accuracies for the clients that were held out of the run and joined after its last round. It
	// is nil if there were none.
	HeldOut *HeldOut `json:"held_out,omitempty"`

	Warnings []string `json:"warnings,omitempty"` // warnings about the reliability of the results

	Seconds Seconds `json:"seconds"`

	SecondsPerRound  float64 `json:"seconds_per_round"`  // median
	SamplesPerSecond float64 `json:"samples_per_second"` // see SamplesPerSecond
	PeakRSSBytes     int64   `json:"peak_rss_bytes"`

	// PeakDeviceBytes is the peak GPU memory of the process. PeakStackBytes is the peak memory of a call of the batched
	// engine, without models and images. ClientsAtOnce are the smallest and the largest number of clients in such a call.
	PeakDeviceBytes int64  `json:"peak_device_bytes,omitempty"`
	PeakStackBytes  int64  `json:"peak_stack_bytes,omitempty"`
	ClientsAtOnce   [2]int `json:"clients_at_once,omitzero"`

	Device     string `json:"device"`
	DeviceName string `json:"device_name"` // name of the GPU, or model of the CPU
	Engine     string `json:"engine"`
	Precision  string `json:"precision"`
	Libtorch   string `json:"libtorch"`
	Seed       int64  `json:"seed"`
}

// The values of Summary.EndedBy.
const (
	EndedByRounds   = "rounds"         // it had all rounds that were asked for
	EndedByStopping = "early-stopping" // its training loss no longer fell
)

// Joined has the accuracies of clients when they joined.
type Joined struct {
	Clients int   `json:"clients"`
	Pre     Score `json:"pre"`
	Post    Score `json:"post"`
}

// HeldOut has the accuracies of the clients that were held out of a run, and what they sent, received and computed when they
// joined after its last round. The totals of the run do not include this cost, except in summaries of earlier versions, in which
// it is nil.
type HeldOut struct {
	Joined
	Cost *JoinCost `json:"cost,omitempty"`
}

// JoinCost is what clients sent, received and computed when they joined.
type JoinCost struct {
	BytesUp         int64 `json:"bytes_up"`
	BytesDown       int64 `json:"bytes_down"`
	TrainingSamples int64 `json:"training_samples"`
	ForwardSamples  int64 `json:"forward_samples"`
}

// ClientBest has the means over the clients of each client's highest accuracy in any round. The round is chosen on the test
// sets themselves, separately for each client, so that the mean is higher than the accuracy of any single model. The authors'
// program reports it.
type ClientBest struct {
	Pre  Score `json:"pre"`  // before local training, over all clients
	Post Score `json:"post"` // after local training, over the clients that were ever sampled
	Any  Score `json:"any"`  // the higher of the two
}

// The values of RoundScores.PostOver.
const (
	OverCohort = "cohort" // the clients sampled in the round
	OverAll    = "all"    // every client
)

// RoundScores are the scores before local training over all clients, and after local training over the clients that PostOver
// names.
type RoundScores struct {
	Pre      Score  `json:"pre"`
	Post     Score  `json:"post"`
	PostOver string `json:"post_over"` // OverCohort or OverAll
}

// lastRounds is the number of rounds on which Last10 and Swing are based.
const lastRounds = 10

// SetRounds fills in the fields that depend only on the rounds: Rounds, Final, Best, Last10, Last10Rounds, Swing,
// ClientsPerRound, Seconds.Rounds, SecondsPerRound and SamplesPerSecond. It adds the traffic of the rounds to BytesUp and
// BytesDown, which must contain the traffic of the warm-up. Accuracies that were not measured in a round (NaN) are skipped.
func (s *Summary) SetRounds(rounds []Round) {
	s.Rounds = len(rounds)
	s.Final.PostOver, s.Best.PostOver, s.Last10.PostOver = OverCohort, OverCohort, OverCohort
	var seconds []float64
	s.Seconds.Rounds, s.ClientsPerRound, s.Dropped, s.Stragglers, s.Unanswered = 0, 0, 0, 0, 0
	for _, r := range rounds {
		s.BytesUp += r.BytesUp
		s.BytesDown += r.BytesDown
		s.Seconds.Rounds += r.Seconds
		s.ClientsPerRound += float64(len(r.Clients))
		s.Dropped += len(r.Dropped)
		s.Stragglers += len(r.Stragglers)
		s.Unanswered += len(r.Unanswered)
		seconds = append(seconds, r.Seconds)
	}
	if len(rounds) > 0 {
		s.ClientsPerRound /= float64(len(rounds))
	}
	s.SecondsPerRound = median(seconds)
	s.SamplesPerSecond, _ = SamplesPerSecond(rounds)

	tail := rounds[max(0, len(rounds)-lastRounds):]
	for _, m := range measures {
		*m.to(&s.Final), *m.to(&s.Best) = NoScore.Accuracy, NoScore.Accuracy
		for _, r := range rounds {
			v := m.of(r)
			if math.IsNaN(v.Mean) {
				continue
			}
			*m.to(&s.Final) = v
			if best := m.to(&s.Best); math.IsNaN(best.Mean) || v.Mean > best.Mean {
				*best = v
			}
		}
		var means, stds []float64
		for _, r := range tail {
			means = append(means, m.of(r).Mean)
			stds = append(stds, m.of(r).Std)
		}
		*m.to(&s.Last10) = Stat{NewStat(means).Mean, NewStat(stds).Mean}
	}
	var pre []float64
	for _, r := range tail {
		if !math.IsNaN(r.Pre.Balanced.Mean) {
			pre = append(pre, r.Pre.Balanced.Mean)
		}
	}
	s.Last10Rounds, s.Swing = len(pre), Float(math.NaN())
	if len(pre) > 1 {
		s.Swing = Float(NewStat(pre).Std)
	}
}

// SamplesPerSecond returns the training samples of the rounds, counting every epoch, divided by the training time. If the
// training time of a round was not recorded, as in earlier versions, the samples are divided by the whole time of the rounds,
// evaluation included, and overall is true.
func SamplesPerSecond(rounds []Round) (rate float64, overall bool) {
	var samples int64
	var training, all float64
	for _, r := range rounds {
		samples += r.Samples
		training += r.TrainingSeconds
		all += r.Seconds
		overall = overall || r.TrainingSeconds == 0 && r.Samples > 0
	}
	if overall {
		training = all
	}
	if training <= 0 {
		return 0, overall
	}
	return float64(samples) / training, overall
}

// SetFinalPost replaces the accuracy after local training of the last cohort by the accuracy of all clients after each has
// trained once more from the final models.
func (s *Summary) SetFinalPost(all Score) {
	s.Final.Post, s.Final.PostOver = all, OverAll
}

// SetHeldOut sets HeldOut, and subtracts its cost from the totals, which must be those of the ledger.
func (s *Summary) SetHeldOut(h *HeldOut) {
	s.HeldOut = h
	s.BytesUp -= h.Cost.BytesUp
	s.BytesDown -= h.Cost.BytesDown
	s.TrainingSamples -= h.Cost.TrainingSamples
	s.ForwardSamples -= h.Cost.ForwardSamples
}

// measures maps each accuracy of a RoundScores to the accuracy of a round.
var measures = []struct {
	of func(Round) Stat
	to func(*RoundScores) *Stat
}{
	{func(r Round) Stat { return r.Pre.Balanced }, func(p *RoundScores) *Stat { return &p.Pre.Balanced }},
	{func(r Round) Stat { return r.Pre.Accuracy }, func(p *RoundScores) *Stat { return &p.Pre.Accuracy }},
	{func(r Round) Stat { return r.CohortPost.Balanced }, func(p *RoundScores) *Stat { return &p.Post.Balanced }},
	{func(r Round) Stat { return r.CohortPost.Accuracy }, func(p *RoundScores) *Stat { return &p.Post.Accuracy }},
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// JSON returns the summary as JSON on one line.
func (s Summary) JSON() (string, error) {
	raw, err := Marshal(s)
	return string(raw), err
}

// WriteSummary writes summary.json.
func (d *Dir) WriteSummary(s Summary) error { return d.WriteJSON(SummaryFile, s) }

// ReadSummary reads summary.json.
func (d *Dir) ReadSummary() (Summary, error) {
	var s Summary
	return s, d.ReadJSON(SummaryFile, &s)
}

// Table returns the summary as a short text with an explanation of each number.
func (s Summary) Table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s, seed %d: %s, %s on %s\n", s.Algorithm, s.Dataset, s.Seed, numfmt.Count(s.Rounds, "round"), s.Precision, s.on())
	fmt.Fprintf(&b, "%s\n\n", s.clusters())
	fmt.Fprintf(&b, "Accuracy on %s, percent: mean ± standard deviation over clients\n\n", s.testSets())

	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "\t\tbalanced\tplain\tover\n")
	for _, row := range s.accuracyRows() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", row.when, row.phase, row.score.Balanced, row.score.Accuracy, row.over)
	}
	w.Flush()
	if swing := s.swing(); swing != "" {
		fmt.Fprintf(&b, "%s\n", swing)
	}

	b.WriteByte('\n')
	w = tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	for _, row := range s.factRows() {
		fmt.Fprintf(w, "%s\t%s\n", row.Key, row.Value)
	}
	w.Flush()
	return b.String()
}

// clusters describes the clusters: their number, what found them, and their adjusted Rand index.
func (s Summary) clusters() string {
	text := numfmt.Count(s.Clusters, "cluster")
	if s.FoundBy != "" {
		text += " found by " + s.FoundBy
	}
	if s.AdjustedRandIndex != nil {
		text += fmt.Sprintf(" (adjusted Rand index %.3f against the true groups)", *s.AdjustedRandIndex)
	}
	return text
}

// memory describes the peak memory of the run.
func (s Summary) memory() string {
	text := numfmt.Bytes(s.PeakRSSBytes) + " resident at the peak"
	if s.PeakDeviceBytes > 0 {
		text += fmt.Sprintf(", %s of the GPU's", numfmt.Bytes(s.PeakDeviceBytes))
	}
	if s.PeakStackBytes > 0 {
		text += fmt.Sprintf("; a stack of clients took up to %s, %d to %d at once", numfmt.Bytes(s.PeakStackBytes), s.ClientsAtOnce[0], s.ClientsAtOnce[1])
	}
	return text
}

// on returns the names of the device and the engine.
func (s Summary) on() string {
	text := s.Device
	if s.DeviceName != "" {
		text += " (" + s.DeviceName + ")"
	}
	if s.Engine != "" {
		text += ", " + s.Engine + " engine"
	}
	return text
}

type accuracyRow struct {
	when, phase, over string
	score             Score
}

// accuracyRows returns the rows of the accuracy table, for the terminal and for HTML.
func (s Summary) accuracyRows() []accuracyRow {
	over := map[string]string{OverCohort: "the round's sampled clients", OverAll: "every client"}
	var rows []accuracyRow
	for _, p := range []struct {
		when string
		RoundScores
	}{
		{"final round", s.Final},
		{"best round", s.Best},
		{"mean of " + s.lastRounds(), s.Last10},
	} {
		rows = append(rows,
			accuracyRow{p.when, "before local training", "every client", p.Pre},
			accuracyRow{"", "after local training", over[p.PostOver], p.Post})
	}
	if b := s.ClientBest; b != nil {
		rows = append(rows,
			accuracyRow{"best round of each client", "before local training", "every client", b.Pre},
			accuracyRow{"", "after local training", "every client that was sampled", b.Post})
	}
	var heldOut *Joined
	if s.HeldOut != nil {
		heldOut = &s.HeldOut.Joined
	}
	for _, n := range []struct {
		when, who string
		*Joined
	}{
		{"newcomers", "that joined, as they did", s.Joined},
		{"held out", "after the last round", heldOut},
	} {
		if n.Joined != nil {
			who := numfmt.Count(n.Clients, "client") + " " + n.who
			rows = append(rows,
				accuracyRow{n.when, "before local training", who, n.Pre}, accuracyRow{"", "after local training", who, n.Post})
		}
	}
	return rows
}

// lastRounds describes the rounds on which Last10 and Swing are based.
func (s Summary) lastRounds() string {
	tail := min(max(s.Rounds, 1), lastRounds)
	text := fmt.Sprintf("last %d", tail)
	if s.Last10Rounds > 0 && s.Last10Rounds < tail {
		text += fmt.Sprintf(" (%d evaluated)", s.Last10Rounds)
	}
	return text
}

// swing describes how much the accuracy varied in the last rounds. It is empty if fewer than two of them were evaluated.
func (s Summary) swing() string {
	if !finite(float64(s.Swing)) {
		return ""
	}
	return fmt.Sprintf("Swing: %s points (standard deviation of the balanced accuracy before local training over the %s rounds).", numfmt.Decimal(float64(s.Swing), 2), s.lastRounds())
}

// factRows returns the other lines of the summary.
func (s Summary) factRows() []Pair {
	var facts []Pair
	if s.PreWith != "" {
		facts = append(facts, Pair{Key: "before", Value: "local training, a client predicts with " + s.PreWith})
	}
	if s.EndedBy == EndedByStopping {
		facts = append(facts, Pair{Key: "ended early", Value: "the training loss no longer fell (--early-stopping)"})
	}
	if s.Dropped > 0 {
		facts = append(facts, Pair{Key: "left out", Value: numfmt.Count(s.Dropped, "training") + " that diverged (dropped in metrics.jsonl)"})
	}
	return append(facts, []Pair{
		{Key: "traffic", Value: fmt.Sprintf("%s up, %s down (all clients, warm-up included)", numfmt.Bytes(s.BytesUp), numfmt.Bytes(s.BytesDown))},
		{Key: "computed", Value: fmt.Sprintf("%s samples trained on, %s samples evaluated to choose a model (all clients, every epoch and model); %s clients trained per round", numfmt.Thousands(float64(s.TrainingSamples)), numfmt.Thousands(float64(s.ForwardSamples)), numfmt.Decimal(s.ClientsPerRound, 1))},
		{Key: "time", Value: s.Seconds.String()},
		{Key: "speed", Value: fmt.Sprintf("%s per round (median), %s training samples per second of training, on %s", duration(s.SecondsPerRound), numfmt.Thousands(s.SamplesPerSecond), s.on())},
		{Key: "memory", Value: s.memory()},
	}...)
}
