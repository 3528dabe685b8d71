package algorithm

import (
	"fmt"
	"math"

	"feddag/federation"
	"feddag/internal/stream"
	"feddag/torch"

	"github.com/spf13/pflag"
)

func init() {
	federation.Register("fedbr", "FedAvg with a contrastive loss on shared pseudo-images against biased features", func() federation.Algorithm {
		a := &FedBR{Mu: 0.5, Lambda: 1, Tau1: 2, Tau2: 2, Mean: 10}
		a.Local = a.trainContrastive
		return a
	})
}

// FedBR reduces the bias of local training (Guo, Tang, Lin, ICML 2023). All clients share a few pseudo-images. Each is the
// mean of random images of one random client (the authors' variant RSM), and its label is uniform over the classes. Let
// z = φ(x) be the features of a batch, z_p the features of the pseudo-images, and z_g their features under the received
// weights. A step is
//
//	L_con = -mean log[ e^{τ1 cos(P z_p, P z_g)} / (e^{τ1 cos(P z_p, P z_g)} + e^{τ2 cos(P z_p, P z)}) ]
//	first the projection P ascends L_con by plain SGD, with the features constant;
//	then the network descends CE + µ L_con + λ CE(z_p, uniform), with P constant.
//
// Both the network and the projection are sent, and averaged with the weights n_i. P is an MLP whose hidden layers have
// twice the width of the features (see [torch.Contrast]).
//
// The defaults are those of the authors' code (github.com/LINs-lab/FedBR, fedbr/algorithms.py, hparams_registry.py): µ = 0.5,
// λ = 1, τ1 = τ2 = 2, as many pseudo-images as a batch has images, and means of 10 images. The authors train by plain SGD.
// Here the network is trained by the run's optimiser, and P with the run's learning rate but without momentum.
type FedBR struct {
	FedAvg
	Mu, Lambda   float64 // µ, λ; if both are 0, the method is FedAvg
	Tau1, Tau2   float64 // τ1, τ2, factors of the cosines
	PseudoImages int     // number of pseudo-images; 0 means the batch size
	Mean         int     // number of images that are averaged into one pseudo-image

	pseudo     *torch.Vector // X_p, [PseudoImages, C, H, W]
	projection *torch.Vector // weights of P
	projected  torch.Vectors // the clients' projections after the local training of the current round
}

// Flags implements [federation.Flagger].
func (a *FedBR) Flags(fs *pflag.FlagSet) {
	fs.Float64Var(&a.Mu, "fedbr-mu", a.Mu, "weight µ of the contrastive loss")
	fs.Float64Var(&a.Lambda, "fedbr-lambda", a.Lambda, "weight λ of the cross-entropy of the pseudo-images; µ = λ = 0 gives FedAvg")
	fs.Float64Var(&a.Tau1, "fedbr-tau1", a.Tau1, "factor τ1 of the cosine to the received model's features")
	fs.Float64Var(&a.Tau2, "fedbr-tau2", a.Tau2, "factor τ2 of the cosine to the batch's features")
	fs.IntVar(&a.PseudoImages, "fedbr-pseudo-images", a.PseudoImages, "number of shared pseudo-images; 0 means as many as a batch has")
	fs.IntVar(&a.Mean, "fedbr-mean", a.Mean, "number of images of one client that are averaged into a pseudo-image")
}

// Validate implements [federation.Validator].
func (a *FedBR) Validate() error {
	for flag, x := range map[string]float64{"mu": a.Mu, "lambda": a.Lambda, "tau1": a.Tau1, "tau2": a.Tau2} {
		if !(x >= 0 && !math.IsInf(x, 0)) {
			return fmt.Errorf("--fedbr-%s is %g: use 0 or more", flag, x)
		}
	}
	if a.PseudoImages < 0 || a.Mean < 1 {
		return fmt.Errorf("--fedbr-pseudo-images is %d and --fedbr-mean is %d: use 0 (the batch size) or more for the former, and 1 or more for the latter", a.PseudoImages, a.Mean)
	}
	return nil
}

