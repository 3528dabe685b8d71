package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"feddag/models"
	"feddag/report"
	"feddag/torch"
)

// TestResultsNameTheEngine checks that config.yaml, env.json and summary.json of a run name the engine and the device.
func TestResultsNameTheEngine(t *testing.T) {
	data := mnist(t)
	info, err := torch.Describe()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ engine, precision, want string }{
		{"auto", "fp32", "serial"}, {"batched", "fp32", "batched"}, {"batched", "bf16", "batched"}, {"eager", "fp32", "eager"},
	} {
		out := filepath.Join(t.TempDir(), "run")
		code, stdout, log := feddag(small(data, out, "--algorithm", "fedavg", "--rounds", "1", "--engine", x.engine, "--precision", x.precision)...)
		if code != exitDone {
			t.Fatalf("%s, %s: exit code %d: %s", x.engine, x.precision, code, log)
		}
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		var s report.Summary
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil {
			t.Fatal(err)
		}
		if s.Engine != x.want || s.Precision != x.precision || s.Device != "cpu" || s.DeviceName == "" || s.Libtorch != info.Version {
			t.Errorf("%s, %s: the summary says %q, %q, %q, %q, %q", x.engine, x.precision, s.Engine, s.Precision, s.Device, s.DeviceName, s.Libtorch)
		}
		raw, err := os.ReadFile(filepath.Join(out, report.EnvFile))
		if err != nil {
			t.Fatal(err)
		}
		var env report.Env
		if err := json.Unmarshal(raw, &env); err != nil {
			t.Fatal(err)
		}
		if env.Engine != x.want || env.Precision != x.precision || env.DeviceName != s.DeviceName || env.Libtorch != info.Version ||
			env.BLASKernel != info.BLASKernel || env.BLASKernel == "" || env.SIMD != info.SIMD {
			t.Errorf("%s, %s: env.json says %+v", x.engine, x.precision, env)
		}
		config, err := os.ReadFile(filepath.Join(out, report.ConfigFile))
		if err != nil || !strings.Contains(string(config), "engine: "+x.want) || !strings.Contains(string(config), "precision: "+x.precision) {
			t.Errorf("%s, %s: %v, config.yaml:\n%s", x.engine, x.precision, err, config)
		}
	}
}

