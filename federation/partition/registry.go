package partition

import (
	"fmt"
	"maps"
	"slices"

	"feddag/federation/data"
	"feddag/internal/spelling"
)

// Options are the parameters of all kinds of partition. Each kind reads the options whose flags it declares and ignores
// the others (see [Unread]). The JSON names are those of partition.json, the flags those of the command line.
type Options struct {
	Kind           string  `json:"kind"`                       // --partition: one of Kinds
	Clients        int     `json:"clients"`                    // --clients: N; 0 for the number in the set, for kinds that count the clients (natural)
	Groups         int     `json:"groups,omitempty"`           // --groups: G, number of groups of clients
	LabelsPerGroup int     `json:"labels_per_group,omitempty"` // --labels-per-group: ρC
	LabelFraction  float64 `json:"label_fraction,omitempty"`   // --label-fraction: ρ in (0, 1]; if not 0, LabelsPerGroup is round(ρC), at least 1
	Concentration  float64 `json:"concentration,omitempty"`    // --concentration: concentration of the Dirichlet distribution
	MinSamples     int     `json:"min_samples,omitempty"`      // --min-samples: smallest number of training samples per client
	Holdout        float64 `json:"holdout,omitempty"`          // --holdout: share of the clients held out of training, 0 to below 1 (all kinds)
	TrainShare     float64 `json:"train_share,omitempty"`      // --train-share: share of the samples of each class that a client keeps, at least one sample; 0 for all (all kinds)
	// Extra has the options of a single kind (--partition-option), so that a new kind needs no field here.
	Extra map[string]string `json:"extra,omitempty"`
}

// DefaultOptions returns the default of every option.
func DefaultOptions() Options {
	return Options{
		Kind:           "label-skew",
		Clients:        100,
		Groups:         5,
		LabelsPerGroup: 3,
		Concentration:  1,
		MinSamples:     10,
	}
}

// kind is a registered kind of partition: a way to assign the images of a data set to clients.
type kind struct {
	name string
	help string // one line
	// flags are the names of the flags that it reads, except those that every kind reads (see the flag constants).
	flags []string
	// replaced returns those of its flags that have no effect because of other options, each with a clause that says why; nil
	// for a kind that always reads its flags.
	replaced func(o Options) map[string]string
	// options are the names of its own options (Options.Extra, --partition-option), each with its help text.
	options map[string]string
	// layered says that the kind is built on another kind, which its option base names. See resolveBase and
	// assignBase.
	layered bool
	// clients counts the clients in the set itself, for Options.Clients of 0; nil if the set does not determine their number.
	clients func(s *data.Set, o Options) (int, error)
	// resolve checks the options against the set and returns those that the kind uses, as partition.json records them.
	resolve func(s *data.Set, o Options) (Options, error)
	// assign sets Shards[i].Train of the Params.Clients shards of p, and LabelMap, Test and Groups if the kind has them. It
	// draws only from streams of p.Seed. The indices may be in any order. A Test that is nil is later set to all test samples
	// of the classes that the client holds.
	assign func(p *Partition, s *data.Set) error
}

var kinds = map[string]kind{}

// register adds a kind. The file of each kind calls it in init. Two kinds with the same name are a programming error.
func register(k kind) {
	if _, dup := kinds[k.name]; dup {
		panic("partition: two partitions named " + k.name)
	}
	kinds[k.name] = k
}

// Kinds returns the registered kinds of partition, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// KindOptions returns the names of a kind's own options (Options.Extra), each with its help text.
func KindOptions(kind string) map[string]string {
	options := map[string]string{}
	maps.Copy(options, kinds[kind].options)
	if kinds[kind].layered {
		options[optionBase] = "the kind that it is built on, KIND or KIND/KIND (default " + defaultBase + ")"
	}
	return options
}

// New assigns the images of a set to o.Clients clients by the kind o.Kind. Equal arguments give equal partitions. It
// terminates for all options, because the number of draws is bounded. If options cannot be satisfied (more groups than
// clients, more clients than samples, and so on), it returns an error that names the flag.
func New(s *data.Set, o Options, seed uint64) (*Partition, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	kind, ok := kinds[o.Kind]
	if !ok {
		return nil, spelling.Unknown("--partition", o.Kind, Kinds())
	}
	known, err := kind.known(o)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(o.Extra)) {
		if !slices.Contains(known, name) {
			if len(known) == 0 {
				return nil, fmt.Errorf("partition %s: unknown option %q; it has no options of its own", o.Kind, name)
			}
			return nil, spelling.Unknown("option of partition "+o.Kind, name, known)
		}
	}
	if o.Clients == 0 {
		if o.Clients, err = kind.countClients(s, o); err != nil {
			return nil, err
		}
	}
	if err := checkHoldout(o); err != nil {
		return nil, err
	}
	if err := checkTrainShare(o); err != nil {
		return nil, err
	}
	if err := checkClients(s, o.Clients); err != nil {
		return nil, err
	}
	params, err := kind.resolve(s, o)
	if err != nil {
		return nil, err
	}
	params.Kind, params.Clients, params.Holdout, params.TrainShare = o.Kind, o.Clients, o.Holdout, o.TrainShare
	if params.TrainShare == 1 {
		params.TrainShare = 0 // all samples
	}
	p := &Partition{
		Kind: o.Kind, Seed: seed, Params: params, DataSet: s.Name, DataHash: s.Hash(),
		Shards: make([]Shard, params.Clients),
	}
	if err := kind.assign(p, s); err != nil {
		return nil, err
	}
	for i := range p.Shards {
		slices.Sort(p.Shards[i].Train)
	}
	p.subsample(s)
	p.drawHeldOut()
	p.assignTests(s)
	if err := p.Check(s); err != nil {
		return nil, fmt.Errorf("--partition %s: %w", o.Kind, err)
	}
	return p, nil
}
