package torch_test

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"feddag/torch"
)

func vectorOf(t *testing.T, x ...float32) *torch.Vector {
	t.Helper()
	v, err := torch.VectorOf(torch.CPU, x)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func wantValues(t *testing.T, v *torch.Vector, want ...float32) {
	t.Helper()
	if got := values(t, v); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestVectorArithmetic(t *testing.T) {
	v := vectorOf(t, 1, 2, 3, 4)
	c, err := v.Clone()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Copy(torch.Range{Begin: 0, End: 2}, v, torch.Range{Begin: 2, End: 4}); err != nil {
		t.Fatal(err)
	}
	wantValues(t, c, 3, 4, 3, 4)
	if err := c.AddScaled(-2, v, torch.Range{Begin: 1, End: 3}); err != nil {
		t.Fatal(err)
	}
	wantValues(t, c, 3, 0, -3, 4)
	wantValues(t, v, 1, 2, 3, 4)
	if x, err := v.Gather([]int64{3, 0, 3}); err != nil || !slices.Equal(x, []float32{4, 1, 4}) {
		t.Errorf("gathered %v, %v", x, err)
	}
}

// TestSetMean compares with a mean computed by hand, (1*10 + 3*20) / 4 = 17.5. It checks that values outside the range do not
// change, that weights need not sum to 1, and that the result may be one of the operands.
func TestSetMean(t *testing.T) {
	a, b := vectorOf(t, 10, 10), vectorOf(t, 20, 20)
	if err := a.SetMean([]*torch.Vector{a, b}, []float64{1, 3}, torch.Range{Begin: 1, End: 2}); err != nil {
		t.Fatal(err)
	}
	wantValues(t, a, 10, 17.5)
}

// TestSetMeanInFloat64 checks that sums are computed in float64. In float32, adding 0.01 to a million would have no effect.
func TestSetMeanInFloat64(t *testing.T) {
	xs, w := []*torch.Vector{vectorOf(t, 1e6)}, []float64{1}
	for range 100 {
		xs, w = append(xs, vectorOf(t, 0.01)), append(w, 1)
	}
	v := vectorOf(t, 0)
	if err := v.SetMean(xs, w, v.Range()); err != nil {
		t.Fatal(err)
	}
	if got := float64(values(t, v)[0]) * 101; got < 1e6+0.9 || got > 1e6+1.1 {
		t.Errorf("sum of 101 = %f, want 1000001", got)
	}
}

func TestVectorErrors(t *testing.T) {
	v := vectorOf(t, 1, 2)
	closed := vectorOf(t, 1, 2)
	closed.Close()
	closed.Close() // Close may be repeated
	_, floats := closed.Floats()
	_, negative := torch.NewVector(torch.CPU, -1)
	_, outside := v.Gather([]int64{2})
	for name, err := range map[string]error{
		"closed":            floats,
		"closed operand":    v.AddScaled(1, closed, v.Range()),
		"negative size":     negative,
		"range too long":    v.AddScaled(1, v, torch.Range{Begin: 0, End: 3}),
		"range backwards":   v.AddScaled(1, v, torch.Range{Begin: 2, End: 1}),
		"lengths differ":    v.Copy(torch.Range{Begin: 0, End: 1}, v, v.Range()),
		"wrong size":        v.Set([]float32{1}),
		"no vectors":        v.SetMean(nil, nil, v.Range()),
		"weights are short": v.SetMean([]*torch.Vector{v}, nil, v.Range()),
		"weights all zero":  v.SetMean([]*torch.Vector{v}, []float64{0}, v.Range()),
		"negative weight":   v.SetMean([]*torch.Vector{v, v}, []float64{2, -1}, v.Range()),
		"index outside":     outside,
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "frame #") {
			t.Errorf("%s: the error carries a C++ stack: %v", name, err)
		}
	}
	wantValues(t, v, 1, 2)
}

// settled returns torch.Live() after the collector has freed the handles of earlier tests. Finalizers run one after another
// after runtime.GC has returned, and memory that a freed handle refers to is only found by the next collection.
func settled() (handles, bytes int64) {
	for range 4 {
		ran := make(chan struct{})
		runtime.SetFinalizer(new(*int), func(**int) { close(ran) })
		runtime.GC()
		<-ran
	}
	return torch.Live()
}

// TestLiveCounters checks that the collector frees handles that are not closed, and that closed handles are freed at once.
func TestLiveCounters(t *testing.T) {
	h0, b0 := settled()
	v, err := torch.NewVector(torch.CPU, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if h, b := torch.Live(); h != h0+1 || b != b0+4000 {
		t.Errorf("a vector of 1000 counts as %d handles, %d bytes", h-h0, b-b0)
	}
	v.Close()
	if h, b := torch.Live(); h != h0 || b != b0 {
		t.Errorf("after Close %d handles, %d bytes are left", h-h0, b-b0)
	}
}

func TestParseDevice(t *testing.T) {
	info, err := torch.Describe()
	if err != nil {
		t.Fatal(err)
	}
	if d, err := torch.ParseDevice("cpu"); err != nil || d.String() != "cpu" {
		t.Errorf("cpu: %v, %v", d, err)
	}
	if d, err := torch.ParseDevice("auto"); err != nil || (d.String() == "cpu") != (info.CUDADevices == 0) {
		t.Errorf("auto: %v, %v with %d CUDA devices", d, err, info.CUDADevices)
	}
	for _, bad := range []string{"", "gpu", "cuda:", "cuda:-1", "cuda:x", "cuda:99", "cpu:0"} {
		if d, err := torch.ParseDevice(bad); err == nil {
			t.Errorf("%q was read as %v", bad, d)
		}
	}
	if info.CUDADevices == 0 {
		if d, err := torch.ParseDevice("cuda"); err == nil {
			t.Errorf("without a CUDA device, cuda fell back to %v", d)
		}
	}
}

// TestFingerprint checks that only equal vectors have equal fingerprints: they differ if one value changes, two values are
// exchanged, the sign of a zero changes, or the length differs.
func TestFingerprint(t *testing.T) {
	values := make([]float32, 5000)
	for i := range values {
		values[i] = float32(i%7) - 3.5
	}
	print := func(x []float32) torch.Fingerprint {
		f, err := vectorOf(t, x...).Fingerprint()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	seen := map[torch.Fingerprint]string{print(values): "itself"}
	if len(seen) != 1 || seen[print(slices.Clone(values))] == "" {
		t.Fatal("two equal vectors have two fingerprints")
	}
	for name, change := range map[string]func(x []float32) []float32{
		"first value":    func(x []float32) []float32 { x[0]++; return x },
		"last value":     func(x []float32) []float32 { x[4999] = math.Nextafter32(x[4999], 9); return x },
		"exchange":       func(x []float32) []float32 { x[10], x[2058] = x[2058], x[10]; return x },
		"zero":           func(x []float32) []float32 { x[3] = 0; return x },
		"negative zero":  func(x []float32) []float32 { x[3] = float32(math.Copysign(0, -1)); return x },
		"shorter":        func(x []float32) []float32 { return x[:4999] },
		"longer":         func(x []float32) []float32 { return append(x, 0) },
		"nothing":        func(x []float32) []float32 { return nil },
		"a chunk of two": func(x []float32) []float32 { return append(x[2048:4096:4096], x[:2048]...) },
	} {
		f := print(change(slices.Clone(values)))
		if seen[f] != "" {
			t.Errorf("%s has the fingerprint of %s", name, seen[f])
		}
		seen[f] = name
	}
}

func TestRangeIntersect(t *testing.T) {
	for _, c := range []struct{ r, s, want torch.Range }{
		{torch.Range{Begin: 0, End: 5}, torch.Range{Begin: 3, End: 8}, torch.Range{Begin: 3, End: 5}},
		{torch.Range{Begin: 2, End: 4}, torch.Range{Begin: 0, End: 9}, torch.Range{Begin: 2, End: 4}},
		{torch.Range{Begin: 0, End: 3}, torch.Range{Begin: 5, End: 8}, torch.Range{Begin: 5, End: 5}},
	} {
		if got := c.r.Intersect(c.s); got != c.want {
			t.Errorf("%v and %v: %v, want %v", c.r, c.s, got, c.want)
		}
		if got := c.s.Intersect(c.r); got.Len() != c.want.Len() {
			t.Errorf("%v and %v: %v, want %v", c.s, c.r, got, c.want)
		}
	}
}
