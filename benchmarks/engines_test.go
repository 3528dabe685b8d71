package benchmarks

import (
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEngines checks that engines.py fails if an engine that --contenders names does not run, or ends with other weights or a
// NaN. A shell script takes the place of the program.
func TestEngines(t *testing.T) {
	if exec.Command("python3", "-c", "import numpy").Run() != nil {
		t.Skip("python3 has no numpy")
	}
	dir := t.TempDir()
	for name, last := range map[string]float64{"serial": 1, "same": 1, "other": 1.01, "nan": math.NaN()} {
		const header = `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`
		state := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
		for _, x := range []float64{1, last} {
			state = binary.LittleEndian.AppendUint32(state, math.Float32bits(float32(x)))
		}
		if err := os.WriteFile(filepath.Join(dir, name), state, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "program")
	err := os.WriteFile(program, []byte(`#!/bin/sh
if [ "$2" = --write ]; then mkdir -p "$3"; exit; fi
ends=serial
if [ "$3" = batched ]; then ends=$BATCHED_ENDS; fi
if [ "$ends" = broken ]; then echo 'no kernel' >&2; exit 1; fi
echo '{"libtorch": "0"}'
while read -r word file; do
	if [ "$word" = state ]; then cp "${0%/*}/$ends" "$file"; fi
	echo '{"seconds": 1, "steps": 1, "loss": 1}'
done
`), 0o755)
	if err != nil {
		t.Fatal(err)
	}
	for ends, want := range map[string]string{
		"same": "", "broken": "did not run: lenet batched: no kernel", "other": "not the same training: lenet batched", "nan": "not the same training: lenet batched",
	} {
		c := exec.Command("python3", "engines.py", "--feddag", program, "--models", "lenet", "--contenders", "serial,batched", "--repeats", "1", "--out", filepath.Join(dir, "out"))
		c.Env = append(os.Environ(), "BATCHED_ENDS="+ends)
		text, err := c.CombinedOutput()
		if (err == nil) != (want == "") || !strings.Contains(string(text), want) {
			t.Errorf("the batched engine is %s: %v, want %q\n%s", ends, err, want, text)
		}
	}
}
