package partition

import (
	"feddag/federation/data"
	"feddag/internal/stream"
)

// With the kind iid, the training samples are shuffled and divided into parts whose sizes differ by at most one.
func init() {
	register(kind{
		name: "iid",
		help: "a random equal share per client",
		resolve: func(*data.Set, Options) (Options, error) {
			return Options{}, nil
		},
		assign: assignIID,
	})
}

func assignIID(p *Partition, s *data.Set) error {
	n, clients := s.Train.Len(), len(p.Shards)
	perm := stream.New(p.Seed, "partition/iid").Perm(n)
	for i := range p.Shards {
		// An index and a number of clients are both below 2^31, so their product fits into an int64.
		lo, hi := int(int64(n)*int64(i)/int64(clients)), int(int64(n)*int64(i+1)/int64(clients))
		for _, j := range perm[lo:hi] {
			p.Shards[i].Train = append(p.Shards[i].Train, int32(j))
		}
	}
	return nil
}
