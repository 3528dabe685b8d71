package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"feddag/internal/npy"
	"feddag/torch"
)

// TestBench checks that the contenders of a benchmark do the same work: every engine gets the same weights in every turn, and
// the files for other programs contain the initial weights.
func TestBench(t *testing.T) {
	dir := t.TempDir()
	args := []string{"--model", "lenet", "--clients", "3", "--samples", "20", "--ragged", "--batch", "8", "--device", "cpu"}
	if code, _, log := feddag(append([]string{"bench", "--write", dir}, args...)...); code != exitDone {
		t.Fatal(log)
	}
	file, err := os.Open(filepath.Join(dir, "images.npy"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if h, err := npy.ReadHeader(file); err != nil || h.Count != (1+10+20)*784 {
		t.Errorf("images.npy: %+v, %v", h, err)
	}
	states := map[string][]torch.NamedTensor{}
	for _, engine := range []string{"serial", "batched", "eager"} {
		b := &benchWork{}
		if err := b.flags().Parse(append(args, "--engine", engine)); err != nil {
			t.Fatal(err)
		}
		if err := b.make(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, engine)
		var out bytes.Buffer
		if err := b.turns(strings.NewReader("turn\nturn\nstate "+path+"\n"), &out, io.Discard); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		var first, second benchTurn
		if err := json.Unmarshal([]byte(lines[1]), &first); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(lines[2]), &second); err != nil {
			t.Fatal(err)
		}
		if first.Steps != 2*(1+2+3) || first.Loss != second.Loss || !(first.Seconds > 0) || len(lines) != 4 {
			t.Errorf("%s: %s", engine, out.String())
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		states[engine], _, err = torch.ReadSafetensors(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		for k, x := range states[engine] {
			for i, v := range x.Data {
				if w := states["serial"][k].Data[i]; !(math.Abs(float64(v-w)) <= 1e-5) {
					t.Fatalf("%s: %s[%d] is %g, serial has %g", engine, x.Name, i, v, w)
				}
			}
		}
	}
}
