package torch_test

import (
	"math/rand/v2"
	"testing"

	"feddag/models"
	"feddag/torch"
)

// workload is one cohort of equal clients on random images.
func workload(tb testing.TB, model string, input [3]int, dual bool, clients, samples, epochs int) (*torch.Network, *torch.Images, []torch.Job) {
	tb.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	net, err := models.New(model, input, 10, dual, models.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	n := clients * samples
	pixels := make([]byte, n*input[0]*input[1]*input[2])
	for i := range pixels {
		pixels[i] = byte(r.Uint32())
	}
	labels := make([]uint8, n)
	for i := range labels {
		labels[i] = uint8(r.IntN(10))
	}
	mean, std := make([]float32, input[0]), make([]float32, input[0])
	for c := range mean {
		mean[c], std[c] = 0.3, 0.3
	}
	images, err := torch.NewImages(torch.CPU, pixels, input, labels, mean, std)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(images.Close)
	weights := make([]float32, net.Len())
	net.Init(weights, torch.All, r)
	start, err := torch.VectorOf(torch.CPU, weights)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(start.Close)
	jobs := make([]torch.Job, clients)
	for c := range jobs {
		jobs[c] = torch.Job{Client: c, Start: start, Order: make([][]int32, epochs)}
		for i := range samples {
			jobs[c].Samples = append(jobs[c].Samples, int32(c*samples+i))
		}
		for e := range jobs[c].Order {
			for _, p := range r.Perm(samples) {
				jobs[c].Order[e] = append(jobs[c].Order[e], int32(p))
			}
		}
	}
	return net, images, jobs
}

var paperSGD = torch.SGD{Batch: 64, LearningRate: 0.01, Momentum: 0.5, WeightDecay: 1e-4}

func benchmarkTrain(b *testing.B, model string, input [3]int, parts torch.Part) {
	const clients, samples = 2, 600
	net, images, jobs := workload(b, model, input, true, clients, samples, 1)
	engine, err := torch.NewEngine(torch.CPU, 2)
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	for b.Loop() {
		trained, err := engine.Train(net, images, jobs, parts, paperSGD)
		if err != nil {
			b.Fatal(err)
		}
		for _, t := range trained {
			t.End.Close()
		}
	}
	b.ReportMetric(float64(b.N*clients*samples)/b.Elapsed().Seconds(), "samples/s")
}

func BenchmarkTrainLenetPrimary(b *testing.B) {
	benchmarkTrain(b, "lenet", [3]int{1, 28, 28}, torch.Primary|torch.Head)
}
func BenchmarkTrainLenetSecondary(b *testing.B) {
	benchmarkTrain(b, "lenet", [3]int{1, 28, 28}, torch.Secondary)
}
func BenchmarkTrainCNNPrimary(b *testing.B) {
	benchmarkTrain(b, "cnn", [3]int{3, 32, 32}, torch.Primary|torch.Head)
}
func BenchmarkTrainCNNSecondary(b *testing.B) {
	benchmarkTrain(b, "cnn", [3]int{3, 32, 32}, torch.Secondary)
}

func BenchmarkPredictLenet(b *testing.B) {
	const clients, samples = 2, 2000
	net, images, jobs := workload(b, "lenet", [3]int{1, 28, 28}, true, clients, samples, 0)
	engine, err := torch.NewEngine(torch.CPU, 2)
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	var ask []torch.Prediction
	for _, j := range jobs {
		ask = append(ask, torch.Prediction{State: j.Start, Samples: j.Samples})
	}
	for b.Loop() {
		if _, err := engine.Predict(net, images, ask); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*clients*samples)/b.Elapsed().Seconds(), "samples/s")
}
