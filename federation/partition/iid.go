package partition

import (
	"feddag/federation/data"
	"feddag/internal/stream"
)

// iid: the training samples are shuffled and dealt out in equal parts; sizes differ by one at most.
func init() {
	register(kind{
		name: "iid",
		help: "a random equal share each (--clients)",
		resolve: func(*data.Set, Options) (Options, error) {
			return Options{}, nil
		},
		deal: dealIID,
	})
}

func dealIID(p *Partition, s *data.Set) error {
	n, clients := s.Train.Len(), len(p.Shards)
	perm := stream.New(p.Seed, "partition/iid").Perm(n)
	for i := range p.Shards {
		// Products of an index below 2^31 and a client count below it fit in an int64.
		lo, hi := int(int64(n)*int64(i)/int64(clients)), int(int64(n)*int64(i+1)/int64(clients))
		for _, j := range perm[lo:hi] {
			p.Shards[i].Train = append(p.Shards[i].Train, int32(j))
		}
	}
	return nil
}
