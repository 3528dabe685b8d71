package cli

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"feddag/federation"
	"feddag/federation/data"
	"feddag/report"

	"github.com/spf13/pflag"
)

// ran is a run as its directory has it.
type ran struct {
	dir       string
	name      string // of its variant
	algorithm string
	seed      int64
	config    map[string]string // every flag; those it does not have at their defaults
	summary   report.Summary
	rounds    []report.Round
	measured  int // clients that the accuracy at the end is over
	dealt     dealt
	why       string // it is in no table; empty for a finished run
}

// dealt is a partition, as far as comparing needs it.
type dealt struct {
	dataset, kind string
	params        json.RawMessage
	clients       int    // held out ones too
	dataHash      string // of the data set; empty if it does not say
	hash          string // of who holds what
	scenario      string // of what happens during the run: the file's text; empty for none
}

// readRuns reads run directories, and those in directories that hold some.
func readRuns(paths []string) ([]ran, error) {
	var dirs []string
	for _, path := range paths {
		if report.IsRun(path) {
			dirs = append(dirs, path)
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, err // an *fs.PathError names the directory
		}
		n := len(dirs)
		for _, e := range entries {
			if sub := filepath.Join(path, e.Name()); report.IsRun(sub) {
				dirs = append(dirs, sub)
			}
		}
		if len(dirs) == n {
			return nil, fmt.Errorf("%s is no run directory and holds none: a run has a %s", path, report.ConfigFile)
		}
	}
	var runs []ran
	for _, dir := range dirs {
		r, err := readRun(dir)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	return runs, nameApart(runs)
}

// readRun reads a run directory. One that is not finished has why set; what is there but damaged is an error.
func readRun(path string) (r ran, err error) {
	r.dir = path
	dir, err := report.Look(path)
	if err != nil {
		return r, err
	}
	if r.config, err = dir.ReadYAML(report.ConfigFile); err != nil {
		return r, err
	}
	r.algorithm = r.config["algorithm"]
	if r.name = r.config["label"]; r.name == "" {
		r.name = r.algorithm
	}
	if r.algorithm == "" {
		return r, fmt.Errorf("%s: it names no algorithm", dir.Path(report.ConfigFile))
	}
	if r.seed, err = strconv.ParseInt(r.config["seed"], 10, 64); err != nil {
		return r, fmt.Errorf("%s: seed %q is no number", dir.Path(report.ConfigFile), r.config["seed"])
	}
	r.fillDefaults()
	if r.rounds, err = dir.ReadMetrics(); err != nil {
		return r, err
	}
	if r.dealt, err = readDealt(dir); err != nil {
		return r, err
	}
	switch r.summary, err = dir.ReadSummary(); {
	case errors.Is(err, fs.ErrNotExist):
		r.why = fmt.Sprintf("not finished: no %s, %d of %s rounds", report.SummaryFile, len(r.rounds), r.config["rounds"])
		return r, nil
	case err != nil:
		return r, err
	case r.summary.Rounds == 0:
		r.why = "it has no rounds"
		return r, nil
	case len(r.rounds) < r.summary.Rounds:
		return r, fmt.Errorf("%s says %d rounds, but %s has %d", dir.Path(report.SummaryFile), r.summary.Rounds, report.MetricsFile, len(r.rounds))
	}
	r.rounds = r.rounds[:r.summary.Rounds] // more where the run is being extended
	if r.measured, err = dir.CountClients(); r.summary.HeldOut != nil {
		r.measured -= r.summary.HeldOut.Clients // their scores stand apart
	}
	return r, err
}

// fillDefaults adds the flags that this program has and the one that ran did not.
func (r *ran) fillDefaults() {
	o, err := newOptions(r.algorithm)
	if err != nil { // an algorithm of another program
		return
	}
	o.flags.VisitAll(func(f *pflag.Flag) {
		if _, ok := r.config[f.Name]; !ok {
			r.config[f.Name] = defaultOf(f)
		}
	})
}

// readDealt reads the run's partition: all of it but its seed and parameters goes into the hash, whatever a kind of
// partition puts there.
func readDealt(dir *report.Dir) (d dealt, err error) {
	var file map[string]json.RawMessage
	if err := dir.ReadJSON(partitionFile, &file); err != nil {
		return d, err
	}
	bad := func(err error) error { return fmt.Errorf("reading %s: %w", dir.Path(partitionFile), err) }
	var clients []json.RawMessage
	for key, to := range map[string]any{"data_set": &d.dataset, "kind": &d.kind, "data_hash": &d.dataHash, "clients": &clients} {
		if raw, ok := file[key]; ok {
			if err := json.Unmarshal(raw, to); err != nil {
				return d, bad(fmt.Errorf("%s: %w", key, err))
			}
		}
	}
	d.params, d.clients = file["params"], len(clients)
	if d.kind == "" || d.clients == 0 {
		return d, bad(errors.New("not a partition: it has no kind or no clients"))
	}
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(file)) {
		if slices.Contains([]string{"version", "kind", "seed", "params", "data_hash"}, key) {
			continue
		}
		var b bytes.Buffer
		if err := json.Compact(&b, file[key]); err != nil {
			return d, bad(err)
		}
		fmt.Fprintf(h, "%s %d ", key, b.Len())
		h.Write(b.Bytes())
	}
	d.hash = hex.EncodeToString(h.Sum(nil))
	scenario, err := savedScenario(dir)
	d.scenario = string(scenario)
	return d, err
}

