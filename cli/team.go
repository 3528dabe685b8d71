package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"

	"feddag/federation"
	"feddag/internal/numfmt"
	"feddag/report"
	"feddag/torch"
	"feddag/torch/ranks"

	"github.com/spf13/pflag"
)

// team is the view of one process on the processes of a run that a launcher has started. Rank 0 writes the run directory; the
// others need none.
type team struct {
	*ranks.Ranks
	begun *begunRun // the run that is continued; nil for a new one
}

// begunRun is what rank 0 reads from the directory of a run to continue, for all ranks.
type begunRun struct {
	Dir    string            `json:"dir"`
	Config map[string]string `json:"config"`
	Inputs map[string][]byte `json:"inputs"` // the partition and the copies of the files that the run was given, see inputCopies
}

// runDirectory is the key under which one attempt of torchrun stores the path of the run for the next attempt.
const runDirectory = "run directory"

// leads reports whether this process writes the run directory: it is rank 0, or the only process.
func (t *team) leads() bool { return t == nil || t.Rank() == 0 }

// trainTogether implements train for a process that is one of several ranks.
func trainTogether(ctx context.Context, p *ranks.Place, args []string, declare func(*options), out, log io.Writer) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("rank %d: %w", p.Rank, err)
		}
	}()
	var o *options
	if resume, err := scan(args, "resume"); err != nil {
		return err
	} else if resume == "" { // so that errors show before waiting for the other ranks
		if o, err = parse(args, declare); err != nil {
			return err
		}
	}
	dieWithLauncher(os.Getenv)
	program, err := programHash()
	if err != nil {
		return err
	}
	settings := ranks.DefaultOptions()
	settings.Program = program
	if p.Rank == 0 {
		settings.Log = log
	}
	joined, err := ranks.Join(ctx, *p, settings)
	if err != nil {
		return err
	}
	defer func() { joined.Close(err) }()
	t := &team{Ranks: joined}
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.Context(), cancel)()
	if o, err = t.options(args, o, declare, log); err != nil {
		return err
	}
	o.team = t
	if !t.leads() {
		o.quiet = true
	}
	err = o.trainAndExplain(running, out, log)
	lost, cancelled := t.Err(), errors.Is(err, context.Canceled) || errors.Is(err, torch.ErrCancelled)
	if lost != nil && ctx.Err() == nil && (cancelled || errors.Is(err, lost)) {
		err = lost // the cause, without the errors that followed from it
	}
	if err == nil {
		err = t.End()
	}
	if err == nil && t.leads() && !o.quiet {
		x := t.Traffic()
		fmt.Fprintf(log, "%d ranks: %s sent and %s received by rank 0 in %d exchanges, %.1f s of waiting for the others\n",
			t.Size(), numfmt.Bytes(x.Sent), numfmt.Bytes(x.Received), x.Calls, x.Waited.Seconds())
	}
	return err
}

// options returns the flags of the run: o, or the flags of the run to continue, which rank 0 sends to the others. The run to
// continue is the run of --resume, or a run in --out that the same command has begun before its launcher restarted it.
func (t *team) options(args []string, o *options, declare func(*options), log io.Writer) (*options, error) {
	raw, err := t.Once("the run to continue", func() ([]byte, error) {
		dir, err := scan(args, "resume")
		if err != nil {
			return nil, err
		}
		if dir == "" && o.out == "" {
			if o.out, err = t.Recall(runDirectory); err != nil {
				return nil, err
			}
		}
		if dir == "" && report.IsRun(o.out) {
			if err := o.sameRun(o.out); err != nil {
				return nil, err
			}
			fmt.Fprintf(log, "%s: this command has begun the run; continuing it\n", o.out)
			dir = o.out
		}
		if dir == "" {
			return nil, nil
		}
		return readBegun(dir)
	})
	if err != nil || len(raw) == 0 {
		return o, err
	}
	t.begun = new(begunRun)
	if err := json.Unmarshal(raw, t.begun); err != nil {
		return nil, err
	}
	more := []string{"--resume", t.begun.Dir}
	if o == nil {
		more = args
	} else {
		o.flags.Visit(func(f *pflag.Flag) {
			if slices.Contains(onResume, f.Name) || slices.Contains(dataPlace, f.Name) {
				more = append(more, asArguments(f)...)
			}
		})
	}
	return parseSaved(more, func(string) (map[string]string, error) { return t.begun.Config, nil }, declare)
}

// asArguments returns a flag in the form of a command line.
func asArguments(f *pflag.Flag) (args []string) {
	if s, ok := f.Value.(pflag.SliceValue); ok {
		for _, v := range s.GetSlice() {
			args = append(args, "--"+f.Name+"="+v)
		}
		return args
	}
	return []string{"--" + f.Name + "=" + f.Value.String()}
}

func readBegun(path string) ([]byte, error) {
	dir, err := report.Open(path)
	if err != nil {
		return nil, err
	}
	b := begunRun{Dir: path, Inputs: map[string][]byte{}}
	if b.Config, err = dir.ReadConfig(); err != nil {
		return nil, err
	}
	for flag, name := range inputCopies {
		if b.Config[flag] == "" && name != report.PartitionFile { // every run has a partition
			continue
		}
		if b.Inputs[name], err = os.ReadFile(dir.Path(name)); err != nil {
			return nil, err
		}
	}
	return json.Marshal(b)
}

