package partition

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"feddag/federation/corruption"
	"feddag/federation/data"
	"feddag/internal/stream"
)

// The kind feature-skew (IV) is any other kind of partition (LDA of concentration 1 in the paper) whose clients are divided at
// random into parts, of sizes that differ by at most one. Each part sees its training and test images under its own
// corruption. With fewer clients than corruptions, some corruptions are not used. Groups has the corruption of each client.
func init() {
	k := kind{
		name: "feature-skew",
		help: "another kind of partition, in which each client sees all its images under one corruption",
		options: map[string]string{
			optionCorruptions: "comma-separated names out of " + strings.Join(corruption.Names(), ", ") + " and clean (default all corruptions)",
			optionSeverity:    "severity of the corruptions, 1 to 5 (default 3)",
		},
		layered: true,
		assign:  assignFeatureSkew,
	}
	k.resolve = func(s *data.Set, o Options) (Options, error) {
		resolved, err := k.resolveBase(s, o)
		if err != nil {
			return o, err
		}
		severity, err := extraInt(o, optionSeverity, 1, corruption.MaxSeverity, 3)
		if err != nil {
			return o, err
		}
		names := corruption.NamesFor(s.Channels)
		if list, ok := o.Extra[optionCorruptions]; ok {
			names = strings.Split(list, ",")
		}
		for i, name := range names {
			if slices.Contains(names[:i], name) {
				return o, fmt.Errorf("--partition-option %s: %s occurs twice", optionCorruptions, name)
			}
			if name == clean {
				continue
			}
			v := corruption.View{Corruption: name, Severity: severity}
			if err := v.Check(); err != nil {
				return o, fmt.Errorf("--partition-option %s: %w", optionCorruptions, err)
			}
			if err := v.CheckImages(s.Channels, s.Height, s.Width); err != nil {
				return o, fmt.Errorf("--partition-option %s: data set %s: %w", optionCorruptions, s.Name, err)
			}
		}
		setExtra(&resolved, optionSeverity, strconv.Itoa(severity))
		setExtra(&resolved, optionCorruptions, strings.Join(names, ","))
		return resolved, nil
	}
	register(k)
}

const (
	optionCorruptions = "corruptions"
	optionSeverity    = "severity"
	clean             = "clean" // in the list of corruptions: the unchanged images
)

func assignFeatureSkew(p *Partition, s *data.Set) error {
	if err := assignBase(p, s); err != nil {
		return err
	}
	names := strings.Split(p.Params.Extra[optionCorruptions], ",")
	clients := len(p.Shards)
	r := stream.New(p.Seed, "partition/feature-skew")
	if clients < len(names) {
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		names = names[:clients]
	}
	view := make([]int, len(names)) // the view of each corruption
	p.Views = nil
	for i, name := range names {
		if name != clean {
			p.Views = append(p.Views, corruption.View{Corruption: name, Severity: p.extraOf(optionSeverity)})
			view[i] = len(p.Views)
		}
	}
	p.Groups = equalParts(r, clients, len(names))
	for i, g := range p.Groups {
		p.Shards[i].View = view[g]
	}
	return nil
}
