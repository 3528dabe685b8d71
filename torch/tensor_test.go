package torch_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"feddag/models"
	"feddag/torch"
)

// within calls fn with a batch during a training.
func within(t *testing.T, fn func(b *torch.Batch)) {
	t.Helper()
	net, images, job := parityJob(t, "lenet", false, 100, models.Options{})
	job.Samples, job.Order = job.Samples[:4], [][]int32{counted(4)}
	sgd := torch.SGD{Batch: 4, Objective: torch.ObjectiveFunc(func(b *torch.Batch) (torch.Tensor, error) {
		fn(b)
		return b.CrossEntropy(), nil
	})}
	trainOne(t, newEager(t), net, images, job, torch.All, sgd)
}

// TestTensorOperations checks that every operation has the value that its comment states, and that its derivative agrees with
// finite differences.
func TestTensorOperations(t *testing.T) {
	x := []float32{0.5, -1.25, 2, 1, -0.75, 0.3} // [2, 3]
	y := []float32{1.5, 0.25, -2, 0.4, 1.1, 3}
	each := func(f func(float64) float64) []float64 {
		out := make([]float64, len(x))
		for i, v := range x {
			out[i] = f(float64(v))
		}
		return out
	}
	both := func(f func(a, b float64) float64) []float64 {
		out := make([]float64, len(x))
		for i := range x {
			out[i] = f(float64(x[i]), float64(y[i]))
		}
		return out
	}
	row := func(r int, f func(float64)) {
		for _, v := range x[3*r : 3*r+3] {
			f(float64(v))
		}
	}
	rows := func(f func(r int) float64) []float64 { return []float64{f(0), f(1)} }
	sumExp := func(r int) (s float64) {
		row(r, func(v float64) { s += math.Exp(v) })
		return s
	}
	norm := func(v []float32) (s float64) {
		for _, a := range v {
			s += float64(a) * float64(a)
		}
		return math.Sqrt(s)
	}
	along := func(f func(r int, v float64) float64) (out []float64) {
		for i, v := range x {
			out = append(out, f(i/3, float64(v)))
		}
		return out
	}
	dot := func(a, b []float32) (s float64) {
		for i := range a {
			s += float64(a[i]) * float64(b[i])
		}
		return s
	}
	type T = torch.Tensor
	for name, c := range map[string]struct {
		op    func(x, y T) T
		want  []float64
		shape []int
	}{
		"add":         {func(x, y T) T { return x.Add(y) }, both(func(a, b float64) float64 { return a + b }), []int{2, 3}},
		"sub":         {func(x, y T) T { return x.Sub(y) }, both(func(a, b float64) float64 { return a - b }), []int{2, 3}},
		"plus":        {func(x, y T) T { return x.Plus(0.3, y) }, both(func(a, b float64) float64 { return a + 0.3*b }), []int{2, 3}},
		"mul":         {func(x, y T) T { return x.Mul(y) }, both(func(a, b float64) float64 { return a * b }), []int{2, 3}},
		"div":         {func(x, y T) T { return x.Div(y) }, both(func(a, b float64) float64 { return a / b }), []int{2, 3}},
		"scale":       {func(x, _ T) T { return x.Scale(-3) }, each(func(v float64) float64 { return -3 * v }), []int{2, 3}},
		"shift":       {func(x, _ T) T { return x.Shift(2) }, each(func(v float64) float64 { return v + 2 }), []int{2, 3}},
		"exp":         {func(x, _ T) T { return x.Exp() }, each(math.Exp), []int{2, 3}},
		"log, square": {func(x, _ T) T { return x.Square().Log() }, each(func(v float64) float64 { return math.Log(v * v) }), []int{2, 3}},
		"sqrt, abs":   {func(x, _ T) T { return x.Abs().Sqrt() }, each(func(v float64) float64 { return math.Sqrt(math.Abs(v)) }), []int{2, 3}},
		"relu":        {func(x, _ T) T { return x.ReLU() }, each(func(v float64) float64 { return max(v, 0) }), []int{2, 3}},
		"at least":    {func(x, _ T) T { return x.AtLeast(0.4) }, each(func(v float64) float64 { return max(v, float64(float32(0.4))) }), []int{2, 3}},
		"sigmoid":     {func(x, _ T) T { return x.Sigmoid() }, each(func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }), []int{2, 3}},
		"tanh":        {func(x, _ T) T { return x.Tanh() }, each(math.Tanh), []int{2, 3}},
		"softplus":    {func(x, _ T) T { return x.Softplus() }, each(func(v float64) float64 { return math.Log1p(math.Exp(v)) }), []int{2, 3}},
		"sum":         {func(x, _ T) T { return x.Sum() }, []float64{1.8}, nil},
		"sum of rows": {func(x, _ T) T { return x.Sum(1) }, []float64{1.25, 0.55}, []int{2}},
		"mean":        {func(x, _ T) T { return x.Mean() }, []float64{0.3}, nil},
		"mean of all": {func(x, _ T) T { return x.Mean(0, 1) }, []float64{0.3}, nil},
		"max":         {func(x, _ T) T { return x.Max(0) }, []float64{1, -0.75, 2}, []int{3}},
		"max of all":  {func(x, _ T) T { return x.Max() }, []float64{2}, nil},
		"logsumexp":   {func(x, _ T) T { return x.LogSumExp(1) }, rows(func(r int) float64 { return math.Log(sumExp(r)) }), []int{2}},
		"softmax":     {func(x, _ T) T { return x.Softmax(1) }, along(func(r int, v float64) float64 { return math.Exp(v) / sumExp(r) }), []int{2, 3}},
		"logsoftmax":  {func(x, _ T) T { return x.LogSoftmax(1) }, along(func(r int, v float64) float64 { return v - math.Log(sumExp(r)) }), []int{2, 3}},
		"normalize":   {func(x, _ T) T { return x.Normalize(1) }, along(func(r int, v float64) float64 { return v / norm(x[3*r:3*r+3]) }), []int{2, 3}},
		"cosine": {func(x, y T) T { return x.Cosine(y) }, rows(func(r int) float64 {
			a, b := x[3*r:3*r+3], y[3*r:3*r+3]
			return dot(a, b) / (norm(a) * norm(b))
		}), []int{2}},
		"matmul, transpose": {func(x, y T) T { return x.MatMul(y.Transpose()) },
			[]float64{dot(x[:3], y[:3]), dot(x[:3], y[3:]), dot(x[3:], y[:3]), dot(x[3:], y[3:])}, []int{2, 2}},
		"reshape": {func(x, _ T) T { return x.Reshape(-1, 2) }, each(func(v float64) float64 { return v }), []int{3, 2}},
		"cat":     {func(x, y T) T { return torch.Cat(0, x, y.Select(0, []int64{1})) }, append(each(func(v float64) float64 { return v }), 0.4, 1.1, 3), []int{3, 3}},
		"select":  {func(x, _ T) T { return x.Select(1, []int64{2, 0, 2}) }, []float64{2, 0.5, 2, 0.3, 1, 0.3}, []int{2, 3}},
		"pick":    {func(x, _ T) T { return x.Pick([]int64{2, 0}) }, []float64{2, 1}, []int{2}},
		"cross-entropy": {func(x, _ T) T { return x.CrossEntropy([]int64{1, 2}) },
			[]float64{math.Log(sumExp(0)) + 1.25, math.Log(sumExp(1)) - 0.3}, []int{2}},
		"broadcast":   {func(x, y T) T { return x.Mul(y.Select(0, []int64{0})) }, []float64{0.75, -0.3125, -4, 1.5, -0.1875, -0.6}, []int{2, 3}},
		"a scalar of": {func(x, y T) T { return x.Sum().Mul(y.Mean()) }, []float64{1.8 * 4.25 / 6}, nil},
	} {
		within(t, func(b *torch.Batch) {
			a, other := b.Tensor(x, 2, 3).Variable(), b.Tensor(y, 2, 3)
			out := c.op(a, other)
			if !slices.Equal(out.Shape(), c.shape) {
				t.Errorf("%s: shape %v, want %v", name, out.Shape(), c.shape)
			}
			got := out.Floats()
			for i, want := range c.want {
				if math.Abs(float64(got[i])-want) > 1e-5 {
					t.Errorf("%s: value %d is %g, want %g", name, i, got[i], want)
				}
			}
			// The derivative of a weighted sum of the values along a direction.
			weights := b.Tensor(noise(41, len(got), 1), c.shape...)
			sum := func(x T) T { return c.op(x, other).Mul(weights).Sum() }
			way := noise(42, len(x), 1)
			slope := 0.0
			for i, g := range sum(a).Gradient(a)[0].Floats() {
				slope += float64(g) * float64(way[i])
			}
			const h = 1e-2
			side := func(h float64) float64 { return sum(a.Detach().Plus(h, b.Tensor(way, 2, 3))).Item() }
			if numeric := (side(h) - side(-h)) / (2 * h); math.Abs(numeric-slope) > 2e-3*(1+math.Abs(slope)) {
				t.Errorf("%s: slope %g, the difference of the values says %g", name, slope, numeric)
			}
		})
	}
}

