package algorithm_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// TestClientsOfOneSample runs every method in every engine with clients of one training image and one test image each.
func TestClientsOfOneSample(t *testing.T) {
	for _, name := range federation.Names() {
		for _, engine := range []string{"serial", "batched", "eager"} {
			t.Run(name+"/"+engine, func(t *testing.T) {
				e := federationtest.TinyEnv(t, 1)
				useEngine(t, e, engine)
				p := federationtest.TinyPartition(e.Data)
				for i := range p.Shards {
					p.Shards[i].Train, p.Shards[i].Test = p.Shards[i].Train[:1], p.Shards[i].Test[:1]
				}
				e.Clients, e.Rounds = federation.NewClients(p), 2
				result, err := federation.Run(context.Background(), e, federationtest.Algorithm(t, name), federation.RunOptions{Algorithm: name})
				if err != nil {
					t.Fatal(err)
				}
				for i, s := range result.Last {
					if a := s.Pre.Accuracy; a != 0 && a != 1 {
						t.Errorf("client %d has the accuracy %v on one image", i, a)
					}
				}
			})
		}
	}
}

// TestInputsThatAreNoNumbers gives every method images whose pixels are NaN. The error must name a client and the value that is
// not finite.
func TestInputsThatAreNoNumbers(t *testing.T) {
	for _, name := range federation.Names() {
		for _, engine := range []string{"serial", "batched", "eager"} {
			t.Run(name+"/"+engine, func(t *testing.T) {
				e := federationtest.TinyEnv(t, 1)
				useEngine(t, e, engine)
				train := e.Data.Train
				images, err := torch.NewImages(e.Device, train.Pixels, [3]int{1, federationtest.Side, federationtest.Side}, train.Labels,
					[]float32{float32(math.NaN())}, e.Data.Std)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(images.Close)
				e.Train = images
				_, err = federation.Run(context.Background(), e, federationtest.Algorithm(t, name), federation.RunOptions{Algorithm: name})
				if err == nil || !strings.Contains(err.Error(), "client ") || strings.Contains(err.Error(), "\n") {
					t.Errorf("%v", err)
				}
			})
		}
	}
}