// sameRun returns an error if a flag that was given has another value in the existing run.
func (o *options) sameRun(path string) error {
	dir, err := report.Open(path)
	if err != nil {
		return err
	}
	saved, err := dir.ReadConfig()
	if err != nil {
		return err
	}
	var wrong error
	for _, pair := range o.pairs() {
		f := o.flags.Lookup(pair.Key)
		there, known := saved[pair.Key]
		if !f.Changed || !known || there == pair.Value || slices.Contains(onResume, pair.Key) || slices.Contains(dataPlace, pair.Key) || pair.Key == "out" || pair.Key == "device" {
			continue
		}
		wrong = errors.Join(wrong, usagef("%s holds a run with --%s %s, and not %s: choose another --out", path, pair.Key, there, pair.Value))
	}
	return wrong
}

// programHash returns a text that identifies the content of the program's file and the version of libtorch.
func programHash() (string, error) {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	info, err := torch.Describe()
	if err != nil {
		return "", fmt.Errorf("%w (see feddag doctor)", err)
	}
	return fmt.Sprintf("feddag %s, file %x, libtorch %s", revision(), h.Sum(nil)[:6], info.Version), nil
}

// fact is a property in which all ranks must agree.
type fact struct{ Name, Value string }

// ownBusiness are the flags in which ranks may differ: they do not affect the results, or they name inputs whose content is
// compared.
var ownBusiness = append([]string{"out", "label", "device", "workers", "memory", "quiet", "plots", "data-dir", "preset", "partition-file", "scenario", "initial-weights"}, dataPlace...)

// compare returns an error that names the first difference between the run as a rank would do it and as rank 0 would do it.
func (t *team) compare(s *session, partition []byte, log io.Writer) error {
	sum := func(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:6]) }
	facts := []fact{{"command", "train"}}
	for _, p := range s.o.allPairs() {
		if !slices.Contains(ownBusiness, p.Key) {
			facts = append(facts, fact{"--" + p.Key, p.Value})
		}
	}
	kind := "the CPU"
	if s.env.Device.IsCUDA() {
		kind = "a GPU"
	}
	facts = append(facts,
		fact{"a data set whose content has the hash", s.set.Hash()}, fact{"a partition with the hash", sum(partition)},
		fact{"a scenario with the hash", sum(s.scenario)}, fact{"initial weights with the hash", sum(s.initial)}, fact{"as its device", kind})
	info, err := torch.Describe()
	if err != nil {
		return err
	}
	kernels := fact{"BLAS and vector kernels", info.BLASKernel + " " + info.SIMD}
	raw, err := json.Marshal(append(facts, kernels))
	if err != nil {
		return err
	}
	all, err := t.Gather("configurations", raw, nil)
	if err != nil {
		return err
	}
	var first []fact
	for rank, raw := range all {
		var theirs []fact
		if err := json.Unmarshal(raw, &theirs); err != nil {
			return err
		}
		if rank == 0 {
			first = theirs
		}
		for i, f := range theirs {
			if i >= len(first) || f.Name != first[i].Name {
				return fmt.Errorf("%s has other flags than %s: %s", t.Name(rank), t.Name(0), f.Name)
			}
			if f == first[i] {
				continue
			}
			if f.Name == kernels.Name {
				if t.leads() && !s.o.quiet {
					fmt.Fprintf(log, "warning: %s computes with the kernels %s, and %s with %s: the results are not the same bits as those of one machine\n", t.Name(rank), f.Value, t.Name(0), first[i].Value)
				}
				continue
			}
			return fmt.Errorf("%s has %s %s, and %s has %s", t.Name(rank), f.Name, f.Value, t.Name(0), first[i].Value)
		}
	}
	if n := len(s.env.Clients); t.Size() > n {
		return usagef("there are %d ranks and %d clients: start at most as many ranks as clients", t.Size(), n)
	}
	return nil
}

// spread distributes the work of the session's executor over the ranks.
func (t *team) spread(s *session, log io.Writer) error {
	backend, err := t.UseDevice(s.env.Device)
	if err != nil {
		return err
	}
	if t.leads() && !s.o.quiet {
		fmt.Fprintf(log, "%d ranks, weights are exchanged by %s\n", t.Size(), backend)
	}
	s.env.Executor = ranks.NewSpread(s.env.Executor, t.Ranks)
	s.closers = append(s.closers, s.env.Executor.Close)
	s.env.Peers = t.Ranks
	return nil
}

// checkpoint sends the checkpoint that rank 0 has read to all ranks.
func (t *team) checkpoint(read func() (*federation.Checkpoint, error)) (*federation.Checkpoint, error) {
	var own *federation.Checkpoint
	raw, err := t.Once("the checkpoint", func() (_ []byte, err error) {
		if own, err = read(); err != nil || own == nil {
			return nil, err
		}
		return own.MarshalBinary()
	})
	if err != nil || t.leads() || len(raw) == 0 {
		return own, err
	}
	c := new(federation.Checkpoint)
	return c, c.UnmarshalBinary(raw)
}

// threads returns the number of clients that the serial engine trains at the same time. By default, the ranks on a machine
// divide its processors evenly; --workers overrides this.
func (o *options) threads() int {
	if o.team == nil || o.flags.Changed("workers") {
		return o.workers
	}
	return max(1, min(o.workers, runtime.NumCPU())/o.team.Sharing())
}
