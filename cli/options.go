package cli

import (
	"io"
	"os"
	"strings"

	"feddag/federation"
	"feddag/internal/spelling"
	"feddag/models"

	"github.com/spf13/pflag"
)

// options are the flags of train and cluster.
type options struct {
	run       federation.Options
	algorithm string
	preset    string
	source
	partitionFlags
	scenario string
	model    string
	// initialWeights is the file with θ^0, or "" for random weights. initialHash is the hash of its content after it has been
	// read.
	initialWeights, initialHash string
	dropout                     float64
	norm                        string
	machine
	plots    plotFormats
	out      string
	label    string
	resume   string
	quiet    bool
	dryRun   bool
	recorded bool     // the scenario was read from a run directory, which an earlier version may have written
	team     *team    // the processes that do the run together; nil if this process does it alone
	locked   *os.File // lock file of the run directory if the parent process holds the lock; nil otherwise

	alg    federation.Algorithm
	groups []group
	from   map[string]string // sources of the flags that the environment or the file of --config sets, by flag
	flags  *pflag.FlagSet
	// unreadByCommand returns the flags that the command does not read; nil for train, which reads all.
	unreadByCommand func() []federation.UnreadFlag
	compares        func() bool // whether the command compares clusterings, see federation.UnreadFlag.Compared; nil for never
}

// group is a group of flags with its heading in the help.
type group struct {
	title string
	flags *pflag.FlagSet
	own   bool // only one command has the flags
}

const (
	defaultAlgorithm = "feddag"
	dataGroup        = "Data and clients" // exactly the flags that a partition depends on
)

