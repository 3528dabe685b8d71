package algorithm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/internal/atomicfile"
	"feddag/torch"
)

// savedRun is the checkpoint of a run, in parts.
type savedRun struct {
	tensors []torch.NamedTensor
	meta    map[string]string
	blobs   map[string][]byte // by file
}

// withScenario is the suffix of the name of an algorithm whose run has a scenario.
const withScenario = " with a scenario"

// resumeEnv returns the environment and the algorithm of a run that FuzzResume resumes.
func resumeEnv(t *testing.T, name string) (*federation.Env, federation.Algorithm, string) {
	e := federationtest.TinyEnv(t, 1)
	name, scenario := strings.CutSuffix(name, withScenario)
	if scenario {
		text := `"events": [{"round": 2, "join": [7]}, {"round": 3, "join": [6]}, {"round": 4, "leave": 0}]}`
		if name == "feddag" {
			text = `"check_every": 1, "search_after": 1, ` + text
		}
		var err error
		e.Scenario, err = federation.ParseScenario([]byte(`{"version": 2, "reserve": 0.2, ` + text))
		if err != nil {
			t.Fatal(err)
		}
	}
	return e, federationtest.Algorithm(t, name), name
}

// savedRuns returns the checkpoint of every algorithm, which it makes once.
var savedRuns sync.Map

func savedRunOf(t *testing.T, name string) savedRun {
	if s, ok := savedRuns.Load(name); ok {
		return s.(savedRun)
	}
	dir := t.TempDir()
	e, a, algorithm := resumeEnv(t, name)
	path := filepath.Join(dir, "last.safetensors")
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	run := federation.NewRunner(e, a, federation.RunOptions{Algorithm: algorithm, Checkpoint: path})
	if _, err := run.Begin(); err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		if err := run.Round(round); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := savedRun{blobs: map[string][]byte{}}
	if s.tensors, s.meta, err = torch.ReadSafetensors(f); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.bin"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if s.blobs[filepath.Base(file)], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	savedRuns.Store(name, s)
	return s
}

// A changed checkpoint gives an error, or the run continues from it. No method panics. The seed determines the change.
func FuzzResume(f *testing.F) {
	names := append(federation.Names(), "feddag"+withScenario, "ifca"+withScenario)
	for i := range names {
		for seed := range uint64(4) {
			f.Add(uint8(i), seed)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, seed uint64) {
		name := names[int(which)%len(names)]
		dir, r := t.TempDir(), rand.New(rand.NewPCG(seed, uint64(which)))
		what := damage(t, savedRunOf(t, name), r, dir)
		path := filepath.Join(dir, "last.safetensors")
		c, err := federation.ReadCheckpoint(path)
		if err != nil {
			return
		}
		e, a, algorithm := resumeEnv(t, name)
		defer func() {
			if p := recover(); p != nil {
				t.Fatalf("%s, %s: %v", name, what, p)
			}
		}()
		if _, err := federation.Run(context.Background(), e, a, federation.RunOptions{Algorithm: algorithm, Checkpoint: path, Resume: c}); err != nil && err.Error() == "" {
			t.Error("an error without a text")
		}
	})
}

// damage writes a checkpoint with one change into a folder, and returns a description of the change.
func damage(t *testing.T, s savedRun, r *rand.Rand, dir string) (what string) {
	t.Helper()
	meta, tensors := maps.Clone(s.meta), slices.Clone(s.tensors)
	delete(meta, "sha256") // which would reveal the change
	for name, content := range s.blobs {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	switch k := r.IntN(len(tensors) + 1); r.IntN(3) {
	case 0:
		if k < len(tensors) {
			tensors[k], what = damagedTensor(tensors[k], r)
			if tensors[k].Shape == nil {
				tensors = slices.Delete(tensors, k, k+1)
			}
			break
		}
		fallthrough
	default:
		meta["run"], what = damagedJSON(t, meta["run"], r)
	}
	err := atomicfile.Write(filepath.Join(dir, "last.safetensors"), func(w io.Writer) error { return torch.WriteSafetensors(w, tensors, meta) })
	if err != nil {
		t.Fatal(err)
	}
	return what
}

// damagedTensor shortens, lengthens or changes a tensor. A result without a shape means that the tensor is to be left out.
func damagedTensor(x torch.NamedTensor, r *rand.Rand) (torch.NamedTensor, string) {
	data := slices.Clone(x.Data)
	what := ""
	switch r.IntN(5) {
	case 0:
		return torch.NamedTensor{}, x.Name + " left out"
	case 1:
		data, what = data[:len(data)/2], "half of "+x.Name
	case 2:
		data, what = append(data, 1), "more of "+x.Name
	case 3:
		data, what = nil, x.Name+" empty"
	default:
		for i := range data {
			data[i] = []float32{float32(math.NaN()), float32(math.Inf(1)), 3e38, -7}[r.IntN(4)]
		}
		what = x.Name + " spoilt"
	}
	return torch.NamedTensor{Name: x.Name, Shape: []int{len(data)}, Data: data}, what
}

// damagedJSON changes one value of a JSON object.
func damagedJSON(t *testing.T, text string, r *rand.Rand) (string, string) {
	t.Helper()
	var root map[string]any
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	if err := d.Decode(&root); err != nil {
		t.Fatal(err)
	}
	if method, ok := root["meta"]; ok && r.IntN(4) > 0 { // mostly the data of the method itself
		value, what := damagedValue(method, r, "meta")
		root["meta"] = value
		return encode(t, root), what
	}
	value, what := damagedValue(root, r, "run")
	return encode(t, value), what
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// damagedValue changes a value or a part of it, and returns a description of the change.
func damagedValue(v any, r *rand.Rand, at string) (any, string) {
	switch x := v.(type) {
	case map[string]any:
		if keys := slices.Sorted(maps.Keys(x)); len(keys) > 0 && r.IntN(8) > 0 {
			key := keys[r.IntN(len(keys))]
			if r.IntN(8) == 0 {
				delete(x, key)
				return x, at + "." + key + " left out"
			}
			value, what := damagedValue(x[key], r, at+"."+key)
			x[key] = value
			return x, what
		}
	case []any:
		if len(x) > 0 {
			switch k := r.IntN(len(x)); r.IntN(6) {
			case 0:
				return x[:k], fmt.Sprintf("%s cut to %d", at, k)
			case 1:
				return append(x, x[k]), at + " with one more"
			case 2:
				return []any{}, at + " empty"
			default:
				value, what := damagedValue(x[k], r, fmt.Sprintf("%s[%d]", at, k))
				x[k] = value
				return x, what
			}
		}
	case json.Number:
		n := []json.Number{"-1", "0", "1", "7", "1000000", "-9223372036854775808", "1e300"}[r.IntN(7)]
		return n, fmt.Sprintf("%s = %s", at, n)
	}
	return nil, at + " = null"
}
