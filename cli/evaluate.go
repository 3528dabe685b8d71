package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"feddag/federation"
	"feddag/federation/data"
	"feddag/internal/npy"
	"feddag/internal/spelling"
	"feddag/report"
	"feddag/torch"
)

func init() {
	register("evaluate", "score the models of a run again", evaluate)
}

const evaluateIntro = `Scores the models of a run again, client by client, on the clients' images, and says whether the scores agree with
clients.csv. If the run has not ended, the models of its last checkpoint are scored. The run directory is only read.
The last line on standard output is one JSON object; accuracies are in percent.

Usage: feddag evaluate --run DIR [flags]
`

// evaluateFlags are the flags of the command.
type evaluateFlags struct {
	*storedFlags
	source
	split   string
	clients []int
	images  string
	device  string
	workers int
	quiet   bool
}

const (
	testSplit  = "test"
	trainSplit = "train"
)

func newEvaluateFlags() *evaluateFlags {
	f := &evaluateFlags{storedFlags: newStoredFlags()}
	fs := f.all
	fs.StringVar(&f.split, "split", testSplit, "images to compute the scores on: test (the client's test images), train (its training images)")
	fs.IntSliceVar(&f.clients, "client", nil, "numbers of the clients to score, separated by commas (default: all clients that took part at the end)")
	fs.StringVar(&f.images, "images", "", "write all images of the split to this .npz file, as the clients see them, in the arrays images (images x channels x height x width, 0..255) and labels")
	fs.StringVar(&f.dataset, "dataset", "", "name or path of the data set, if it has moved since the run; its images must be the same (default: as in the run)")
	f.where(fs)
	fs.StringVar(&f.device, "device", "", "device that computes: auto, cpu, cuda, cuda:N (default: the device of the run, or the CPU if this machine has no GPU)")
	fs.IntVar(&f.workers, "workers", runtime.NumCPU(), "number of models evaluated at the same time on the CPU")
	fs.BoolVar(&f.quiet, "quiet", false, "print no progress on standard error")
	return f
}

func evaluate(ctx context.Context, args []string, out, log io.Writer) error {
	f := newEvaluateFlags()
	if helped, err := parseCommand("evaluate", evaluateIntro, f.all, args, out); helped || err != nil {
		return err
	}
	if f.all.NArg() > 0 {
		return usagef("evaluate takes no argument, got %q: name the run with --run", f.all.Arg(0))
	}
	if err := f.checkRun("evaluate"); err != nil {
		return err
	}
	if err := spelling.OneOf("split", f.split, []string{testSplit, trainSplit}); err != nil {
		return usageError{err}
	}
	if f.workers < 1 {
		return usagef("--workers is %d: use 1 or more", f.workers)
	}
	s, err := openStored(ctx, f.run, func(o *options) error { return f.change(o, log) }, log)
	if err != nil {
		return err
	}
	defer s.Close()
	if f.images != "" {
		if err := f.writeImages(s.env.Data); err != nil {
			return err
		}
	}
	e, err := f.score(s, log)
	if err != nil {
		return err
	}
	return e.print(out)
}

// change sets the flags that may differ from the run's.
func (f *evaluateFlags) change(o *options, log io.Writer) error {
	o.quiet, o.workers = f.quiet, f.workers
	o.dataDir = f.dataDir
	if f.dataset != "" {
		o.dataset = f.dataset
	}
	if len(f.extra) > 0 {
		o.extra = f.extra
	}
	asked := f.device
	if asked == "" && strings.HasPrefix(o.device, "cuda") {
		info, err := torch.Describe()
		if err != nil {
			return err
		}
		if info.CUDADevices == 0 {
			asked = "cpu"
			fmt.Fprintf(log, "%s was trained on %s, and this machine has no GPU: the last digits may differ\n", f.run, o.device)
		}
	}
	if asked != "" && asked != o.device {
		o.device, o.engine, o.precision, o.deterministic, o.memory = asked, "auto", "fp32", false, ""
	}
	return nil
}

