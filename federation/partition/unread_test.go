package partition

import (
	"maps"
	"reflect"
	"slices"
	"testing"
)

// A kind declares a flag if and only if the flag changes the samples of the clients. For a kind that is built on another kind,
// the flags of the base count too.
func TestDeclaredFlagsAreThoseRead(t *testing.T) {
	changes := map[string]func(*Options){
		flagGroups:         func(o *Options) { o.Groups = 3 },
		flagLabelsPerGroup: func(o *Options) { o.LabelsPerGroup = 4 },
		flagLabelFraction:  func(o *Options) { o.LabelFraction = 0.5 },
		flagConcentration:  func(o *Options) { o.Concentration = 0.3 },
		flagMinSamples:     func(o *Options) { o.MinSamples = 90 },
	}
	for _, kind := range Kinds() {
		for _, base := range []string{"lda", "label-skew", "iid", "concept-shift/label-skew"} {
			if !kinds[kind].layered && base != "lda" || kind == "concept-shift" && base == "concept-shift/label-skew" {
				continue
			}
			s := richSet(kind, even(10, 200), even(10, 20))
			options := params(kind, func(o *Options) {
				o.Clients = 16
				if kinds[kind].layered {
					o.Extra = map[string]string{"base": base}
				}
			})
			before := mustPartition(t, s, options, 1)
			unread := Unread(options)
			for flag, change := range changes {
				o := options
				change(&o)
				after := mustPartition(t, s, o, 1)
				changed := !reflect.DeepEqual(before.Shards, after.Shards)
				if _, ok := unread[flag]; ok == changed {
					t.Errorf("%s on %s: --%s changes the partition: %t, and it is unread: %t", kind, base, flag, changed, ok)
				}
			}
		}
	}
}

// Every flag that a kind declares exists.
func TestKindFlags(t *testing.T) {
	for _, kind := range Kinds() {
		for _, flag := range kinds[kind].flags {
			if !slices.Contains(kindFlags, flag) {
				t.Errorf("%s reads --%s, which no help explains", kind, flag)
			}
		}
	}
	if got := Unread(Options{Kind: "label-skew", LabelFraction: 0.3}); got[flagLabelsPerGroup] == "" || got[flagGroups] != "" {
		t.Errorf("with a label fraction, unread are %v", slices.Sorted(maps.Keys(got)))
	}
	if got := Unread(Options{Kind: "nothing"}); got != nil {
		t.Errorf("an unknown kind: %v", got)
	}
}
