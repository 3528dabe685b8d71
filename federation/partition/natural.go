package partition

import (
	"fmt"
	"slices"
	"strconv"

	"feddag/federation/data"
	"feddag/internal/stream"
)

// With the kind natural, each client is a user of the set (a photographer, a writer, a domain) and holds the training images
// of this user. There are as many clients as users unless Options.Clients is smaller. Then the users are drawn at random, and
// the images of the others belong to no client. A client is tested on the test images of its user or, if the user has none,
// on all test samples of the classes that it holds, as in every other kind.
func init() {
	register(kind{
		name:    "natural",
		help:    "one user of the data set per client, for sets with users",
		options: map[string]string{optionMinUser: "smallest number of training images of a user (default 1)"},
		clients: func(s *data.Set, o Options) (int, error) {
			users, _, err := naturalUsers(s, o)
			if err == nil && len(users) == 0 {
				err = fmt.Errorf("--partition natural: no user of data set %s has enough training images; lower --partition-option %s", s.Name, optionMinUser)
			}
			return len(users), err
		},
		resolve: resolveNatural,
		assign:  assignNatural,
	})
}

const optionMinUser = "min-user-samples"

// naturalUsers returns the users that may be clients, in ascending order, and the smallest number of training images that a
// user needs.
func naturalUsers(s *data.Set, o Options) (users []int32, least int, err error) {
	if s.Train.Users == nil {
		return nil, 0, fmt.Errorf("--partition natural: data set %s does not have the users of its images; choose --dataset csv or another partition", s.Name)
	}
	if least, err = extraInt(o, optionMinUser, 1, s.Train.Len(), 1); err != nil {
		return nil, 0, err
	}
	return usersWith(s, least), least, nil
}

func resolveNatural(s *data.Set, o Options) (Options, error) {
	users, least, err := naturalUsers(s, o)
	if err != nil {
		return o, err
	}
	if n := len(users); n < o.Clients {
		return o, fmt.Errorf("--clients %d: data set %s has %d users with %d or more training images; use --clients %d or fewer, or leave it out for all of them",
			o.Clients, s.Name, n, least, n)
	}
	var resolved Options
	setExtra(&resolved, optionMinUser, strconv.Itoa(least))
	return resolved, nil
}

// usersWith returns the users with at least least training images, in ascending order.
func usersWith(s *data.Set, least int) []int32 {
	counts := make([]int, len(s.UserNames))
	for _, u := range s.Train.Users {
		counts[u]++
	}
	var users []int32
	for u, n := range counts {
		if n >= least {
			users = append(users, int32(u))
		}
	}
	return users
}

func assignNatural(p *Partition, s *data.Set) error {
	users := usersWith(s, p.extraOf(optionMinUser))
	r := stream.New(p.Seed, "partition/natural")
	r.Shuffle(len(users), func(i, j int) { users[i], users[j] = users[j], users[i] })
	users = users[:len(p.Shards)]
	slices.Sort(users)
	client := make([]int, len(s.UserNames)) // client of each user plus 1; 0 for a user without a client
	for i, u := range users {
		client[u] = i + 1
	}
	for j, u := range s.Train.Users {
		if i := client[u]; i > 0 {
			p.Shards[i-1].Train = append(p.Shards[i-1].Train, int32(j))
		}
	}
	for j, u := range s.Test.Users {
		if i := client[u]; i > 0 {
			p.Shards[i-1].Test = append(p.Shards[i-1].Test, int32(j))
		}
	}
	return nil
}
