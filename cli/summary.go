package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"feddag/federation"
	"feddag/report"
	"feddag/torch"
)

// finish writes what a complete run leaves behind, and prints its results.
func (s *session) finish(r *recorder, result *federation.Result, out io.Writer) error {
	rounds, err := s.dir.ReadMetrics()
	if err != nil {
		return err
	}
	if err := s.dir.WriteClients(s.clients(result)); err != nil {
		return err
	}
	plots, err := s.dir.PlotRounds(s.title(), rounds)
	if err != nil {
		return err
	}
	history, drawn, err := s.history(len(rounds))
	if err != nil {
		return err
	}
	plots = append(plots, drawn...)
	clusters := s.clusters()
	if _, ok := s.o.alg.(federation.Clusterer); ok {
		plots = append(plots, clusterPlots(func(file string) bool {
			_, err := os.Stat(s.dir.Path(file))
			return err == nil
		})...)
	}
	sum := s.summary(r, rounds, clusters)
	sum.Joined = joined(history)
	if s.o.run.FinalPost {
		_, post := s.scores(result, s.present())
		sum.SetFinalPost(score(post))
	}
	if len(result.HeldOut) > 0 {
		pre, post := s.scores(result, result.HeldOut)
		sum.HeldOut = &report.Joined{Clients: len(pre), Pre: score(pre), Post: score(post)}
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
	if err := s.dir.WriteSummary(sum); err != nil {
		return err
	}
	err = s.dir.WriteHTML(report.Page{
		Title: s.title(), Summary: sum, Config: s.o.pairs(), Env: env, Classes: s.set.ClassNames,
		Clusters: clusters, Plots: plots, Rounds: rounds, Candidates: r.candidates, Assignments: history,
	})
	if err != nil {
		return err
	}
	line, err := sum.JSON()
	if err != nil {
		return err
	}
	fmt.Fprint(out, sum.Table())
	_, err = fmt.Fprintf(out, "report: %s\n%s\n", s.dir.Path(report.HTMLFile), line)
	return err
}

func (s *session) summary(r *recorder, rounds []report.Round, clusters []report.Cluster) report.Summary {
	o := s.o
	inhabited := 0
	for _, c := range clusters {
		if len(c.Members) > 0 {
			inhabited++
		}
	}
	sum := report.Summary{
		Algorithm: o.algorithm, Dataset: o.dataset, Clusters: inhabited, AdjustedRandIndex: r.ari,
		Seed: int64(o.run.Seed), PeakRSSBytes: report.PeakRSS(),
	}
	sum.SetRounds(rounds)
	if p, ok := o.alg.(federation.Predictor); ok {
		sum.PreWith = p.PredictsWith()
	}
	work := s.env.Ledger.AllWork()
	sum.TrainingSamples, sum.ForwardSamples, sum.Warnings = work.Training, work.Forward, r.warnings
	sum.BytesUp, sum.BytesDown = s.env.Ledger.Total.Totals()
	seconds := s.env.Seconds()
	sum.Seconds.Setup, sum.Seconds.Warmup, sum.Seconds.Clustering = s.setup, seconds["warmup"], seconds["clustering"]
	sum.Seconds.Total = time.Since(s.started).Seconds()
	if s.checkpoint != nil { // of several processes, the parts of one run
		sum.Seconds.Total = s.setup + seconds["warmup"] + seconds["clustering"] + seconds["arrival"] + seconds["rounds"] + seconds["final"]
	}
	return sum
}

// peaks fills what the run held of the device, and warns of trainings in another precision than the run's.
func (s *session) peaks(sum *report.Summary) (err error) {
	if s.env.Device.IsCUDA() {
		if _, _, sum.PeakDeviceBytes, err = s.env.Device.Memory(); err != nil {
			return err
		}
	}
	if b, ok := s.env.Executor.(*torch.Batched); ok {
		sum.PeakStackBytes = b.Peak()
		sum.ClientsAtOnce[0], sum.ClientsAtOnce[1] = b.AtOnce()
		if n := b.Apart(); n > 0 && s.o.precision == "bf16" {
			sum.Warnings = append(sum.Warnings, fmt.Sprintf("%d local trainings have an objective of their own, which the batched engine runs one after another in fp32, not bf16", n))
		}
	}
	return nil
}

// clients are the rows of clients.csv.
func (s *session) clients(result *federation.Result) []report.Client {
	cluster := slices.Repeat([]int{-1}, len(s.env.Clients))
	for z, members := range s.assigned() {
		for _, i := range members {
			cluster[i] = z
		}
	}
	percent := func(x federation.Score) report.ClientScore {
		return report.ClientScore{Balanced: 100 * x.Balanced, Accuracy: 100 * x.Accuracy}
	}
	rows := make([]report.Client, len(s.env.Clients))
	for i, c := range s.env.Clients {
		rows[i] = report.Client{
			Client: i, Group: c.Group, Cluster: cluster[i], TrainSamples: len(c.Train), TestSamples: len(c.Test),
			Pre: percent(result.Last[i].Pre), Post: percent(result.Last[i].Post),
			BestPre: percent(result.Best[i].Pre), BestPost: percent(result.Best[i].Post),
		}
	}
	return rows
}

// assigned are the clusters, with the held-out clients that came after the last round; one of all clients that took part
// where the algorithm has none.
func (s *session) assigned() [][]int {
	if a, ok := s.o.alg.(federation.Clustered); ok {
		return a.Clusters()
	}
	return [][]int{s.present()}
}

// clusters describes the clusters of the clients that took part.
func (s *session) clusters() []report.Cluster {
	there := map[int]bool{}
	for _, i := range s.present() {
		there[i] = true
	}
	clusters := s.assigned()
	rows := make([]report.Cluster, len(clusters))
	for z, members := range clusters {
		members = slices.DeleteFunc(slices.Clone(members), func(i int) bool { return !there[i] })
		rows[z] = report.Cluster{Members: members, Histogram: make([]int, s.set.Classes)}
		for _, i := range members {
			for class, n := range s.env.Counts(s.env.Clients[i]) {
				rows[z].Histogram[class] += n
				rows[z].Samples += n
			}
		}
	}
	return rows
}

// present are the ids of the clients that are there.
func (s *session) present() (ids []int) {
	for _, c := range s.env.Present() {
		ids = append(ids, c.ID)
	}
	return ids
}

// scores are some clients' last.
func (s *session) scores(result *federation.Result, clients []int) (pre, post []federation.Score) {
	for _, i := range clients {
		pre, post = append(pre, result.Last[i].Pre), append(post, result.Last[i].Post)
	}
	return pre, post
}
