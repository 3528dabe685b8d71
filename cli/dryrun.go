package cli

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"text/tabwriter"
	"time"

	"feddag/federation"
	"feddag/internal/numfmt"
	"feddag/report"
	"feddag/torch"
)

// forecast is the result of a dry run, which is also its last line on standard output.
type forecast struct {
	DryRun      bool            `json:"dry_run"`
	Algorithm   string          `json:"algorithm"`
	Dataset     string          `json:"dataset"`
	Device      string          `json:"device"`
	DeviceName  string          `json:"device_name"`
	Engine      string          `json:"engine"`
	Precision   string          `json:"precision"`
	Rounds      int             `json:"rounds"`
	Clients     int             `json:"clients"`
	Cohort      int             `json:"cohort"`
	Trainings   []forecastTrain `json:"trainings"`
	Steps       int64           `json:"steps"` // number of steps of SGD of all clients
	DeviceBytes int64           `json:"device_bytes"`
	HostBytes   int64           `json:"host_bytes"`
	Free        int64           `json:"device_free_bytes"`
	Seconds     float64         `json:"seconds_estimated"`
}

// forecastTrain is one kind of training.
type forecastTrain struct {
	What    string  `json:"what"`
	Steps   int64   `json:"steps"`
	AtOnce  int     `json:"clients_at_once"`
	Groups  int     `json:"groups"` // number of groups in which a cohort is trained
	Bytes   int64   `json:"bytes"`  // memory used during training, in addition to models and images
	Seconds float64 `json:"seconds_estimated"`
}

// baseBytes is the host memory of a process with libtorch before it loads any data.
const baseBytes = 300 << 20

// plan estimates the time and memory of a run. It trains nothing except a few steps to measure their time.
func (o *options) plan(ctx context.Context, out, log io.Writer) error {
	s, err := open(ctx, o, o.algorithm, log)
	if err != nil {
		return err
	}
	defer s.Close()
	p, err := s.env.Plan(o.alg)
	if err != nil {
		return err
	}
	done := waiting(log, o.quiet, "timing a few steps")
	defer done()
	f := forecast{
		DryRun: true, Algorithm: o.algorithm, Dataset: o.dataset, Device: o.device, Engine: o.engine, Precision: o.precision,
		Rounds: o.run.Rounds, Clients: p.Clients, Cohort: p.Cohort,
	}
	env, err := s.environ()
	if err != nil {
		return err
	}
	f.DeviceName = env.DeviceName
	var models, work int64
	for _, k := range p.Trainings {
		t, err := s.forecast(p, k)
		if err != nil {
			return err
		}
		f.Trainings = append(f.Trainings, t)
		f.Steps, f.Seconds = f.Steps+t.Steps, f.Seconds+t.Seconds
		work = max(work, t.Bytes)
		net, err := s.env.Net(k.Dual)
		if err != nil {
			return err
		}
		// The models of a cohort before and after training, and the server's models before and after.
		models = max(models, 4*int64(net.Len())*int64(2*min(p.Cohort, 64)+2*servers(s.env)))
	}
	seeing, err := s.evaluationSeconds(p)
	if err != nil {
		return err
	}
	f.Seconds += seeing
	data := s.env.Data
	images := int64(len(data.Train.Pixels) + len(data.Train.Labels) + len(data.Test.Pixels) + len(data.Test.Labels))
	f.DeviceBytes = images + models + work
	f.HostBytes = baseBytes + images
	if !s.env.Device.IsCUDA() { // on the CPU, device memory is host memory
		f.HostBytes += f.DeviceBytes
	}
	if f.Free, _, _, err = s.env.Device.Memory(); err != nil {
		return err
	}
	done()
	return f.print(out, images, models, work, seeing)
}

// servers returns an estimate of the number of models that the server holds: the number of true groups, or one.
func servers(e *federation.Env) int {
	n := 1
	for _, c := range e.Clients {
		n = max(n, c.Group+1)
	}
	return n
}

// forecast plans one kind of training: its groups, its memory, and its time, which it estimates by timing a few steps.
func (s *session) forecast(p *federation.Plan, k federation.Planned) (t forecastTrain, err error) {
	e := s.env
	net, err := e.Net(k.Dual)
	if err != nil {
		return t, err
	}
	t = forecastTrain{What: k.What, Steps: k.Steps, AtOnce: min(p.Cohort, max(1, s.o.workers)), Groups: 1}
	w := torch.StackedWork{Clients: p.Cohort, Samples: k.Longest, Epochs: e.Epochs, Batch: e.Batch, Parts: k.Parts}
	switch x := e.Executor.(type) {
	case *torch.Batched:
		if !torch.Builtin(k.Objective) { // these run one after another
			w.Clients, t.AtOnce = 1, 1
			t.Bytes = net.StackedBytes(e.Device, w)
			break
		}
		t.AtOnce, t.Bytes = x.Plan(net, w)
		t.Groups = (p.Cohort + t.AtOnce - 1) / t.AtOnce
	default:
		if s.o.engine == "eager" {
			t.AtOnce = 1
		}
		w.Clients = 1
		t.Bytes = int64(t.AtOnce) * net.StackedBytes(torch.CPU, w)
	}
	perStep, err := s.secondsPerStep(net, k, t.AtOnce)
	if err != nil && k.Objective != nil { // the objective may need something that the method only has in a run
		t.What += " (timed with the cross-entropy)"
		k.Objective = nil
		perStep, err = s.secondsPerStep(net, k, t.AtOnce)
	}
	t.Seconds = perStep * float64(k.Steps)
	return t, err
}

