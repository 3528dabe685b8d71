package algorithm

import (
	"fmt"
	"slices"

	"feddag/federation"
	"feddag/internal/stream"
	"feddag/torch"

	"github.com/spf13/pflag"
)

func init() {
	federation.Register("fedmix", "FedAvg with the mean images of all clients mixed into every batch", func() federation.Algorithm {
		a := &FedMix{Lambda: 0.05, Epsilon: 0.05}
		a.Local = a.trainMixed
		return a
	})
}

// FedMix is FedAvg with mean augmented data (Yoon, Shin, Hwang, Yang, ICLR 2021). Before the first round every client sends
// the mean image and the mean label of each group of its samples, and the server sends all of them to every client. One of
// these means, (x̄, ȳ), is drawn for every batch. With x~ = (1-λ) x, a client descends the expansion of Mixup around x~,
//
//	(1-λ) mean CE(x~, y)  +  λ mean CE(x~, ȳ)  +  λ Σ_b <∂[(1-λ) mean CE(x~, y)]/∂x~_b, x̄>
//
// The last term is a plain sum over the batch of the derivatives of a mean; two reproductions divide it by the batch size
// once more. It is computed as a central difference of width Epsilon (see [torch.Mix]), which costs three passes per batch.
//
// λ = 0.05 and one group per client are the authors' values for CIFAR-10, and λ = 0.1 for CIFAR-100, according to the README
// of Flower's baseline (github.com/adap/flower, baselines/fedmix). The authors have published no code.
type FedMix struct {
	FedAvg
	Lambda  float64 // λ; 0 gives FedAvg
	Group   int     // number of samples that are averaged into one mean; 0 means all samples of the client
	Epsilon float64 // width of the central difference, in units of a mean image

	images, labels *torch.Vector // the means of all clients: [means, C, H, W] and [means, classes]
}

// Flags implements [federation.Flagger].
func (a *FedMix) Flags(fs *pflag.FlagSet) {
	fs.Float64Var(&a.Lambda, "fedmix-lambda", a.Lambda, "share λ of the mean image in a mixed image; 0 gives FedAvg")
	fs.IntVar(&a.Group, "fedmix-group", a.Group, "number of samples that are averaged into one mean image; 0 means all samples of the client")
	fs.Float64Var(&a.Epsilon, "fedmix-epsilon", a.Epsilon, "width of the central difference that approximates the derivative, in units of a mean image")
}

// Validate implements [federation.Validator].
func (a *FedMix) Validate() error {
	switch {
	case !(a.Lambda >= 0 && a.Lambda < 1):
		return fmt.Errorf("--fedmix-lambda is %g: use a number of at least 0 and below 1", a.Lambda)
	case a.Group < 0:
		return fmt.Errorf("--fedmix-group is %d: use 0 (all samples of the client) or more", a.Group)
	case !(a.Epsilon > 0 && a.Epsilon <= 1):
		return fmt.Errorf("--fedmix-epsilon is %g: use a number above 0 and at most 1", a.Epsilon)
	}
	return nil
}

// Init implements [federation.Algorithm].
func (a *FedMix) Init(env *federation.Env) error {
	if a.Lambda == 0 {
		env.Warn("--fedmix-lambda is 0: the method is FedAvg")
	}
	if err := a.FedAvg.Init(env); err != nil || a.Lambda == 0 {
		return err
	}
	var images, labels []float32
	clients := env.Present()
	for _, c := range clients {
		n := c.Size()
		if a.Group > 0 {
			n = a.Group
		}
		for samples := range slices.Chunk(c.Train, n) {
			image, label := meanSample(env, c, samples)
			images, labels = append(images, image...), append(labels, label...)
			env.Ledger.Up(c, "mean samples", len(image)+len(label))
		}
	}
	for _, c := range clients {
		env.Ledger.Down(c, "mean samples", len(images)+len(labels))
	}
	return a.upload(images, labels)
}

// upload copies the means to the device.
func (a *FedMix) upload(images, labels []float32) (err error) {
	if a.images, err = torch.VectorOf(a.Env.Device, images); err != nil {
		return err
	}
	a.labels, err = torch.VectorOf(a.Env.Device, labels)
	return err
}

// trainMixed trains the clients on mixed batches. The random stream of (seed, round, client, phase) chooses the mean of each
// step.
func (a *FedMix) trainMixed(jobs []torch.Job, t int, phase federation.Phase) ([]torch.Trained, error) {
	sgd := a.Env.SGD()
	if a.Lambda > 0 {
		sgd.Objective = &torch.Mix{Lambda: a.Lambda, Epsilon: a.Epsilon, Images: a.images, Labels: a.labels}
		means := a.labels.Len() / a.Env.Data.Classes
		for i, job := range jobs {
			random := stream.New(a.Env.Seed, "fedmix", uint64(t), uint64(job.Client), uint64(phase))
			steps := a.Env.Epochs * ((len(job.Samples) + sgd.Batch - 1) / sgd.Batch)
			for range steps {
				jobs[i].Mix = append(jobs[i].Mix, int32(random.IntN(means)))
			}
		}
	}
	return a.Env.LocalTraining(a.Net, jobs, t, phase, torch.All, sgd, a.Env.Epochs)
}

// Join implements [federation.Newcomer]: a newcomer uses the global model, and receives the means, which it mixes into its batches.
// It sends no means of its own, because the means are drawn up once, before the first round.
func (a *FedMix) Join(env *federation.Env, t int, newcomers []*federation.Client) error {
	if a.Lambda > 0 {
		for _, c := range newcomers {
			env.Ledger.Down(c, "mean samples", a.images.Len()+a.labels.Len())
		}
	}
	return a.FedAvg.Join(env, t, newcomers)
}

// Close implements [federation.Algorithm].
func (a *FedMix) Close() {
	a.FedAvg.Close()
	a.images.Close()
	a.labels.Close()
}

// Save implements [federation.Checkpointer].
func (a *FedMix) Save() (federation.Saved, error) {
	s, err := a.FedAvg.Save()
	if err != nil || a.images == nil {
		return s, err
	}
	if s.Vectors["mean-images"], err = a.images.Floats(); err != nil {
		return s, err
	}
	s.Vectors["mean-labels"], err = a.labels.Floats()
	return s, err
}

// Load implements [federation.Checkpointer].
func (a *FedMix) Load(env *federation.Env, s federation.Saved) error {
	if err := a.FedAvg.Load(env, s); err != nil || a.Lambda == 0 {
		return err
	}
	images, labels := s.Vectors["mean-images"], s.Vectors["mean-labels"]
	if len(labels) == 0 || len(images)/len(labels) != env.Data.Channels*env.Data.Height*env.Data.Width/env.Data.Classes {
		return fmt.Errorf("the checkpoint's mean images have %d values and its mean labels %d, which do not fit each other or the data set", len(images), len(labels))
	}
	return a.upload(images, labels)
}
