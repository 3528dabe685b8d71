package torch_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"feddag/models"
	"feddag/torch"
)

// noise returns n values of a hash stream, uniform in ±scale.
func noise(stream uint32, n int, scale float64) []float32 {
	x := make([]float32, n)
	for i, h := range hashed(stream, n) {
		x[i] = float32((2*(float64(h)/(1<<32)) - 1) * scale)
	}
	return x
}

// TestRulesOfStepsAgree checks that one step per epoch with the mean gradient, and Per-FedAvg's steps of both orders, are the
// same on every executor.
func TestRulesOfStepsAgree(t *testing.T) {
	for name, change := range map[string]func(*torch.SGD){
		"whole epochs":       func(s *torch.SGD) { s.Whole, s.Momentum = true, 0.5 },
		"first order":        func(s *torch.SGD) { s.Meta = &torch.Meta{Alpha: 0.05} },
		"second order":       func(s *torch.SGD) { s.Meta = &torch.Meta{Alpha: 0.05, Delta: 0.01} },
		"one batch a client": func(s *torch.SGD) { s.Meta, s.Batch = &torch.Meta{Alpha: 0.05}, 100 },
	} {
		t.Run(name, func(t *testing.T) {
			net, images, job := parityJob(t, "lenet", false, 100, models.Options{})
			sgd := paritySGD
			change(&sgd)
			agree(t, net, images, job, torch.All, sgd)
			net, images, job = parityJob(t, "lenet", true, 100, models.Options{Dropout: 0.3})
			agree(t, net, images, job, torch.Primary|torch.Head, sgd)
		})
	}
}

// TestWholeEpochIsOneLargeBatch checks that a whole epoch is one step of one large batch.
func TestWholeEpochIsOneLargeBatch(t *testing.T) {
	net, images, job := parityJob(t, "lenet", false, 100, models.Options{})
	one, many := paritySGD, paritySGD
	one.Batch, many.Whole = 100, true
	var ends [][]float32
	for _, sgd := range []torch.SGD{one, many} {
		trained, err := newEngine(t, 1).Train(net, images, []torch.Job{job}, torch.All, sgd)
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, values(t, trained[0].End))
		trained[0].End.Close()
	}
	for i := range ends[0] {
		if math.Abs(float64(ends[0][i]-ends[1][i])) > 1e-6 {
			t.Fatalf("value %d: %g and %g", i, ends[0][i], ends[1][i])
		}
	}
}

// TestMetaWithoutInnerStepIsSGD checks that with α = 0, Per-FedAvg's steps of both orders give the same bits as SGD on every
// second batch.
func TestMetaWithoutInnerStepIsSGD(t *testing.T) {
	net, images, job := parityJob(t, "lenet", false, 100, models.Options{})
	sgd := paritySGD
	sgd.Momentum, sgd.Batch = 0, 4 // batches of 4, 4, 4, 4, 4, 2
	second := job
	second.Order = nil
	for _, order := range job.Order {
		second.Order = append(second.Order, slices.Concat(order[4:8], order[12:16], order[20:22]))
	}
	var kept []int32 // the samples of those batches, in a separate order
	end := func(job torch.Job, sgd torch.SGD) []float32 {
		trained, err := newEngine(t, 1).Train(net, images, []torch.Job{job}, torch.All, sgd)
		if err != nil {
			t.Fatal(err)
		}
		defer trained[0].End.Close()
		return values(t, trained[0].End)
	}
	plain := job.Start
	for _, order := range second.Order { // one epoch at a time, because each has other samples
		kept = nil
		for _, p := range order {
			kept = append(kept, job.Samples[p])
		}
		whole := make([]int32, len(kept))
		for i := range whole {
			whole[i] = int32(i)
		}
		plain = vectorOf(t, end(torch.Job{Start: plain, Samples: kept, Order: [][]int32{whole}}, sgd)...)
	}
	sgd.Meta = &torch.Meta{}
	if !slices.Equal(end(job, sgd), values(t, plain)) {
		t.Error("first order, α = 0: other bits than SGD on every second batch")
	}
	first := end(job, sgd)
	sgd.Meta, sgd.LearningRate = &torch.Meta{Alpha: 0.1, Delta: 0.01}, 0
	if !slices.Equal(end(job, sgd), values(t, job.Start)) || slices.Equal(first, values(t, job.Start)) {
		t.Error("β = 0 moves the weights, or nothing does")
	}
}

// contrast returns FedBR's objective on random images, and a projection for it.
func contrast(t *testing.T, net *torch.Network, items int) (*torch.Contrast, *torch.Vector) {
	t.Helper()
	in := net.Input()
	c := &torch.Contrast{Mu: 0.5, Lambda: 1, Tau1: 2, Tau2: 2, Rate: 0.05}
	c.Images = vectorOf(t, noise(21, items*in[0]*in[1]*in[2], 1)...)
	return c, vectorOf(t, noise(22, c.Size(net.Features()), 0.1)...)
}