// writeImages writes the images of the split.
func (f *evaluateFlags) writeImages(set *data.Set) error {
	images := set.Test
	if f.split == trainSplit {
		images = set.Train
	}
	return report.WriteFile(f.images, func(w io.Writer) error {
		z := npy.NewZip(w)
		err := z.Add("images", &npy.Array{Shape: []int{images.Len(), set.Channels, set.Height, set.Width}, Data: images.Pixels})
		if err == nil {
			err = z.Add("labels", &npy.Array{Shape: []int{images.Len()}, Data: images.Labels})
		}
		return errors.Join(err, z.Close())
	})
}

// score scores the clients with the models in model/, or those in the checkpoint where the directory does not have all of them.
func (f *evaluateFlags) score(s *session, log io.Writer) (*evaluation, error) {
	e := &evaluation{Run: f.run, Split: f.split}
	scores := s.env.Scores
	if f.split == trainSplit {
		scores = s.env.TrainScores
	}
	m, err := s.dir.ReadModels()
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		clients, err := f.choose(presentModels(m), len(m.Clients))
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(clients, func(i int) bool { return len(m.Clients[i].Files) == 0 }) {
			break // the model of some client is not kept
		}
		if e.Rounds, e.From = m.Rounds, report.ModelsFile; len(clients) == 0 {
			return e, nil
		}
		return e, f.scoreFiles(s, m, clients, e, scores)
	}
	if e.From = report.CheckpointFile; !f.quiet {
		fmt.Fprintf(log, "%s: not every model is in %s, so they are made from %s\n", f.run, report.ModelsFile, report.CheckpointFile)
	}
	return e, f.scoreCheckpoint(s, e, scores)
}

// presentModels returns the clients that were present at the end of a run.
func presentModels(m *report.Models) (clients []int) {
	for _, c := range m.Clients {
		if c.TestSet != nil {
			clients = append(clients, c.Client)
		}
	}
	return clients
}

// choose returns the clients to score. present are the clients at the end of the run, out of n.
func (f *evaluateFlags) choose(present []int, n int) ([]int, error) {
	if !f.all.Changed("client") {
		return present, nil
	}
	clients := slices.Clone(f.clients)
	slices.Sort(clients)
	for _, i := range clients {
		if err := isThere(i, present, n, f.run); err != nil {
			return nil, err
		}
	}
	return slices.Compact(clients), nil
}

// isThere returns an error unless client i of n is among the clients present at the end of a run.
func isThere(i int, present []int, n int, run string) error {
	if i < 0 || i >= n {
		return usagef("--client %d: %s has the clients 0 to %d", i, run, n-1)
	}
	if !slices.Contains(present, i) {
		return usagef("--client %d is not present at the end of %s: it left, or never joined", i, run)
	}
	return nil
}

// scoreFiles scores clients with the models of models.json.
func (f *evaluateFlags) scoreFiles(s *session, m *report.Models, clients []int, e *evaluation, scores scorer) error {
	if err := s.env.Replay(m.Rounds); err != nil {
		return err
	}
	net, err := s.env.Net(len(m.Encoders) == 2)
	if err != nil {
		return err
	}
	loaded := newLoader(s.dir, net, s.env.Device)
	defer loaded.Close()
	var scored []*federation.Client
	var models []federation.Model
	for _, i := range clients {
		model, err := loaded.model(m.Clients[i])
		if err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
		scored, models = append(scored, s.env.Clients[i]), append(models, model)
	}
	result, err := scores(scored, models)
	if err != nil {
		return err
	}
	return e.add(s, scored, result)
}

// scorer scores models[i] for clients[i].
type scorer func(clients []*federation.Client, models []federation.Model) ([]federation.Score, error)