// probeSteps is the number of steps of each client that are timed.
const probeSteps = 4

// secondsPerStep returns the time of one step, measured by training atOnce clients for a few steps. The resulting weights are
// discarded. The first call is not timed because it includes one-time initialisation.
func (s *session) secondsPerStep(net *torch.Network, k federation.Planned, atOnce int) (float64, error) {
	e := s.env
	start := make([]float32, net.Len())
	net.Init(start, torch.All, rand.New(rand.NewPCG(1, 2)))
	v, err := torch.VectorOf(e.Device, start)
	if err != nil {
		return 0, err
	}
	defer v.Close()
	jobs := make([]torch.Job, 0, atOnce)
	steps := 0
	for i, c := range e.Present() {
		if i == atOnce {
			break
		}
		n := min(len(c.Train), probeSteps*e.Batch)
		order := make([]int32, n)
		for k := range order {
			order[k] = int32(k)
		}
		job := c.Job(v)
		job.Samples, job.Order = c.Train[:n], [][]int32{order}
		jobs = append(jobs, job)
		steps += (n + e.Batch - 1) / e.Batch
	}
	for round := range 2 {
		began := time.Now()
		sgd := e.SGD()
		sgd.Objective = k.Objective
		trained, err := e.Executor.Train(net, e.Train, jobs, k.Parts, sgd)
		if err != nil {
			return 0, fmt.Errorf("timing a few steps (%s): %w", k.What, err)
		}
		torch.CloseTrained(trained)
		if round == 1 {
			return time.Since(began).Seconds() / float64(steps), nil
		}
	}
	panic("unreachable")
}

// evaluationSeconds estimates the time of all evaluations by timing a few predictions.
func (s *session) evaluationSeconds(p *federation.Plan) (float64, error) {
	e := s.env
	net, err := e.Net(p.Trainings[len(p.Trainings)-1].Dual)
	if err != nil {
		return 0, err
	}
	v, err := torch.NewVector(e.Device, net.Len())
	if err != nil {
		return 0, err
	}
	defer v.Close()
	n := min(512, e.Test.Len())
	if n == 0 {
		return 0, nil
	}
	jobs := timedPredictions(v, n, max(1, s.o.workers))
	began := time.Now()
	if _, err := e.Executor.Predict(net, e.Test, jobs); err != nil {
		return 0, fmt.Errorf("timing a few predictions: %w", err)
	}
	per := time.Since(began).Seconds() / float64(n*len(jobs))
	return per * (float64(p.RoundTests) + float64(p.Evaluated)*float64(p.AllTests)), nil
}

// timedPredictions returns predictions of n images by one model. Each begins with another image, because an engine computes the
// features of the same batch only once.
func timedPredictions(model *torch.Vector, n, count int) []torch.Prediction {
	jobs := make([]torch.Prediction, count)
	for j := range jobs {
		jobs[j].State = model
		for k := range n {
			jobs[j].Samples = append(jobs[j].Samples, int32((j+k)%n))
		}
	}
	return jobs
}

func (f forecast) print(out io.Writer, images, models, work int64, seeing float64) error {
	var b strings.Builder
	fmt.Fprintf(&b, "dry run: times a few steps of training, and writes nothing\n\n")
	fmt.Fprintf(&b, "%s on %s: %d rounds, %d of %d clients per round; %s on %s (%s), %s engine\n\n", f.Algorithm, f.Dataset, f.Rounds, f.Cohort, f.Clients,
		f.Precision, f.Device, f.DeviceName, f.Engine)
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "\tsteps of SGD\tclients at once\tgroups of a cohort\tbytes\ttime\n")
	for _, t := range f.Trainings {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\n", t.What, t.Steps, t.AtOnce, t.Groups, numfmt.Bytes(t.Bytes), seconds(t.Seconds))
	}
	fmt.Fprintf(w, "evaluation\t\t\t\t\t%s\n", seconds(seeing))
	fmt.Fprintf(w, "all\t%d\t\t\t\t%s\n", f.Steps, seconds(f.Seconds))
	w.Flush()
	fmt.Fprintf(&b, "\ndevice memory  %s: images %s, models %s, training at most %s; %s are free\n", numfmt.Bytes(f.DeviceBytes),
		numfmt.Bytes(images), numfmt.Bytes(models), numfmt.Bytes(work), numfmt.Bytes(f.Free))
	fmt.Fprintf(&b, "host memory    %s", numfmt.Bytes(f.HostBytes))
	if f.Device == "cpu" {
		fmt.Fprintf(&b, ", device memory included")
	}
	fmt.Fprintf(&b, `

The number of steps is exact for methods that sample clients uniformly and train them by plain SGD. Bytes are upper
estimates. The time is the number of steps times the time of one step, measured now with %d steps per client and as many
clients as train at once. It leaves out other work on the machine, the clustering, and objectives of a method's own.
`, probeSteps)
	line, err := report.Marshal(f)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s%s\n", b.String(), line)
	return err
}

// seconds formats a time in a readable unit.
func seconds(s float64) string {
	if s < 10 {
		return fmt.Sprintf("%.1f s", s)
	}
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}
