package cli

import (
	"bytes"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/report"
)

// flagEffect has a value of a flag that changes a tiny run, and the flags that must be given with it.
type flagEffect struct{ value, with string }

// trainEffects has the flags of train whose effect is in the models, the metrics, the scores or the partition of a run.
var trainEffects = map[string]flagEffect{
	"algorithm":                {"local", ""},
	"model":                    {"cnn", "--rounds=0"},
	"dropout":                  {"0.5", ""},
	"norm":                     {"group", "--model=resnet9 --rounds=0 --eval-share=0.1"},
	"seed":                     {"1", "--data-seed=0"},
	"rounds":                   {"1", ""},
	"stragglers":               {"1", "--epochs=2"},
	"client-dropout":           {"0.5", ""},
	"early-stopping":           {"1", "--lr=1e-9 --rounds=4"},
	"early-stopping-min-delta": {"100", "--early-stopping=1 --rounds=3 --rate=1 --lr=0.05"},
	"rate":                     {"0.3", ""},
	"epochs":                   {"2", ""},
	"batch":                    {"8", ""},
	"lr":                       {"0.1", ""},
	"lr-schedule":              {"exponential:0.5", ""},
	"momentum":                 {"0", ""},
	"weight-decay":             {"0.1", ""},
	"optimizer":                {"adam", ""},
	"adam-beta1":               {"0.5", "--optimizer=adam"},
	"adam-beta2":               {"0.5", "--optimizer=adamw"},
	"adam-eps":                 {"0.1", "--optimizer=adam"},
	"server-optimizer":         {"momentum", ""},
	"server-lr":                {"0.5", "--server-optimizer=momentum"},
	"server-momentum":          {"0.1", "--server-optimizer=momentum"},
	"server-beta1":             {"0.1", "--server-optimizer=adam"},
	"server-beta2":             {"0.1", "--server-optimizer=yogi"},
	"server-tau":               {"0.1", "--server-optimizer=adagrad"},
	"precision":                {"bf16", "--engine=batched"},
	"eval-every":               {"2", ""},
	"eval-share":               {"0.5", ""},
	"final-post":               {"true", ""},
}

// partitionEffects has the flags of a partition; train and partition read all of them.
var partitionEffects = map[string]flagEffect{
	"partition":        {"labels", ""},
	"clients":          {"12", ""},
	"groups":           {"3", ""},
	"labels-per-group": {"2", ""},
	"label-fraction":   {"0.5", ""},
	"concentration":    {"0.1", "--partition=lda --min-samples=1"},
	"min-samples":      {"25", "--partition=lda"},
	"holdout":          {"0.5", ""},
	"train-share":      {"0.5", ""},
	"partition-option": {"corruptions=fog", "--partition=feature-skew --min-samples=1"},
	"data-seed":        {"5", ""},
}

// effectBase are the flags of a tiny run, for flags whose effect does not need other ones.
var effectBase = []string{"--algorithm=fedavg", "--clients=10", "--rounds=2", "--rate=0.2", "--epochs=1", "--batch=16", "--final-post=false"}

// TestTrainFlagsHaveAnEffect checks that each of the flags changes the files of a run.
func TestTrainFlagsHaveAnEffect(t *testing.T) {
	data, tmp := mnist(t), t.TempDir()
	run := func(t *testing.T, name string, flags []string) string {
		t.Helper()
		out := filepath.Join(tmp, name)
		must(t, slices.Concat([]string{"train", "--dataset=mnist", "--data-dir=" + data, "--device=cpu", "--quiet", "--out=" + out}, effectBase, flags)...)
		return out
	}
	effects := maps.Clone(trainEffects)
	for name, effect := range partitionEffects {
		effect.with = strings.TrimSpace("--rounds=0 " + effect.with)
		effects[name] = effect
	}
	plain := map[string]string{} // run directories by the flags of the run
	for _, name := range slices.Sorted(maps.Keys(effects)) {
		t.Run(name, func(t *testing.T) {
			effect := effects[name]
			beside := strings.Fields(effect.with)
			if plain[effect.with] == "" {
				plain[effect.with] = run(t, "beside-"+name, beside)
			}
			with := run(t, name, append(beside, "--"+name+"="+effect.value))
			if !differ(t, plain[effect.with], with) {
				t.Errorf("--%s %s changes nothing beside %q", name, effect.value, effect.with)
			}
		})
	}
}

// TestPartitionFlagsHaveAnEffect checks that each flag of a partition, and each flag that selects its data set, changes the
// output of feddag partition.
func TestPartitionFlagsHaveAnEffect(t *testing.T) {
	data, other, tmp := mnist(t), mnist(t), t.TempDir()
	images := filepath.Join(tmp, "images")
	rename(t, imageFolder(t), images)
	images = "folder:" + images
	write(t, filepath.Join(other, "train-labels-idx1-ubyte"), append(header(0x801, 300), bytes.Repeat([]byte{1, 2, 3}, 100)...))
	written := func(t *testing.T, flags ...string) string {
		t.Helper()
		file := filepath.Join(tmp, strings.ReplaceAll(t.Name(), "/", "-")+".json")
		must(t, append([]string{"partition", "--dataset=mnist", "--data-dir=" + data, "--clients=10", "--quiet", "--save=" + file}, flags...)...)
		return string(mustRead(t, file))
	}
	effects := maps.Clone(partitionEffects)
	effects["data-dir"] = flagEffect{other, ""}
	effects["dataset"] = flagEffect{images, "--partition=lda --min-samples=1"}
	effects["dataset-option"] = flagEffect{"size=14", "--partition=lda --min-samples=1 --dataset=" + images}
	checkEffects(t, effects, written)
}

// checkEffects checks that each flag, together with the flags that it needs, changes the result of made.
func checkEffects(t *testing.T, effects map[string]flagEffect, made func(t *testing.T, flags ...string) string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(effects)) {
		t.Run(name, func(t *testing.T) {
			effect := effects[name]
			beside := strings.Fields(effect.with)
			if made(t, beside...) == made(t, append(beside, "--"+name+"="+effect.value)...) {
				t.Errorf("--%s %s changes nothing beside %q", name, effect.value, effect.with)
			}
		})
	}
}

// differ reports whether two runs have different models, metrics, scores, clusters or partitions.
func differ(t *testing.T, first, second string) bool {
	t.Helper()
	var dirs [2]*report.Dir
	for k, path := range []string{first, second} {
		var err error
		if dirs[k], err = report.Look(path); err != nil {
			t.Fatal(err)
		}
	}
	files, err := report.CompareRuns(dirs[0], dirs[1])
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(f report.FileAgreement) bool { return f.Difference != "" })
}