// scoreCheckpoint scores clients with the models of the last checkpoint, as the algorithm would.
func (f *evaluateFlags) scoreCheckpoint(s *session, e *evaluation, scores scorer) error {
	path := s.dir.Path(report.CheckpointFile)
	c, err := federation.ReadCheckpoint(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s has neither %s with the models of all clients nor %s: there is nothing to score", f.run, report.ModelsFile, report.CheckpointFile)
	}
	if err != nil {
		return err
	}
	ended := c.Rounds == s.env.Rounds
	s.env.Rounds = c.Rounds // nothing is trained
	alg := s.o.alg
	defer alg.Close()
	r := federation.NewRunner(s.env, alg, federation.RunOptions{Algorithm: s.o.algorithm, Config: s.hash, Checkpoint: path, Resume: c})
	if e.Rounds, err = r.Begin(); err != nil {
		return err
	}
	there := s.env.Present()
	if ended {
		joined, err := s.env.JoinHeldOut(alg)
		if err != nil {
			return err
		}
		there = federation.ByID(slices.Concat(there, joined))
	}
	var ids []int
	for _, c := range there {
		ids = append(ids, c.ID)
	}
	if ids, err = f.choose(ids, len(s.env.Clients)); err != nil {
		return err
	}
	var clients []*federation.Client
	for _, i := range ids {
		clients = append(clients, s.env.Clients[i])
	}
	result, err := s.env.EvaluateBy(alg, clients, scores)
	if err != nil {
		return err
	}
	return e.add(s, clients, result)
}

// evaluation is the result of the command, which is also its last line on standard output.
type evaluation struct {
	Run    string `json:"run"`
	Split  string `json:"split"`
	From   string `json:"models_from"` // file that contains the models or lists their files
	Rounds int    `json:"rounds"`      // number of rounds trained before the evaluation
	report.Score
	// Agrees says whether the accuracies are those in clients.csv, to the last digit; nil where they cannot be compared.
	Agrees  *bool             `json:"agrees_with_clients_csv,omitempty"`
	Clients []evaluatedClient `json:"clients"`
}

// evaluatedClient is a client's score.
type evaluatedClient struct {
	Client   int          `json:"client"`
	Samples  int          `json:"samples"`
	Balanced report.Float `json:"balanced_accuracy"`
	Accuracy report.Float `json:"accuracy"`
}

// add fills in the scores of clients, and compares those on the test split with clients.csv where the run has ended.
func (e *evaluation) add(s *session, clients []*federation.Client, scores []federation.Score) error {
	e.Score = report.NewScore(scores)
	kept, err := s.dir.ReadClientCells()
	compare := err == nil && e.Split == testSplit && e.Rounds == s.o.run.Rounds
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	agrees := true
	for k, c := range clients {
		score := report.NewClientScore(scores[k])
		samples := c.Size()
		if e.Split == testSplit {
			samples = len(s.env.TestSamples(c))
		}
		e.Clients = append(e.Clients, evaluatedClient{c.ID, samples, report.Float(score.Balanced), report.Float(score.Accuracy)})
		agrees = agrees && kept[strconv.Itoa(c.ID)] == score.Cells()
	}
	if compare {
		e.Agrees = &agrees
	}
	return nil
}

// mostRows is the largest number of clients for which the table has a row per client.
const mostRows = 30

func (e *evaluation) print(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s after %d rounds, on the %s images of each client, in percent\n", e.Run, e.Rounds, e.Split)
	if len(e.Clients) <= mostRows {
		fmt.Fprintf(&b, "%8s %9s %10s %10s\n", "client", "images", "balanced", "plain")
		for _, c := range e.Clients {
			fmt.Fprintf(&b, "%8d %9d %10s %10s\n", c.Client, c.Samples, percent(float64(c.Balanced)), percent(float64(c.Accuracy)))
		}
	}
	fmt.Fprintf(&b, "%d clients: balanced accuracy %s ± %s, plain %s ± %s\n", len(e.Clients),
		percent(e.Balanced.Mean), percent(e.Balanced.Std), percent(e.Accuracy.Mean), percent(e.Accuracy.Std))
	if e.Agrees != nil {
		b.WriteString(map[bool]string{true: "every accuracy agrees with clients.csv to the last digit\n", false: "some accuracies differ from clients.csv\n"}[*e.Agrees])
	}
	line, err := report.Marshal(e)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s%s\n", b.String(), line)
	return err
}

// percent formats an accuracy in percent with as many digits as clients.csv, or returns - if there is none.
func percent(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return strconv.FormatFloat(v, 'f', 4, 64)
}
