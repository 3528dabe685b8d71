package federation

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"feddag/internal/alloctest"
	"feddag/torch"
)

// A scenario is read or gives an error of one line. Every scenario that was read can be printed.
func FuzzScenario(f *testing.F) {
	f.Add([]byte(`{"version": 2, "reserve": 0.2, "check_every": 1, "search_after": 2, "events": [
		{"round": 2, "join": [6, 7]}, {"round": 3, "leave": 0}, {"round": 3, "swap": [1, 4]}, {"round": 4, "shift": "5-9"}]}`))
	f.Add([]byte(`{"version": 2, "events": [{"round": 2, "join": "0-999999999999"}]}`))
	f.Add([]byte(`{"version": 2, "events": [{"round": 2, "join": "0-9999999"}, {"round": 2, "leave": "0-9999999"}]}`))
	f.Add([]byte(`{"version": 2, "events": [{"round": 2, "join": "0-899999"}, {"round": 2, "leave": "0-899999"}, {"round": 2, "shift": "0-899999", "labels": "0-899999"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s *Scenario
		var err error
		alloctest.Within(t, 64<<20+2000*len(raw), func() { s, err = ParseScenario(raw) })
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("error of several lines: %v", err)
			}
			return
		}
		for _, e := range s.Events {
			_ = e.String()
		}
	})
}

// A checkpoint is read or gives an error that names it. Reading takes no more memory than a small multiple of the size of its
// files.
func FuzzReadCheckpoint(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "last.safetensors")
	c := &Checkpoint{
		Algorithm: "cfl", Config: "abc", Rounds: 3, Seconds: map[Stage]float64{"rounds": 1.5}, Ledger: NewLedger(2), Meta: []byte(`{"models":1,"of":[0,0]}`),
		Best: make([]PrePost, 2), Last: make([]PrePost, 2), Warnings: []warning{{"x", 3}},
		vectors: map[string][]float32{"cluster-0": {1, 2, 3}, "empty": {}}, blobs: map[string][]byte{"update-0": {0, 0, 128, 63}},
	}
	if err := c.write(path); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	tensors, meta, err := torch.ReadSafetensors(bytes.NewReader(whole))
	if err != nil {
		f.Fatal(err)
	}
	for _, change := range [][2]string{{`"rounds":3`, `"rounds":-3`}, {`"update-0":"`, `"update-0":"../`}, {`"counts":"`, `"counts":"AAAA`}, {`"ledger":{`, `"ledger":null,"x":{`}} {
		var b bytes.Buffer
		if err := torch.WriteSafetensors(&b, tensors, map[string]string{"format": meta["format"], "run": strings.Replace(meta["run"], change[0], change[1], 1)}); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	damaged := filepath.Join(dir, "damaged.safetensors")
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := os.WriteFile(damaged, raw, 0o666); err != nil {
			t.Fatal(err)
		}
		alloctest.Within(t, 2<<20+1000*len(raw), func() {
			c, err := ReadCheckpoint(damaged)
			if err != nil && (!strings.Contains(err.Error(), damaged) || strings.ContainsAny(err.Error(), "\n\r")) {
				t.Error(err)
			}
			if err == nil {
				_ = c.fits("cfl", "abc", 2)
			}
		})
	})
}
