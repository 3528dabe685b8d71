// Package fblg implements client selection by feature graph, size and loss (Xu et al., 2024).
package fblg

import (
	"cmp"
	"fmt"
	"slices"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/internal/stream"
	"feddag/torch"

	"github.com/spf13/pflag"
	"gonum.org/v1/gonum/mat"
)

func init() {
	federation.Register("fblg", "FedAvg with clients selected by loss, size and distance from each other", func() federation.Algorithm {
		a := &FBLG{Candidates: 0.5}
		a.Book = a.exchange
		return a
	})
}

// FBLG is FedAvg with client selection by feature graph, size and loss (Xu et al., IJCAI 2024). Before the first round every
// client trains once from θ^0, only for its features: the server feeds one batch of Gaussian noise through each of these
// models, and f_i is the mean embedding of the batch. The distances D between clients are path lengths in a graph that is made
// from the f_i (see graphDistances). In a round every client sends the loss of w on its training data. The ⌊C N⌋ clients with
// the highest losses are the N_c candidates. Among the candidates, those M clients are selected that maximise
//
//	Σ_{i<=j} H_ij z_i z_j,   H_ii = n_i / Σ n,  H_ij = D_ij / (N_c (N_c - 1)),  z binary
//
// They are found by greedy ascent, followed by the best swaps of two clients as long as a swap increases the sum (the authors
// call Gurobi with a limit of 5 seconds). C = 0.5 is the authors' value (github.com/YingLi-Y/FBLG, README), and M is the size
// of the run's sample. The batch of noise has mean 0 and standard deviation 1, like normalised images. The authors use the mean
// and standard deviation of a batch of test images.
type FBLG struct {
	algorithm.FedAvg
	Candidates float64 // C, the share of the clients that are candidates

	features [][]float64 // f_i by client id, each with sum 1; nil for an absent client
}

// Flags implements [federation.Flagger].
func (a *FBLG) Flags(fs *pflag.FlagSet) {
	fs.Float64Var(&a.Candidates, "fblg-candidates", a.Candidates, "share C of the clients, those with the highest losses, among which the clients of a round are selected; above 0 and at most 1")
}

// Validate implements [federation.Validator].
func (a *FBLG) Validate() error {
	if !(a.Candidates > 0 && a.Candidates <= 1) {
		return fmt.Errorf("--fblg-candidates is %g: use a share above 0 and at most 1", a.Candidates)
	}
	return nil
}

// Init implements [federation.Algorithm].
func (a *FBLG) Init(env *federation.Env) error {
	if int(a.Candidates*float64(len(env.Present()))) < len(env.Sample(0)) {
		env.Warn("--fblg-candidates is %g, which gives fewer candidates than a round has clients: the clients with the highest losses take part", a.Candidates)
	}
	if err := a.FedAvg.Init(env); err != nil {
		return err
	}
	a.features = make([][]float64, len(env.Clients))
	return a.embed(env.Present())
}

// embed trains the clients once from θ^0 and keeps their features.
func (a *FBLG) embed(clients []*federation.Client) error {
	env := a.Env
	noise, err := a.noise()
	if err != nil {
		return err
	}
	defer noise.Close()
	start, err := torch.VectorOf(env.Device, env.InitialState(a.Net))
	if err != nil {
		return err
	}
	defer start.Close()
	batch := make([]int32, noise.Len())
	for i := range batch {
		batch[i] = int32(i)
	}
	features := slices.Clone(a.features)
	for chunk := range slices.Chunk(clients, federation.ModelsAtOnce) {
		trainings := make([]torch.Job, len(chunk))
		for i, c := range chunk {
			trainings[i] = c.Job(start)
		}
		trained, err := env.LocalSGD(a.Net, trainings, 0, federation.QueryPhase, torch.All)
		if err != nil {
			return err
		}
		jobs := make([]torch.Prediction, len(chunk))
		for i, r := range trained {
			jobs[i] = torch.Prediction{State: r.End, Samples: batch, Features: true}
		}
		embedded, err := env.Predict(a.Net, noise, jobs)
		federation.Ends(trained).Close()
		if err != nil {
			return err
		}
		for i, c := range chunk {
			features[c.ID] = meanFeature(embedded[i].Features, a.Net.Features())
			env.Ledger.Down(c, "initial", a.Net.Len())
			env.Ledger.Up(c, "features' model", a.Net.Len())
		}
	}
	a.features = features
	return nil
}