// TestNoCUDA checks that a requested GPU that does not exist is an error that says what is missing, and that the CPU is not
// used instead.
func TestNoCUDA(t *testing.T) {
	info, err := torch.Describe()
	if err != nil {
		t.Fatal(err)
	}
	if info.CUDADevices > 0 {
		t.Skip("this machine has a GPU")
	}
	why := "built without CUDA"
	if info.CUDABuilt {
		why = info.CUDAProblem
	}
	data, out := mnist(t), filepath.Join(t.TempDir(), "run")
	for _, device := range []string{"cuda", "cuda:7"} {
		code, _, log := feddag(small(data, out, "--device", device, "--quiet")...)
		if code != exitUsage || !strings.Contains(log, why) || !strings.Contains(log, "--device cpu") || strings.Count(log, "\n") != 1 {
			t.Errorf("--device %s: exit code %d: %s", device, code, log)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a refused run left a directory")
	}
	old := torch.Info{CUDABuilt: true, CUDAProblem: "the driver knows CUDA 12.4"}
	if why := whyCPU("auto", old); why != old.CUDAProblem || whyCPU("cpu", old) != "" || whyCPU("auto", info) != "" {
		t.Errorf("the reason for the CPU is %q", why)
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "500MB": 5e8, "8GB": 8e9, "1048576": 1 << 20, "1.5GiB": 3 << 29, "64kB": 64000, "8 GB": 8e9} {
		if n, err := parseBytes(text); err != nil || n != want {
			t.Errorf("%q is %d, %v; want %d", text, n, err, want)
		}
	}
	for _, text := range []string{"0", "-1GB", "GB", "8XB", "NaN", "1e30GB", "8 GB x"} {
		if n, err := parseBytes(text); err == nil {
			t.Errorf("%q is %d", text, n)
		}
	}
}

// TestDryRunTimesWholePredictions checks that the predictions that a dry run times share no passes through encoders.
func TestDryRunTimesWholePredictions(t *testing.T) {
	net, err := models.New("lenet", [3]int{1, 28, 28}, 10, false, models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const n = 140
	images, err := torch.NewImages(torch.CPU, make([]byte, n*28*28), [3]int{1, 28, 28}, make([]uint8, n), []float32{0}, []float32{1})
	if err != nil {
		t.Fatal(err)
	}
	defer images.Close()
	v, err := torch.NewVector(torch.CPU, net.Len())
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	e, err := torch.NewEngine(torch.CPU, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.Predict(net, images, timedPredictions(v, n, 3)); err != nil {
		t.Fatal(err)
	}
	if e.Encoded() != 3*n {
		t.Errorf("%d images passed through encoders, want %d", e.Encoded(), 3*n)
	}
}

// TestDryRunAndMemory checks that a dry run counts the steps that the run then does, prints its estimates, and leaves no
// files. A limit on memory makes groups; a limit too low for a single client is an error that says how much memory it needs,
// before and in the run.
func TestDryRunAndMemory(t *testing.T) {
	data := mnist(t)
	out := filepath.Join(t.TempDir(), "run")
	plan := func(more ...string) (f forecast) {
		t.Helper()
		code, stdout, log := feddag(small(data, out, append([]string{"--dry-run", "--feddag-encoders", "2", "--feddag-warmup-rounds", "2"}, more...)...)...)
		if code != exitDone {
			t.Fatalf("exit code %d: %s", code, log)
		}
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	serial := plan()
	if _, err := os.Stat(out); err == nil {
		t.Fatal("a dry run left a directory")
	}
	if len(serial.Trainings) != 3 || serial.Cohort != 3 || serial.Clients != 6 || serial.DeviceBytes <= 360*784 || !(serial.Seconds > 0) || serial.Free <= 0 {
		t.Errorf("%+v", serial)
	}
	if f := plan("--feddag-warmup-rounds", "0"); len(f.Trainings) != 2 || f.Steps >= serial.Steps {
		t.Errorf("without a warm-up: %+v", f)
	}
	batched := plan("--engine", "batched")
	if batched.Steps != serial.Steps || batched.Trainings[1].AtOnce != 3 || batched.Trainings[1].Groups != 1 {
		t.Errorf("batched: %+v", batched)
	}
	one := batched.Trainings[1].Bytes / 3
	memory := []string{"--engine", "batched", "--algorithm", "feddag", "--memory", strconv.FormatInt(2*one+one/4, 10)}
	if some := plan(memory...); some.Trainings[1].AtOnce != 2 || some.Trainings[1].Groups != 2 {
		t.Errorf("in groups: %+v", some)
	}
	code, stdout, log := feddag(small(data, out, append(memory, "--feddag-encoders", "2", "--feddag-warmup-rounds", "2")...)...)
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, log)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	var s report.Summary
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil {
		t.Fatal(err)
	}
	if s.PeakStackBytes <= 0 || s.PeakStackBytes > 2*one+one/4 {
		t.Errorf("a stack took %d bytes at the peak, %d were allowed", s.PeakStackBytes, 2*one+one/4)
	}
	// Every client trains at least in the two rounds of the warm-up.
	var samples int64
	for _, c := range partitionSizes(t, filepath.Join(out, report.PartitionFile)) {
		samples += 2 * int64(c)
	}
	if s.TrainingSamples < samples {
		t.Errorf("%d samples trained", s.TrainingSamples)
	}
	for _, more := range [][]string{{"--dry-run"}, nil} {
		code, _, log := feddag(small(data, filepath.Join(t.TempDir(), "x"), append(more, "--engine", "batched", "--memory", "1MB")...)...)
		if code != exitFailed || !strings.Contains(log, "--memory allows 1.00 MB") {
			t.Errorf("%v: exit code %d: %s", more, code, log)
		}
	}
}

// partitionSizes reads the number of training samples of each client.
func partitionSizes(t *testing.T, path string) (sizes []int) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Clients []struct {
			Train []int `json:"train"`
		} `json:"clients"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Clients {
		sizes = append(sizes, len(c.Train))
	}
	return sizes
}

// TestDivergence checks that the error names a client whose loss is not a number, and that the files written so far stay.
func TestDivergence(t *testing.T) {
	data := mnist(t)
	out := filepath.Join(t.TempDir(), "run")
	code, _, log := feddag(small(data, out, "--algorithm", "fedavg", "--lr", "1e30")...)
	if code != exitFailed || !strings.Contains(log, "round 2, training:") || !strings.Contains(log, "client ") || !strings.Contains(log, "lower --lr (now 1e+30)") || !strings.Contains(log, "--resume "+out+" --on-divergence drop") {
		t.Errorf("exit code %d: %s", code, log)
	}
	if _, err := os.Stat(filepath.Join(out, report.CheckpointFile)); err != nil {
		t.Error(err)
	}
	code, _, log = feddag(small(data, filepath.Join(t.TempDir(), "x"), "--algorithm", "fedavg", "--lr", "1e30", "--on-divergence", "drop")...)
	if code != exitFailed || !strings.Contains(log, "no client of round 2 is left") {
		t.Errorf("drop: exit code %d: %s", code, log)
	}
	if code, _, log := feddag("train", "--on-divergence", "go"); code != exitUsage || !strings.Contains(log, "use stop or drop") {
		t.Errorf("exit code %d: %s", code, log)
	}
}