// newOptions declares the flags of an algorithm's runs, with their defaults.
func newOptions(algorithm string) (*options, error) {
	if err := spelling.OneOf("algorithm", algorithm, federation.Names()); err != nil {
		return nil, usageError{err}
	}
	alg, err := federation.New(algorithm)
	if err != nil {
		return nil, usageError{err}
	}
	o := &options{run: federation.DefaultOptions(), alg: alg, flags: newFlagSet()}
	r := &o.run

	f := o.group("What to run")
	f.StringVar(&o.algorithm, "algorithm", algorithm, "algorithm: "+strings.Join(federation.Names(), ", "))
	f.String(configFlag, "", "YAML file of flags, such as the config.yaml of a run; flags on the command line and environment variables (FEDDAG_EPOCHS for --epochs) take precedence over it")
	f.StringVar(&o.preset, "preset", "", "")
	federation.FlagGroup(f, federation.TrainingFlags, func(f *pflag.FlagSet) {
		f.StringVar(&o.model, "model", "", "encoder: "+strings.Join(models.Names(), ", ")+" (default "+models.Defaults()+")")
		f.StringVar(&o.initialWeights, "initial-weights", "", "safetensors file with the initial weights of all clients, such as model/global.safetensors of a run, instead of random weights; it must be of a model with one encoder")
		f.Float64Var(&o.dropout, "dropout", 0, "probability of dropping an activation after a hidden linear layer (ResNets: before the head), 0..1")
		f.StringVar(&o.norm, "norm", "batch", "normalisation layer of the ResNets: batch, group")
	})
	f.Uint64Var(&r.Seed, "seed", 0, "random seed of the run, and of the partition too if --data-seed is not given")

	f = o.group(dataGroup)
	o.source.flags(f)
	o.partitionFlags.flags(f, "--seed")
	f.StringVar(&o.scenario, "scenario", "", "file that says which clients join, leave and change during the run (docs/scenarios.md)")

	f = o.group("Training")
	federation.FlagGroup(f, federation.RoundFlags, func(f *pflag.FlagSet) {
		f.IntVar(&r.Rounds, "rounds", r.Rounds, "T, number of rounds")
		f.Float64Var(&r.Unreliable.Stragglers, "stragglers", r.Unreliable.Stragglers, "share of the clients of a round that do only some of the local epochs, a random number per client, 0 to 1")
		f.Float64Var(&r.Unreliable.Dropout, "client-dropout", r.Unreliable.Dropout, "share of the clients of a round that receive the model and send nothing back, 0 to below 1; to drop activations, use --dropout")
		f.IntVar(&r.Stopping.Patience, "early-stopping", r.Stopping.Patience, "end the run after this number of rounds without a new lowest training loss; its last round is evaluated; 0 does all --rounds")
		f.Float64Var(&r.Stopping.MinDelta, "early-stopping-min-delta", r.Stopping.MinDelta, "how far below its lowest value the training loss must fall to count as a new lowest value for --early-stopping")
		f.Float64Var(&r.Rate, "rate", r.Rate, "R, share of the clients sampled in a round, above 0, at most 1")
	})
	federation.FlagGroup(f, federation.TrainingFlags, func(f *pflag.FlagSet) {
		f.IntVar(&r.Epochs, "epochs", r.Epochs, "E, number of epochs per local training")
		f.IntVar(&r.Batch, "batch", r.Batch, "number of samples per step")
		f.Float64Var(&r.LearningRate, "lr", r.LearningRate, "learning rate of local training")
		federation.FlagGroup(f, federation.RoundFlags, func(f *pflag.FlagSet) {
			f.Var(&r.Schedule, "lr-schedule", "learning rate over the rounds, as --lr times a factor: "+federation.RateSchedules+"; the warm-up and the final local training use --lr")
		})
		f.Float64Var(&r.Momentum, "momentum", r.Momentum, "momentum of SGD, 0 to below 1")
		f.Float64Var(&r.WeightDecay, "weight-decay", r.WeightDecay, "weight decay of local training")
	})
	federation.FlagGroup(f, federation.TrainingFlags, r.Optimizer.Flags)
	federation.FlagGroup(f, federation.RoundFlags, r.Server.Flags)

	if fl, ok := alg.(federation.Flagger); ok {
		fl.Flags(o.group("Of " + algorithm))
	}

	f = o.group("Machine")
	o.machine.flags(f)

	f = o.group("Output")
	f.StringVar(&o.out, "out", "", "directory to write the results to (default runs/ALGORITHM-DATASET-SEED-TIME)")
	f.StringVar(&o.label, "label", "", "name of this run in plots and comparisons (default: the algorithm)")
	o.plots.flags(f)
	federation.FlagGroup(f, federation.RoundFlags, func(f *pflag.FlagSet) {
		f.StringVar(&o.resume, "resume", "", "directory of an interrupted run to continue, with its flags")
		f.IntVar(&r.EvalEvery, "eval-every", r.EvalEvery, "number of rounds from one evaluation to the next; the rounds between have no accuracies, neither of the cohort nor of all clients; 0 evaluates after the last round only")
		f.Float64Var(&r.EvalShare, "eval-share", r.EvalShare, "share of each class of a client's test set that is evaluated, above 0, at most 1; with the same seed, every algorithm evaluates the same images")
		f.StringVar((*string)(&r.OnDivergence), "on-divergence", string(r.OnDivergence), "what to do if a client's loss or weights become infinite or NaN: stop (with an error that names the client), drop (leave the client out of the round, and record that)")
		f.BoolVar(&r.FinalPost, "final-post", r.FinalPost, "train every client once more after the last round, for its accuracy after local training")
		f.IntVar(&r.CheckpointEvery, "checkpoint-every", r.CheckpointEvery, "number of rounds from one checkpoint to the next")
	})
	f.BoolVar(&o.quiet, "quiet", false, "print no progress on standard error")

	for _, g := range o.groups {
		o.flags.AddFlagSet(g.flags)
	}
	names := []string{noPreset}
	for _, p := range o.presets() {
		if !p.isSetting() {
			names = append(names, p.name)
		}
	}
	o.flags.Lookup("preset").Usage = "set several flags at once, over which flags on the command line take precedence: " + strings.Join(names, ", ") + ", or the setting of a table of the paper (feddag presets); several are separated by commas"
	return o, nil
}

// flagName returns the name of a flag with dashes in place of underscores, because programs that start sweeps pass the names
// of parameters with underscores.
func flagName(name string) string { return strings.ReplaceAll(name, "_", "-") }

func newFlagSet() *pflag.FlagSet {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	fs.SortFlags = false
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName { return pflag.NormalizedName(flagName(name)) })
	return fs
}

// ownGroup adds a group of flags that only one command has.
func (o *options) ownGroup(title string) *pflag.FlagSet {
	fs := o.group(title)
	o.groups[len(o.groups)-1].own = true
	return fs
}

// group adds a group of flags.
func (o *options) group(title string) *pflag.FlagSet {
	fs := newFlagSet()
	o.groups = append(o.groups, group{title: title, flags: fs})
	return fs
}