// TestObjectivesAgree checks that the hand-written gradients of the other objectives equal those of autograd, over ten steps
// of lenet and one step of cnn. In cnn, an activation is sometimes so near to 0 that rounding decides its sign, and later
// steps diverge.
func TestObjectivesAgree(t *testing.T) {
	for _, model := range []string{"lenet", "cnn"} {
		sgd, epochs := paritySGD, parityEpochs
		if model == "cnn" {
			sgd.Batch, epochs = parityN, 1
		}
		net, images, job := parityJob(t, model, true, 100, models.Options{})
		job.Order = job.Order[:epochs]
		sgd.Objective = &torch.Diverse{Lambda: 0.7}
		agree(t, net, images, job, torch.All, sgd)
		agree(t, net, images, job, torch.Primary|torch.Head, sgd)

		net, images, job = parityJob(t, model, false, 100, models.Options{})
		job.Order = job.Order[:epochs]
		for _, items := range []int{3, 5, 8} { // fewer than a batch, as many, more
			c, p := contrast(t, net, items)
			sgd.Objective, job.Extra = c, p
			agree(t, net, images, job, torch.All, sgd)
		}
	}
}

// TestProjectionClimbs checks that the projection is trained the same way by all executors, and that only it changes if the
// features are frozen.
func TestProjectionClimbs(t *testing.T) {
	net, images, job := parityJob(t, "lenet", false, 100, models.Options{})
	c, p := contrast(t, net, 5)
	job.Extra = p
	sgd := paritySGD
	sgd.LearningRate, sgd.Objective = 0, c
	ends := map[string][]float32{}
	for name, executor := range executors(t) {
		trained, err := executor.Train(net, images, []torch.Job{job}, torch.All, sgd)
		if err != nil {
			t.Fatal(name, err)
		}
		ends[name] = values(t, trained[0].Extra)
		if l := trained[0].Loss; !(l[1] > l[0]) {
			t.Errorf("%s: the loss went from %g to %g as the projection climbed", name, l[0], l[1])
		}
		trained[0].End.Close()
		trained[0].Extra.Close()
	}
	for name, end := range ends {
		for i, w := range ends["eager"] {
			if math.Abs(float64(end[i]-w)) > 1e-5 {
				t.Fatalf("%s: P[%d] is %g, eager's %g", name, i, end[i], w)
			}
		}
	}
	if slices.Equal(ends["engine"], values(t, p)) {
		t.Error("the projection did not move")
	}
	// With τ1 = τ2 = 0 the contrast is log 2 whatever the features, and with µ, λ = 0 there is only the cross-entropy.
	loss := func(mu, tau float64) float64 {
		c.Mu, c.Lambda, c.Tau1, c.Tau2 = mu, 0, tau, tau
		trained, err := newEngine(t, 1).Train(net, images, []torch.Job{job}, torch.All, sgd)
		if err != nil {
			t.Fatal(err)
		}
		trained[0].End.Close()
		trained[0].Extra.Close()
		return trained[0].Loss[0]
	}
	if got := loss(3, 0) - loss(0, 2); math.Abs(got-3*math.Log(2)) > 1e-5 {
		t.Errorf("the contrast with τ = 0 is %g, log 2 is %g", got/3, math.Log(2))
	}
}

// mixJob returns FedMix's objective on two mean images.
func mixJob(net *torch.Network, job torch.Job, t *testing.T) (*torch.Mix, torch.Job) {
	in := net.Input()
	labels := make([]float32, 20)
	for c := range 10 {
		labels[c], labels[10+c] = 0.1, 0
	}
	labels[13], labels[14] = 0.25, 0.75
	m := &torch.Mix{Lambda: 0.2, Epsilon: 0.05, Labels: vectorOf(t, labels...)}
	m.Images = vectorOf(t, noise(23, 2*in[0]*in[1]*in[2], 1)...)
	job.Mix = nil
	for _, h := range hashed(24, parityEpochs*((parityN+paritySGD.Batch-1)/paritySGD.Batch)) {
		job.Mix = append(job.Mix, int32(h%2))
	}
	return m, job
}

// TestMixIsTheSecondDerivative checks that on a network without kinks, the central difference equals the second derivative,
// so that all executors agree.
func TestMixIsTheSecondDerivative(t *testing.T) {
	_, images, job := parityJob(t, "lenet", false, 100, models.Options{})
	net, err := torch.NewNetwork([]torch.Layer{torch.Flatten{}}, [3]int{1, 28, 28}, 10, false)
	if err != nil {
		t.Fatal(err)
	}
	job.Start = vectorOf(t, noise(25, net.Len(), 0.03)...)
	sgd := paritySGD
	m, job := mixJob(net, job, t)
	sgd.Objective = m
	m.Epsilon = 0.01
	agree(t, net, images, job, torch.All, sgd)
}

