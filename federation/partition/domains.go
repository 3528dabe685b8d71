package partition

import (
	"fmt"
	"slices"

	"feddag/federation/data"
	"feddag/internal/spelling"
	"feddag/internal/stream"
)

// The kind domains (IV) is for data sets that consist of several domains. The clients are divided at random into parts whose
// sizes differ by at most one, and each part gets a domain, which is a user of the set, such as photographs or sketches. Within
// a part the domain is divided by LDA. A client is tested on the test images of its domain that are of the classes it holds, or
// on the test images of all domains if its own has none. With fewer clients than domains, some domains are not used. A domain
// of fewer than MinSamples images is never used. Groups has the domain of each client.
func init() {
	register(kind{
		name:    "domains",
		help:    "one domain of the data set per client, for sets with domains, divided by LDA",
		flags:   []string{flagConcentration, flagMinSamples},
		resolve: resolveDomains,
		assign:  assignDomains,
	})
}

func resolveDomains(s *data.Set, o Options) (Options, error) {
	if s.Train.Users == nil {
		return o, fmt.Errorf("--partition domains: data set %s does not have the domains of its images; choose another data set or partition", s.Name)
	}
	if o.MinSamples < 1 {
		return o, fmt.Errorf("--min-samples %d: must be at least 1", o.MinSamples)
	}
	domains := usersWith(s, o.MinSamples)
	if len(domains) == 0 {
		return o, fmt.Errorf("--min-samples %d: no domain of %s has this number of training images", o.MinSamples, s.Name)
	}
	parts := min(o.Clients, len(domains))
	for _, d := range domains {
		sub, _ := domainOf(s, d)
		of := o
		of.Clients = (o.Clients + parts - 1) / parts // number of clients of the largest part
		if of.Clients > sub.Train.Len() {
			return o, fmt.Errorf("--clients %d: domain %s of %s has only %d training samples for %d clients; use fewer clients",
				o.Clients, spelling.Plain(s.UserNames[d]), s.Name, sub.Train.Len(), of.Clients)
		}
		if _, err := resolveLDA(sub, of); err != nil {
			return o, fmt.Errorf("domain %s: %w", spelling.Plain(s.UserNames[d]), err)
		}
	}
	return Options{Concentration: o.Concentration, MinSamples: o.MinSamples}, nil
}

// domainOf returns the images of one user of a set, without pixels, and their indices in s (training, test).
func domainOf(s *data.Set, user int32) (sub *data.Set, at [2][]int32) {
	sub = &data.Set{Name: s.Name, Classes: s.Classes}
	for k, split := range []struct{ from, to *data.Images }{{&s.Train, &sub.Train}, {&s.Test, &sub.Test}} {
		for i, u := range split.from.Users {
			if u == user {
				split.to.Labels = append(split.to.Labels, split.from.Labels[i])
				at[k] = append(at[k], int32(i))
			}
		}
	}
	return sub, at
}

func assignDomains(p *Partition, s *data.Set) error {
	domains := usersWith(s, p.Params.MinSamples)
	r := stream.New(p.Seed, "partition/domains")
	if len(p.Shards) < len(domains) {
		r.Shuffle(len(domains), func(i, j int) { domains[i], domains[j] = domains[j], domains[i] })
		domains = domains[:len(p.Shards)]
		slices.Sort(domains)
	}
	p.Groups = equalParts(r, len(p.Shards), len(domains))
	for g, d := range domains {
		sub, at := domainOf(s, d)
		var members []int
		for i, own := range p.Groups {
			if own == g {
				members = append(members, i)
			}
		}
		q := &Partition{
			Seed: stream.New(p.Seed, "partition/domains/lda", uint64(g)).Uint64(), Params: p.Params,
			Shards: make([]Shard, len(members)),
		}
		if err := assignLDA(q, sub); err != nil {
			return err
		}
		q.assignTests(sub)
		named := map[*int32][]int32{} // test sets as indices into s.Test, by the first element of the domain's test set
		for k, i := range members {
			sh := q.Shards[k]
			for _, j := range sh.Train {
				p.Shards[i].Train = append(p.Shards[i].Train, at[0][j])
			}
			if len(sh.Test) == 0 {
				continue
			}
			test, ok := named[&sh.Test[0]]
			if !ok {
				for _, j := range sh.Test {
					test = append(test, at[1][j])
				}
				named[&sh.Test[0]] = test
			}
			p.Shards[i].Test = test
		}
	}
	return nil
}
