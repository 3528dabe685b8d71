package partition

import (
	"fmt"
	"maps"
	"slices"

	"feddag/federation/data"
	"feddag/internal/spelling"
)

// Options are the parameters of all kinds of partition; each kind reads the ones its help names and ignores
// the others. The JSON names are those of partition.json, the flags those of the command line.
type Options struct {
	Kind           string  `json:"kind"`                       // --partition: one of Kinds
	Clients        int     `json:"clients"`                    // --clients: N
	Groups         int     `json:"groups,omitempty"`           // --groups: G, client groups (label-skew)
	LabelsPerGroup int     `json:"labels_per_group,omitempty"` // --labels-per-group: ρC (label-skew)
	LabelFraction  float64 `json:"label_fraction,omitempty"`   // --label-fraction: ρ in (0, 1]; if not 0, LabelsPerGroup is round(ρC), at least 1
	Concentration  float64 `json:"concentration,omitempty"`    // --concentration: of the Dirichlet (label-skew, lda, pairs, superclass, domains)
	MinSamples     int     `json:"min_samples,omitempty"`      // --min-samples: training samples a client has at least (lda, domains)
	Holdout        float64 `json:"holdout,omitempty"`          // --holdout: share of the clients held out of training, 0 to below 1 (all kinds)
	TrainShare     float64 `json:"train_share,omitempty"`      // --train-share: share of its samples of each class that a client keeps, at least one; 0 is all (all kinds)
	// Extra holds options that one kind alone knows, so that a new kind needs no field here.
	Extra map[string]string `json:"extra,omitempty"`
}

// DefaultOptions returns the defaults of every field.
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

// kind is a registered way to deal a set out.
type kind struct {
	name  string
	help  string   // one line; names the flags it reads
	extra []string // names in Options.Extra that it knows
	// over says that it lies on top of another kind, which Extra["base"] names, and knows that option; see resolveBase and dealBase.
	over bool
	// resolve checks the options against the set and returns those the kind uses, ready to be recorded.
	resolve func(s *data.Set, o Options) (Options, error)
	// deal sets Shards[i].Train of p's Params.Clients shards, and LabelMap, Test and Groups where it has them, drawing
	// from streams of p.Seed alone. Order does not matter; a Test left nil becomes all test samples of the classes held.
	deal func(p *Partition, s *data.Set) error
}

var kinds = map[string]kind{}

// register adds a kind; each kind's file calls it in init. Two kinds of one name are a programming error.
func register(k kind) {
	if _, dup := kinds[k.name]; dup {
		panic("partition: two partitions named " + k.name)
	}
	kinds[k.name] = k
}

// Kinds returns the registered kinds of partition, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// Help returns one line about a kind, which names the flags it reads; "" for an unknown kind.
func Help(kind string) string { return kinds[kind].help }

// New deals a set out to o.Clients clients in the way of o.Kind. Equal arguments give equal partitions. It
// ends for any options: draws are repeated a fixed number of times at most, then repaired. Options that cannot be met
// (more groups than clients, more clients than samples, ...) are an error that names the flag.
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
		params.TrainShare = 0 // all
	}
	p := &Partition{
		Kind: o.Kind, Seed: seed, Params: params, DataSet: s.Name, DataHash: s.Hash(),
		Shards: make([]Shard, params.Clients),
	}
	if err := kind.deal(p, s); err != nil {
		return nil, err
	}
	for i := range p.Shards {
		slices.Sort(p.Shards[i].Train)
	}
	p.thin(s)
	p.drawHeldOut()
	p.fillTests(s)
	if err := p.Check(s); err != nil {
		return nil, fmt.Errorf("--partition %s: %w", o.Kind, err)
	}
	return p, nil
}