// Init implements [federation.Algorithm].
func (a *FedBR) Init(env *federation.Env) error {
	if a.Mu == 0 && a.Lambda == 0 {
		env.Warn("--fedbr-mu and --fedbr-lambda are 0: the method is FedAvg")
	}
	if err := a.FedAvg.Init(env); err != nil {
		return err
	}
	count := a.PseudoImages
	if count == 0 {
		count = env.Batch
	}
	random, clients := stream.New(env.Seed, "fedbr"), env.Present()
	var pseudo []float32
	for range count {
		c := clients[random.IntN(len(clients))]
		var samples []int32
		for _, k := range random.Perm(c.Size())[:min(a.Mean, c.Size())] {
			samples = append(samples, c.Train[k])
		}
		image, _ := meanSample(env, c, samples)
		pseudo = append(pseudo, image...)
		env.Ledger.Up(c, "pseudo-images", len(image))
	}
	for _, c := range clients {
		env.Ledger.Down(c, "pseudo-images", len(pseudo))
	}
	h := a.Net.Features()
	p := make([]float32, 0, (*torch.Contrast)(nil).Size(h))
	for _, layer := range [][2]int{{h, 2 * h}, {2 * h, 2 * h}, {2 * h, h}} { // initialised like PyTorch's linear layers
		bound := 1 / math.Sqrt(float64(layer[0]))
		for range (layer[0] + 1) * layer[1] {
			p = append(p, float32((2*random.Float64()-1)*bound))
		}
	}
	return a.upload(pseudo, p)
}

// upload copies the pseudo-images and the projection to the device.
func (a *FedBR) upload(pseudo, p []float32) (err error) {
	if a.pseudo, err = torch.VectorOf(a.Env.Device, pseudo); err != nil {
		return err
	}
	a.projection, err = torch.VectorOf(a.Env.Device, p)
	return err
}

// trainContrastive trains every client with its own copy of P, and keeps the trained copies in projected.
func (a *FedBR) trainContrastive(jobs []torch.Job, t int, phase federation.Phase) ([]torch.Trained, error) {
	sgd := a.Env.SGD()
	if a.Mu > 0 || a.Lambda > 0 {
		sgd.Objective = &torch.Contrast{
			Mu: a.Mu, Lambda: a.Lambda, Tau1: a.Tau1, Tau2: a.Tau2, Rate: sgd.LearningRate, Images: a.pseudo,
		}
		for i := range jobs {
			jobs[i].Extra = a.projection
		}
	}
	trained, err := a.Env.LocalTraining(a.Net, jobs, t, phase, torch.All, sgd, a.Env.Epochs)
	a.projected = nil
	for _, r := range trained {
		if r.Extra != nil {
			a.projected = append(a.projected, r.Extra)
		}
	}
	return trained, err
}

// Round implements [federation.Algorithm]: the projections are averaged like the models.
func (a *FedBR) Round(env *federation.Env, t int, cohort []*federation.Client) (federation.Report, error) {
	defer func() { a.projected.Close() }()
	cohort = federation.ByID(cohort)
	report, err := a.FedAvg.Round(env, t, cohort)
	if err != nil || a.projected == nil {
		return report, err
	}
	if err := a.projection.SetMean(a.projected, federation.Sizes(cohort), a.projection.Range()); err != nil {
		for _, l := range report.Trained {
			l.Close()
		}
		return federation.Report{}, err
	}
	for _, c := range cohort {
		env.Ledger.Down(c, "projection", a.projection.Len())
		env.Ledger.Up(c, "projection", a.projection.Len())
	}
	return report, nil
}

// Join implements [federation.Newcomer]: a newcomer uses the global model, and receives the pseudo-images.
func (a *FedBR) Join(env *federation.Env, t int, newcomers []*federation.Client) error {
	for _, c := range newcomers {
		env.Ledger.Down(c, "pseudo-images", a.pseudo.Len())
	}
	return a.FedAvg.Join(env, t, newcomers)
}

// Adapt implements [federation.Adapter].
func (a *FedBR) Adapt(env *federation.Env, clients []*federation.Client) ([]federation.Local, error) {
	defer func() { a.projected.Close() }()
	return a.FedAvg.Adapt(env, clients)
}

// Close implements [federation.Algorithm].
func (a *FedBR) Close() {
	a.FedAvg.Close()
	a.pseudo.Close()
	a.projection.Close()
}

// Save implements [federation.Checkpointer].
func (a *FedBR) Save() (federation.Saved, error) {
	s, err := a.FedAvg.Save()
	if err != nil {
		return s, err
	}
	if s.Vectors["pseudo-images"], err = a.pseudo.Floats(); err != nil {
		return s, err
	}
	s.Vectors["projection"], err = a.projection.Floats()
	return s, err
}

// Load implements [federation.Checkpointer].
func (a *FedBR) Load(env *federation.Env, s federation.Saved) error {
	if err := a.FedAvg.Load(env, s); err != nil {
		return err
	}
	p := s.Vectors["projection"]
	if want := (*torch.Contrast)(nil).Size(a.Net.Features()); len(p) != want || len(s.Vectors["pseudo-images"]) == 0 {
		return fmt.Errorf("the checkpoint's projection has %d values and its pseudo-images have %d: this run needs a projection of %d values, and at least one pseudo-image", len(p), len(s.Vectors["pseudo-images"]), want)
	}
	return a.upload(s.Vectors["pseudo-images"], p)
}