// TestMixOfRepeatedSamples checks that b copies of a sample have the same loss as a single one, because the last term is a
// sum over samples of the derivative of a mean.
func TestMixOfRepeatedSamples(t *testing.T) {
	net, images, job := parityJob(t, "lenet", false, 100, models.Options{})
	m, _ := mixJob(net, job, t)
	sgd := paritySGD
	sgd.Objective, sgd.LearningRate, sgd.Batch = m, 0, 8
	for name, executor := range executors(t) {
		var losses []float64
		for _, b := range []int{1, 8} {
			j := torch.Job{Start: job.Start, Samples: slices.Repeat([]int32{3}, b), Mix: []int32{1}}
			order := make([]int32, b)
			for i := range order {
				order[i] = int32(i)
			}
			j.Order = [][]int32{order}
			trained, err := executor.Train(net, images, []torch.Job{j}, torch.All, sgd)
			if err != nil {
				t.Fatal(name, err)
			}
			trained[0].End.Close()
			losses = append(losses, trained[0].Loss[0])
		}
		if math.Abs(losses[0]-losses[1]) > 1e-4*losses[0] {
			t.Errorf("%s: losses %g alone, %g of eight", name, losses[0], losses[1])
		}
	}
}

// TestMixLossOnLeNet checks that on a network with kinks, the loss itself equals the loss with the second derivative to 1e-3.
func TestMixLossOnLeNet(t *testing.T) {
	net, images, job := parityJob(t, "lenet", false, 100, models.Options{})
	m, job := mixJob(net, job, t)
	sgd := paritySGD
	sgd.Objective, sgd.LearningRate = m, 0
	losses := map[string]float64{}
	for name, executor := range executors(t) {
		trained, err := executor.Train(net, images, []torch.Job{job}, torch.All, sgd)
		if err != nil {
			t.Fatal(name, err)
		}
		trained[0].End.Close()
		losses[name] = trained[0].Loss[0]
	}
	for name, l := range losses {
		if math.Abs(l-losses["eager"]) > 1e-3 {
			t.Errorf("%s: loss %g, eager %g", name, l, losses["eager"])
		}
	}
}

// TestObjectiveErrors checks that every executor refuses objectives that do not fit, with an error that names the client.
func TestObjectiveErrors(t *testing.T) {
	net, images, job := parityJob(t, "lenet", false, 100, models.Options{})
	dual, _, dualJob := parityJob(t, "lenet", true, 100, models.Options{})
	m, mixed := mixJob(net, job, t)
	c, p := contrast(t, net, 5)
	contrasted := job
	contrasted.Extra = p
	short := mixed
	short.Mix = short.Mix[1:]
	outside := mixed
	outside.Mix = slices.Clone(mixed.Mix)
	outside.Mix[3] = 2
	weighted := contrasted
	weighted.Weights = make([]float32, parityN)
	for name, executor := range executors(t) {
		for what, x := range map[string]struct {
			net   *torch.Network
			job   torch.Job
			parts torch.Part
			o     torch.Objective
			meta  *torch.Meta
			want  string
		}{
			"one encoder":       {net, job, torch.All, &torch.Diverse{Lambda: 1}, nil, "two encoders"},
			"two encoders":      {dual, dualJob, torch.All, m, nil, "one encoder"},
			"a frozen part":     {net, mixed, torch.Head, m, nil, "all of it trained"},
			"too few items":     {net, short, torch.All, m, nil, "9 items to mix for 10 steps"},
			"an item outside":   {net, outside, torch.All, m, nil, "item 2 is to be mixed, but there are 2"},
			"no projection":     {net, job, torch.All, c, nil, "the projection does not have"},
			"no images":         {net, contrasted, torch.All, &torch.Contrast{}, nil, "not whole images"},
			"no labels":         {net, mixed, torch.All, &torch.Mix{Epsilon: 1, Images: m.Images}, nil, "labels for 2"},
			"no width":          {net, mixed, torch.All, &torch.Mix{Images: m.Images, Labels: m.Labels}, nil, "central difference"},
			"weighted samples":  {net, weighted, torch.All, c, nil, "equal sample weights"},
			"steps of the meta": {net, contrasted, torch.All, c, &torch.Meta{}, "steps of SGD"},
		} {
			sgd := paritySGD
			sgd.Objective, sgd.Meta = x.o, x.meta
			_, err := executor.Train(x.net, images, []torch.Job{x.job}, x.parts, sgd)
			if err == nil || !strings.Contains(err.Error(), "client 7: ") || !strings.Contains(err.Error(), x.want) {
				t.Errorf("%s, %s: %v, want %q", name, what, err, x.want)
			}
		}
	}
}
