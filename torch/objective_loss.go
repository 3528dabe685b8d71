package torch

// This file has the losses of the objectives that the engines implement, written like the objectives of other packages.

// Loss implements [Objective].
func (o *Diverse) Loss(b *Batch) (Tensor, error) {
	f := b.Features()
	return b.CrossEntropy().Plus(o.Lambda, f[0].Cosine(f[1]).Square().Mean()), nil
}

// Loss implements [Objective]. The last term has a second derivative.
func (m *Mix) Loss(b *Batch) (Tensor, error) {
	net, item := b.Network(), int(b.Job.Mix[b.Step])
	in := net.Input()
	pixels := in[0] * in[1] * in[2]
	image := b.Vector(m.Images, item*pixels, 1, in[0], in[1], in[2])
	label := b.Vector(m.Labels, item*net.classes, 1, net.classes)

	mixed := b.Images.Scale(1 - m.Lambda).Variable()
	_, logits := b.Forward(mixed)
	own := logits.CrossEntropy(b.Labels).Mean().Scale(1 - m.Lambda)
	shared := logits.LogSoftmax(1).Mul(label).Sum(1).Mean().Scale(-1)
	slope := own.Gradient(mixed)[0].Mul(image).Sum()
	return own.Plus(m.Lambda, shared).Plus(m.Lambda, slope), nil
}

// Loss implements [Objective].
func (c *Contrast) Loss(b *Batch) (Tensor, error) {
	in := b.Network().Input()
	n := c.Images.Len() / (in[0] * in[1] * in[2])
	pseudo := b.Vector(c.Images, 0, n, in[0], in[1], in[2])
	global := b.Once("features of the pseudo-images", func() Tensor {
		f, _ := b.ForwardReceived(pseudo)
		return f[0]
	})
	z := b.Features()[0]
	f, logits := b.Forward(pseudo)
	pairs := make([]int64, len(b.Labels)) // row r of the batch is paired with pseudo-image r mod their number
	for r := range pairs {
		pairs[r] = int64(r % n)
	}
	zp, zg := f[0].Select(0, pairs), global.Select(0, pairs)

	p := b.Extra()
	climbed := p.Plus(c.Rate, c.contrast(p, zp.Detach(), zg, z.Detach()).Gradient(p)[0]).Detach()
	b.SetExtra(climbed)
	loss := b.CrossEntropy().Plus(c.Mu, c.contrast(climbed, zp, zg, z))
	return loss.Plus(-c.Lambda, logits.LogSoftmax(1).Mean()), nil
}

// contrast returns L_con, where p is the projection P.
func (c *Contrast) contrast(p, zp, zg, z Tensor) Tensor {
	a := c.project(p, zp)
	near, far := a.Cosine(c.project(p, zg)), a.Cosine(c.project(p, z))
	return far.Scale(c.Tau2).Plus(-c.Tau1, near).Softplus().Mean()
}

// project returns P z.
func (*Contrast) project(p, z Tensor) Tensor {
	h, begin := z.Shape()[1], 0
	next := func(shape ...int) Tensor { // the next values of p
		index := make([]int64, sizeOf(shape))
		for i := range index {
			index[i] = int64(begin + i)
		}
		begin += len(index)
		return p.Select(0, index).Reshape(shape...)
	}
	for i, widths := range [][2]int{{h, 2 * h}, {2 * h, 2 * h}, {2 * h, h}} {
		weight := next(widths[1], widths[0])
		if z = z.MatMul(weight.Transpose()).Add(next(widths[1])); i < 2 {
			z = z.ReLU()
		}
	}
	return z
}