// savedScenario is the text of the run's scenario; nil without.
func savedScenario(dir *report.Dir) ([]byte, error) {
	text, err := os.ReadFile(dir.Path(scenarioFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// perRun are the flags that may differ between the runs of one variant.
var perRun = append([]string{"seed", "data-seed", "device", "engine"}, free...)

// options are the flags that make a run's variant.
func (r *ran) options() map[string]string {
	dealt := map[string]bool{}
	if o, err := newOptions(r.algorithm); err == nil {
		o.groupFlags(dataGroup).VisitAll(func(f *pflag.Flag) { dealt[f.Name] = true }) // the partition speaks for them
	}
	x := map[string]string{}
	for key, value := range r.config {
		if !dealt[key] && !slices.Contains(perRun, key) && key != "algorithm" {
			x[key] = value
		}
	}
	return x
}

// nameApart gives runs of one name and different flags names that say so.
func nameApart(runs []ran) error {
	by := map[string][]*ran{}
	for i := range runs {
		by[runs[i].name] = append(by[runs[i].name], &runs[i])
	}
	for name, same := range by {
		values := map[string]map[string]bool{}
		for _, r := range same {
			for key, value := range r.options() {
				if values[key] == nil {
					values[key] = map[string]bool{}
				}
				values[key][value] = true
			}
			if r.algorithm != same[0].algorithm {
				return fmt.Errorf("%s and %s are both called %q, but one is %s and the other %s", same[0].dir, r.dir, name, same[0].algorithm, r.algorithm)
			}
		}
		for _, r := range same {
			for _, key := range slices.Sorted(maps.Keys(r.options())) {
				if len(values[key]) > 1 {
					r.name += fmt.Sprintf(" %s=%s", shortFlag(r.algorithm, key), r.options()[key])
				}
			}
		}
	}
	return nil
}

// choose keeps the names and seeds asked for, in that order.
func (o *compareOptions) choose(runs []ran) ([]ran, error) {
	var names, seeds []string
	for _, r := range runs {
		if !slices.Contains(names, r.name) {
			names = append(names, r.name)
		}
		if s := strconv.FormatInt(r.seed, 10); !slices.Contains(seeds, s) {
			seeds = append(seeds, s)
		}
	}
	wanted := o.algorithms
	if len(wanted) == 0 || slices.Equal(wanted, []string{"all"}) {
		wanted = names
	}
	for _, name := range slices.Concat(wanted, o.except) {
		if err := federation.OneOf("no such run: name", name, names); err != nil {
			return nil, usageError{err}
		}
	}
	for _, s := range o.seeds {
		if err := federation.OneOf("no such run: seed", s, seeds); err != nil {
			return nil, usageError{err}
		}
	}
	var kept []ran
	for _, name := range wanted {
		for _, r := range runs {
			if r.name == name && !slices.Contains(o.except, name) && (len(o.seeds) == 0 || slices.Contains(o.seeds, strconv.FormatInt(r.seed, 10))) {
				kept = append(kept, r)
			}
		}
	}
	return kept, nil
}

// assemble makes a comparison of runs, after so many rounds; 0 takes the number that all have.
func (o *compareOptions) assemble(runs []ran, rounds int, log io.Writer) (*report.Comparison, error) {
	var missing []report.Missing
	var finished []ran
	runs = slices.Clone(runs)
	for i := range runs {
		r := &runs[i]
		if r.why == "" && r.summary.Rounds < rounds {
			r.why = fmt.Sprintf("%d of %d rounds", r.summary.Rounds, rounds)
		}
		if r.why != "" {
			missing = append(missing, report.Missing{Name: r.name, Seed: r.seed, Why: r.why})
			continue
		}
		finished = append(finished, *r)
	}
	if len(finished) == 0 {
		return nil, noneFinished(runs)
	}
	if err := comparable(finished); err != nil {
		return nil, err
	}
	if rounds == 0 {
		for _, r := range finished {
			if x := finished[0]; r.summary.Rounds != x.summary.Rounds {
				return nil, fmt.Errorf("%s has %d rounds, %s has %d: choose a number that all have with --rounds",
					x.dir, x.summary.Rounds, r.dir, r.summary.Rounds)
			}
		}
		rounds = finished[0].summary.Rounds
	}
	first := finished[0]
	c := &report.Comparison{
		Dataset: first.dealt.dataset, DatasetTitle: data.Title(first.dealt.dataset), Partition: first.dealt.words(), Clients: first.measured, Dealt: first.dealt.clients, Rounds: rounds,
		Shared: sharedSettings(finished), Reference: o.reference, Confidence: o.confidence, Targets: o.targets, Missing: missing,
	}
	for _, r := range finished {
		i := slices.IndexFunc(c.Variants, func(v report.Variant) bool { return v.Name == r.name })
		if i < 0 {
			i = len(c.Variants)
			c.Variants = append(c.Variants, report.Variant{Name: r.name, Algorithm: r.algorithm, Settings: r.settings(c.Shared)})
		}
		cell := report.Cell{Seed: r.seed, Dir: r.dir, Link: r.dir, Summary: r.summary, Rounds: r.rounds}
		c.Variants[i].Cells = append(c.Variants[i].Cells, cell.Cut(rounds))
	}
	for _, v := range c.Variants {
		slices.SortFunc(v.Cells, func(a, b report.Cell) int { return cmp.Compare(a.Seed, b.Seed) })
	}
	if has := func(v report.Variant) bool { return v.Name == defaultAlgorithm }; c.Reference == "" && slices.ContainsFunc(c.Variants, has) {
		c.Reference = defaultAlgorithm
	}
	if err := o.setBeside(c, finished, log); err != nil {
		return nil, err
	}
	return c, c.Settle()
}

func noneFinished(runs []ran) error {
	text := "no finished run to compare"
	for i, r := range runs {
		if i == 5 {
			text += fmt.Sprintf("; and %d more", len(runs)-i)
			break
		}
		text += fmt.Sprintf("; %s: %s", r.dir, r.why)
	}
	return errors.New(text)
}

// comparable returns an error, which names two runs, unless all are of one data set and one kind of partition, those
// of a seed of one partition, and no two of one variant and seed.
func comparable(runs []ran) error {
	first := runs[0]
	bySeed := map[int64]ran{}
	seen := map[string]ran{}
	for _, r := range runs {
		a, b := first.dealt, r.dealt
		switch {
		case a.dataset != b.dataset:
			return fmt.Errorf("%s is on %s, %s on %s: compare runs of one data set", first.dir, a.dataset, r.dir, b.dataset)
		case a.dataHash != "" && b.dataHash != "" && a.dataHash != b.dataHash:
			return fmt.Errorf("%s and %s are on different copies of %s (%.19s, %.19s)", first.dir, r.dir, a.dataset, a.dataHash, b.dataHash)
		case a.words() != b.words() || a.clients != b.clients:
			return fmt.Errorf("%s has the partition %s of %d clients, %s %s of %d: compare runs of one partition", first.dir, a.words(), a.clients, r.dir, b.words(), b.clients)
		}
		if other, ok := bySeed[r.seed]; !ok {
			bySeed[r.seed] = r
		} else if other.dealt.hash != r.dealt.hash {
			return fmt.Errorf("%s and %s have seed %d but different partitions (another --data-seed or --partition-file?): the runs of a seed must share theirs", other.dir, r.dir, r.seed)
		}
		if a.scenario != b.scenario {
			return fmt.Errorf("%s and %s have different scenarios: compare runs of one", first.dir, r.dir)
		}
		key := fmt.Sprintf("%s\n%d", r.name, r.seed)
		if other, ok := seen[key]; ok {
			return fmt.Errorf("%s and %s are both %s with seed %d: take one", other.dir, r.dir, r.name, r.seed)
		}
		seen[key] = r
	}
	return nil
}

// words names the partition with its parameters.
func (d dealt) words() string {
	params := d.parameters()
	var parts []string
	for _, p := range params {
		if p.Key != "kind" && p.Key != "clients" {
			parts = append(parts, strings.ReplaceAll(p.Key, "-", " ")+" "+p.Value)
		}
	}
	if parts == nil {
		return d.kind
	}
	return d.kind + " (" + strings.Join(parts, ", ") + ")"
}

// parameters are the partition's, by the names of their flags, in the order of the file; those of a kind alone come last.
func (d dealt) parameters() []report.Pair {
	dec := json.NewDecoder(bytes.NewReader(d.params))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var pairs []report.Pair
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return pairs
		}
		var value any
		if err := dec.Decode(&value); err != nil {
			return pairs
		}
		if extra, ok := value.(map[string]any); ok {
			for _, k := range slices.Sorted(maps.Keys(extra)) {
				pairs = append(pairs, report.Pair{Key: k, Value: fmt.Sprint(extra[k])})
			}
			continue
		}
		pairs = append(pairs, report.Pair{Key: strings.ReplaceAll(fmt.Sprint(key), "_", "-"), Value: fmt.Sprint(value)})
	}
	return pairs
}

// unlessNoted marks a setting that some runs have otherwise, which is said of their algorithms.
const unlessNoted = "unless noted"

// sharedSettings are the flags that all runs have with one value, sorted, and what they ran on; of those that only some
// changed, the default.
func sharedSettings(runs []ran) []report.Pair {
	var pairs []report.Pair
	for _, key := range slices.Sorted(maps.Keys(runs[0].config)) {
		if slices.Contains(perRun, key) && key != "device" && key != "data-seed" {
			continue
		}
		value, all, same := runs[0].config[key], true, true
		for _, r := range runs {
			other, ok := r.config[key]
			all, same = all && ok, same && ok && sameNumber(value, other)
		}
		if same {
			pairs = append(pairs, report.Pair{Key: key, Value: value})
		} else if all && !slices.Contains(perRun, key) {
			if o, err := newOptions(runs[0].algorithm); err == nil {
				pairs = append(pairs, report.Pair{Key: key, Value: defaultOf(o.flags.Lookup(key)), Comment: unlessNoted})
			}
		}
	}
	precision := runs[0].summary.Precision
	for _, r := range runs {
		if r.summary.Precision != precision {
			return pairs
		}
	}
	return append(pairs, report.Pair{Key: "precision", Value: precision})
}

// settings are the flags that set a run apart: neither shared by all, nor at their defaults.
func (r *ran) settings(shared []report.Pair) []report.Pair {
	defaults, err := newOptions(r.algorithm)
	if err != nil {
		return nil
	}
	var pairs []report.Pair
	options := r.options()
	for _, key := range slices.Sorted(maps.Keys(options)) {
		f := defaults.flags.Lookup(key)
		common := slices.ContainsFunc(shared, func(p report.Pair) bool { return p.Key == key && p.Comment == "" })
		if !common && f != nil && !sameNumber(defaultOf(f), options[key]) {
			pairs = append(pairs, report.Pair{Key: key, Value: options[key]})
		}
	}
	return pairs
}

// setBeside reads what others report for the setting of these runs.
func (o *compareOptions) setBeside(c *report.Comparison, runs []ran, log io.Writer) error {
	if o.beside == "" {
		return nil
	}
	settings := map[string]string{}
	for _, r := range runs {
		for key := range r.config {
			settings[key] = "" // known, but not of one value
		}
	}
	for _, p := range c.Shared {
		if p.Comment == "" {
			settings[p.Key] = p.Value
		}
	}
	first := runs[0].dealt
	for _, p := range first.parameters() {
		settings[p.Key] = p.Value
	}
	settings["dataset"], settings["partition"], settings["clients"] = first.dataset, first.kind, strconv.Itoa(first.clients)
	var err error
	if c.Beside, err = report.ReadBeside(o.beside, settings); err != nil {
		return err
	}
	if len(c.Beside) == 0 && !o.quiet {
		fmt.Fprintf(log, "%s has no row of this setting: %s, %s, %d clients\n", o.beside, c.Dataset, c.Partition, c.Clients)
	}
	return nil
}

// link makes the links to the runs relative to the comparison's directory.
func link(dir *report.Dir, c *report.Comparison) error {
	base, err := filepath.Abs(dir.Path())
	if err != nil {
		return err
	}
	for _, v := range c.Variants {
		for i := range v.Cells {
			path, err := filepath.Abs(v.Cells[i].Dir)
			if err != nil {
				return err
			}
			if rel, err := filepath.Rel(base, path); err == nil {
				path = rel
			}
			v.Cells[i].Link = filepath.ToSlash(path)
		}
	}
	return nil
}