// TestTensorGradients checks derivatives of derivatives, derivatives with respect to several tensors, and with respect to a
// tensor on which the scalar does not depend.
func TestTensorGradients(t *testing.T) {
	within(t, func(b *torch.Batch) {
		x, y, z := b.Tensor([]float32{2}).Variable(), b.Tensor([]float32{5}).Variable(), b.Tensor([]float32{1, 2}, 2).Variable()
		f := x.Square().Mul(x).Mul(y) // x³ y
		g := f.Gradient(x, y, z)
		second := g[0].Gradient(x, y)
		got := fmt.Sprint(g[0].Item(), g[1].Item(), g[2].Floats(), second[0].Item(), second[1].Item())
		if want := "60 8 [0 0] 60 12"; got != want { // 3x²y, x³, 0; 6xy, 3x²
			t.Errorf("%s, want %s", got, want)
		}
		if equal := b.Tensor([]float32{1, 2, 3}, 3).Equal(b.Tensor([]float32{1, 5, 3}, 3)).Floats(); !slices.Equal(equal, []float32{1, 0, 1}) {
			t.Error("Equal: ", equal)
		}
		if len(f.Gradient()) != 0 {
			t.Error("derivatives by nothing")
		}
	})
}

// TestBatch checks that the batch has the samples, labels and images of the job, the features and logits of the received
// and of the current weights, and the parameters by name.
func TestBatch(t *testing.T) {
	net, images, job := parityJob(t, "lenet", true, 100, models.Options{})
	job.LabelMap = []uint8{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}
	sgd := paritySGD
	seen := 0
	sgd.Objective = torch.ObjectiveFunc(func(b *torch.Batch) (torch.Tensor, error) {
		order := job.Order[b.Epoch]
		number := b.Step - 5*b.Epoch
		want := order[5*number : min(5*number+5, len(order))]
		if b.Step != seen || !slices.Equal(b.Positions, want) || !slices.Equal(b.Samples, want) || b.Job.Client != 7 || b.Network() != net {
			t.Errorf("epoch %d, step %d: positions %v, want %v", b.Epoch, b.Step, b.Positions, want)
		}
		seen++
		for i, h := range hashed(3, parityN) {
			if r := slices.Index(b.Samples, int32(i)); r >= 0 && b.Labels[r] != 9-int64(h%10) {
				t.Errorf("sample %d has label %d", i, b.Labels[r])
			}
		}
		if got := b.Images.Shape(); !slices.Equal(got, []int{len(want), 1, 28, 28}) {
			t.Errorf("images of shape %v", got)
		}
		f, z := b.ForwardReceived(b.Images)
		state := func(name string, current torch.Tensor) {
			near(t, name, current.Floats(), b.Weight(name).Received.Floats(), map[bool]float64{true: 0, false: 1}[b.Step == 0])
		}
		state("head.weight", b.Weight("head.weight").Current)
		if b.Step == 0 {
			for i, own := range b.Features() {
				near(t, "features", own.Floats(), f[i].Floats(), 1e-6)
			}
			near(t, "logits", b.Logits().Floats(), z.Floats(), 1e-6)
		} else if slices.Equal(b.Logits().Floats(), z.Floats()) {
			t.Error("the weights do not move")
		}
		weights := b.Weights()
		if n := len(weights); n != len(net.Params()) || weights[n-1].Name != "head.bias" || weights[0].Part != torch.Primary {
			t.Errorf("%d weights", n)
		}
		return b.CrossEntropy(), nil
	})
	trainOne(t, newEager(t), net, images, job, torch.All, sgd)
	if seen != 10 {
		t.Errorf("%d batches", seen)
	}
}
