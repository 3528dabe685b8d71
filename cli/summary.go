package cli

import (
	"fmt"
	"io"
	"time"

	"feddag/federation"
	"feddag/report"
	"feddag/torch"
	"feddag/torch/ranks"
)

// finish writes the files of a complete run, and prints its results.
func (s *session) finish(r *recorder, result *federation.Result, out, log io.Writer) error {
	files := time.Now()
	done := waiting(log, s.o.quiet, "writing tables, plots and the report")
	defer done()
	if err := r.events.Close(); err != nil {
		return err
	}
	rounds, err := s.dir.ReadMetrics()
	if err != nil {
		return err
	}
	if err := s.dir.WriteClients(report.NewClients(s.env.Clients, s.assigned(), result)); err != nil {
		return err
	}
	if err := s.writeModels(result); err != nil {
		return err
	}
	if err := s.dir.PlotRounds(s.title(), rounds, s.o.plots); err != nil {
		return err
	}
	history, err := s.history(len(rounds))
	if err != nil {
		return err
	}
	clusters := report.NewClusters(s.env, s.assigned())
	s.env.Seconds()[federation.FilesStage] += time.Since(files).Seconds()
	sum := s.summary(r, rounds, clusters)
	if sum.EndedBy = report.EndedByRounds; result.EndedEarly {
		sum.EndedBy = report.EndedByStopping
	}
	sum.ClientBest = report.NewClientBest(result)
	sum.Joined = report.NewJoined(history)
	if s.o.run.FinalPost {
		_, post := s.scores(result, s.present())
		sum.SetFinalPost(report.NewScore(post))
	}
	if len(result.HeldOut) > 0 {
		pre, post := s.scores(result, result.HeldOut)
		sum.SetHeldOut(report.NewHeldOut(result, pre, post))
	}
	env, err := s.environ()
	if err != nil {
		return err
	}
	sum.Device, sum.DeviceName, sum.Engine = env.Device, env.DeviceName, env.Engine
	sum.Precision, sum.Libtorch = env.Precision, env.Libtorch
	if err := s.peaks(&sum); err != nil {
		return err
	}
	err = s.dir.WriteHTML(report.Page{
		Title: s.title(), Summary: sum, Config: s.o.pairs(), Env: env, Classes: s.set.ClassNames,
		Clusters: clusters, Rounds: rounds, Assignments: history,
	})
	if err != nil {
		return err
	}
	// The summary is written last, because a comparison regards a run with a summary as finished.
	if err := s.dir.WriteSummary(sum); err != nil {
		return err
	}
	line, err := sum.JSON()
	if err != nil {
		return err
	}
	done()
	fmt.Fprint(out, sum.Table())
	_, err = fmt.Fprintf(out, "report: %s\n%s\n", s.dir.Path(report.HTMLFile), line)
	return err
}

func (s *session) summary(r *recorder, rounds []report.Round, clusters []report.Cluster) report.Summary {
	o := s.o
	sum := report.Summary{
		Algorithm: o.algorithm, Dataset: o.dataset, Clusters: report.CountInhabited(clusters), FoundBy: r.foundBy, AdjustedRandIndex: r.ari,
		Seed: int64(o.run.Seed), EvalShare: o.run.EvalShare, PeakRSSBytes: report.PeakRSS(),
	}
	sum.SetRounds(rounds)
	if p, ok := o.alg.(federation.Predictor); ok {
		sum.PreWith = p.PredictsWith()
	}
	work := s.env.Ledger.AllWork()
	sum.TrainingSamples, sum.ForwardSamples, sum.Warnings = work.Training, work.Forward, r.warnings
	sum.BytesUp, sum.BytesDown = s.env.Ledger.Total.Totals()
	sum.Seconds.SetStages(s.setup, s.env.Seconds())
	if s.checkpoint == nil { // otherwise the parts of the run were done by several processes
		sum.Seconds.SetTotal(time.Since(s.started).Seconds())
	}
	return sum
}

// peaks records the peak memory of the run, and warns of trainings in another precision than the run's.
func (s *session) peaks(sum *report.Summary) (err error) {
	if s.env.Device.IsCUDA() {
		if _, _, sum.PeakDeviceBytes, err = s.env.Device.Memory(); err != nil {
			return err
		}
	}
	if b, ok := ranks.Inner(s.env.Executor).(*torch.Batched); ok {
		sum.PeakStackBytes = b.Peak()
		sum.ClientsAtOnce[0], sum.ClientsAtOnce[1] = b.AtOnce()
		if n := b.Unstacked(); n > 0 && s.o.precision == "bf16" {
			sum.Warnings = append(sum.Warnings, fmt.Sprintf("%d local trainings have an objective or an optimiser of their own, which the batched engine runs one after another in fp32, not bf16", n))
		}
	}
	return nil
}

// assigned returns the clusters, including the held-out clients that were assigned after the last round. If the algorithm has
// no clusters, it returns one cluster with all clients that took part.
func (s *session) assigned() [][]int {
	if a, ok := s.o.alg.(federation.Clustered); ok {
		return a.Clusters()
	}
	return [][]int{s.present()}
}

// present returns the ids of the clients that are present.
func (s *session) present() (ids []int) {
	for _, c := range s.env.Present() {
		ids = append(ids, c.ID)
	}
	return ids
}

// scores returns the last scores of the given clients, before and after local training.
func (s *session) scores(result *federation.Result, clients []int) (pre, post []federation.Score) {
	for _, i := range clients {
		pre, post = append(pre, result.Last[i].Pre), append(post, result.Last[i].Post)
	}
	return pre, post
}