// noise returns a batch of Gaussian noise in the space of normalised images: mean 0, standard deviation 1, in steps of 1/32,
// cut off at ±4. The caller closes it.
func (a *FBLG) noise() (*torch.Images, error) {
	env, shape := a.Env, a.Net.Input()
	random := stream.New(env.Seed, "fblg")
	pixels := make([]byte, env.Batch*shape[0]*shape[1]*shape[2])
	for i := range pixels {
		pixels[i] = byte(min(255, max(0, 255*(random.NormFloat64()/8+0.5)+0.5)))
	}
	mean, std := make([]float32, shape[0]), make([]float32, shape[0])
	for c := range mean {
		mean[c], std[c] = 0.5, 0.125
	}
	return torch.NewImages(env.Device, pixels, shape, make([]uint8, env.Batch), mean, std)
}

// Select implements [federation.Selector]: it selects as many of the candidates as the sample has clients.
func (a *FBLG) Select(env *federation.Env, _ int, sampled []*federation.Client) ([]*federation.Client, error) {
	clients := env.Present()
	losses, err := algorithm.TrainingLosses(env, a.Net, a.States, clients, true)
	if err != nil {
		return nil, err
	}
	order := make([]int, len(clients))
	for i, c := range clients {
		order[i] = i
		env.Ledger.Down(c, "model", a.Net.Len())
		env.Ledger.Up(c, "loss", 1)
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(losses[0][j].Loss, losses[0][i].Loss) })
	count := max(len(sampled), int(a.Candidates*float64(len(clients))))
	candidates := make([]*federation.Client, count)
	for k, i := range order[:count] {
		candidates[k] = clients[i]
	}
	candidates = federation.ByID(candidates)
	features := make([][]float64, len(clients))
	position := map[*federation.Client]int{} // in clients
	for i, c := range clients {
		features[i], position[c] = a.features[c.ID], i
	}
	distances := graphDistances(features)
	h := mat.NewSymDense(count, nil)
	var total float64
	for _, c := range candidates {
		total += float64(c.Size())
	}
	for i, c := range candidates {
		h.SetSym(i, i, float64(c.Size())/total)
		for j := range i {
			h.SetSym(i, j, distances.At(position[c], position[candidates[j]])/float64(count*(count-1)))
		}
	}
	var chosen []*federation.Client
	for _, k := range maximise(h, len(sampled)) {
		chosen = append(chosen, candidates[k])
	}
	return chosen, nil
}

// exchange adds the trained models to the ledger. It adds no model down, because all clients have received w to compute their
// losses.
func (a *FBLG) exchange(clients []*federation.Client) {
	for _, c := range clients {
		a.Env.Ledger.Up(c, "model", a.Net.Len())
	}
}

// Join implements [federation.Newcomer]: a newcomer uses the global model, and trains once for its features, because later
// rounds may select it.
func (a *FBLG) Join(env *federation.Env, t int, newcomers []*federation.Client) error {
	if err := a.embed(newcomers); err != nil {
		return err
	}
	return a.FedAvg.Join(env, t, newcomers)
}

// Save implements [federation.Checkpointer].
func (a *FBLG) Save() (federation.Saved, error) { return a.SaveWith(a.features) }

// Load implements [federation.Checkpointer].
func (a *FBLG) Load(env *federation.Env, s federation.Saved) error {
	if err := a.LoadWith(env, s, &a.features); err != nil {
		return err
	}
	if len(a.features) != len(env.Clients) {
		return fmt.Errorf("the checkpoint has features of %d clients, but this run has %d clients", len(a.features), len(env.Clients))
	}
	for _, c := range env.Present() {
		if n := len(a.features[c.ID]); n != a.Net.Features() {
			return fmt.Errorf("the checkpoint has %d features of client %d, but this model has %d", n, c.ID, a.Net.Features())
		}
	}
	return nil
}

// Trainings implements [federation.Planner]: every client also trains once before the first round.
func (a *FBLG) Trainings() []federation.Training {
	return []federation.Training{{What: "training", Parts: torch.All, Before: 1, Rounds: 1, Final: 1}}
}
