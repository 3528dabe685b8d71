package scripts

import (
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// checkFiles are what gpu_check.sh needs beside itself, without a compiler, a GPU and libtorch. The program takes no notice of
// SIGTERM. With --deterministic it hangs, and with --fused-kernels its weights are NaN.
var checkFiles = map[string]string{
	"scripts/find_libtorch.sh": "#!/bin/sh\necho LIBTORCH_VERSION=2.11.0 LIBTORCH_LIB=/nowhere\n",
	"scripts/build_native.sh":  "#!/bin/sh\necho /nowhere/env.sh\n",
	"benchmarks/engines.py": `
def read_safetensors(path):
    return float(open(path).read())
def apart(a, b):
    return abs(a - b)
`,
	"build/gpu/libtorch": "2.11.0\n",
	"build/gpu/feddag": `#!/bin/bash
trap '' TERM
[[ $* == *--deterministic* ]] && while :; do sleep 1; done
weights=1
[[ $* == *--fused-kernels* ]] && weights=nan
[[ $1 == bench ]] && while read -r word file; do
	if [[ $word == state ]]; then echo $weights >"$file"; else echo '{"seconds":1,"loss":1}'; fi
done
echo "conv: columns columns 1.0 us tensor cores 2.0 us"
`,
}

// TestGPUCheck checks that a step of gpu_check.sh that hangs or fails does not keep the others from the table, and that its
// processes end.
func TestGPUCheck(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a step that hangs")
	}
	script, err := os.ReadFile("gpu_check.sh")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range checkFiles {
		write(name, text)
	}
	write("scripts/gpu_check.sh", string(script))
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write([]byte(checkFiles["build/gpu/feddag"]))
	w.Close()
	write("build/gpu/feddag.gz", packed.String())

	check := exec.Command(filepath.Join(root, "scripts/gpu_check.sh"))
	check.Env = append(os.Environ(), "LIMIT=25", "OUT="+filepath.Join(root, "out"))
	if text, err := check.CombinedOutput(); err == nil {
		t.Errorf("no step failed:\n%s", text)
	}
	table, err := os.ReadFile(filepath.Join(root, "out/table.md"))
	if err != nil {
		t.Fatal(err)
	}
	results := map[string]string{}
	for line := range strings.Lines(string(table)) {
		if cells := strings.Split(line, " | "); len(cells) == 3 {
			results[strings.TrimPrefix(cells[0], "| ")] = strings.TrimSuffix(strings.TrimSpace(cells[2]), " |")
		}
	}
	for name, want := range map[string]string{
		"doctor":                              "ok",
		"parity with eager on the CPU":        "ok: weights 0.0e+00 apart",
		"parity of the fused kernels":         "FAILED (1): weights nan apart",
		"tensor cores, tf32":                  "ok: 3 shapes",
		"the same bits, --deterministic":      "FAILED (137)",
		"in groups, --memory":                 "ok: weights",
		"FedDAG on Fashion-MNIST, 200 rounds": "FAILED: no time is left",
	} {
		if !strings.HasPrefix(results[name], want) {
			t.Errorf("%s: %q, want %q", name, results[name], want)
		}
	}
	if left, err := exec.Command("pgrep", "-f", filepath.Join(root, "out/feddag")).Output(); err == nil {
		t.Errorf("processes are left: %s", left)
	}
}
