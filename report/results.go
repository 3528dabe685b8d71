package report

import (
	"math"
	"slices"

	"feddag/federation"
	"feddag/similarity/agreement"
)

// This file is the only place that converts results of the federation, which are fractions for each client, to the
// percentages and the statistics over clients in the files.

// NewClientScore returns a client's score in percent.
func NewClientScore(s federation.Score) ClientScore {
	return ClientScore{Balanced: 100 * s.Balanced, Accuracy: 100 * s.Accuracy}
}

// NewScore returns the mean and standard deviation of scores over clients, in percent. They are NaN if no score was measured.
func NewScore(scores []federation.Score) Score {
	balanced, accuracy := make([]float64, len(scores)), make([]float64, len(scores))
	for i, s := range scores {
		p := NewClientScore(s)
		balanced[i], accuracy[i] = p.Balanced, p.Accuracy
	}
	return Score{Balanced: NewStat(balanced), Accuracy: NewStat(accuracy)}
}

// NewClientBest returns the means of the clients' best rounds. Held-out clients, which take part in no round, are left out.
func NewClientBest(result *federation.Result) *ClientBest {
	var pre, post, either []federation.Score
	for i, x := range result.Best {
		if slices.Contains(result.HeldOut, i) {
			continue
		}
		pre, post = append(pre, x.Pre), append(post, x.Post)
		either = append(either, federation.Score{Balanced: higher(x.Pre.Balanced, x.Post.Balanced), Accuracy: higher(x.Pre.Accuracy, x.Post.Accuracy)})
	}
	return &ClientBest{Pre: NewScore(pre), Post: NewScore(post), Any: NewScore(either)}
}

// higher returns the higher of two numbers. If one of them is NaN, it returns the other.
func higher(a, b float64) float64 {
	if math.IsNaN(a) || b > a {
		return b
	}
	return a
}

// NewRound returns the line of metrics.jsonl for a round. clients are all clients of the run, ordered by id; the clusters are
// compared with their true groups.
func NewRound(r federation.RoundResult, clients []*federation.Client) Round {
	up, down := r.Traffic.Totals()
	line := Round{
		Round: federation.RoundNumber(r.Round), TrainLoss: r.Loss,
		Pre: NewScore(r.All), CohortPre: NewScore(r.Pre), CohortPost: NewScore(r.Post),
		BytesUp: up, BytesDown: down, Seconds: r.Seconds, TrainingSeconds: r.Training, Samples: r.Samples, Clients: r.Cohort, Dropped: r.Dropped,
		Stragglers: r.Stragglers, Unanswered: r.Unanswered,
		LearningRate: r.LearningRate, Notes: r.Notes, TrainingSamples: r.Work.Training, ForwardSamples: r.Work.Forward,
	}
	if r.Clusters != nil {
		n := inhabited(r.Clusters)
		line.Clusters, line.AdjustedRandIndex = &n, adjustedRandIndex(r.Clusters, clients)
	}
	return line
}

// inhabited returns the number of clusters that are not empty.
func inhabited(clusters [][]int) (n int) {
	for _, members := range clusters {
		if len(members) > 0 {
			n++
		}
	}
	return n
}

// adjustedRandIndex returns the adjusted Rand index of clusters of client ids against the true groups. It returns nil if a
// client has no true group.
func adjustedRandIndex(clusters [][]int, clients []*federation.Client) *float64 {
	var labels, groups []int
	for z, members := range clusters {
		for _, i := range members {
			if clients[i].Group < 0 {
				return nil
			}
			labels, groups = append(labels, z), append(groups, clients[i].Group)
		}
	}
	x, err := agreement.AdjustedRandIndex(labels, groups)
	if err != nil {
		return nil
	}
	return &x
}

// NewAssignments returns the lines of assignments.jsonl for a round.
func NewAssignments(r federation.RoundResult) []Assignment {
	list := make([]Assignment, len(r.Moves))
	for k, m := range r.Moves {
		number := federation.RoundNumber(r.Round)
		if m.Why == federation.AtStart {
			number = 0
		}
		list[k] = Assignment{
			Round: number, Client: m.Client, From: clusterOrNull(m.From), To: clusterOrNull(m.To), Why: m.Why,
			Pre: scoreOrNull(m.Pre), Post: scoreOrNull(m.Post),
		}
	}
	return list
}

func clusterOrNull(cluster int) *int {
	if cluster < 0 {
		return nil
	}
	return &cluster
}

func scoreOrNull(s federation.Score) *ClientScore {
	if math.IsNaN(s.Balanced) {
		return nil
	}
	p := NewClientScore(s)
	return &p
}

// NewJoined returns the mean accuracies of the newcomers of a run when they joined, or nil if there were none.
func NewJoined(history []Assignment) *Joined {
	j := &Joined{}
	var values [4][]float64
	for _, a := range history {
		if a.Why != federation.ByJoin {
			continue
		}
		j.Clients++
		for k, s := range []*ClientScore{a.Pre, a.Post} {
			if s != nil {
				values[2*k], values[2*k+1] = append(values[2*k], s.Balanced), append(values[2*k+1], s.Accuracy)
			}
		}
	}
	if j.Clients == 0 {
		return nil
	}
	j.Pre = Score{Balanced: NewStat(values[0]), Accuracy: NewStat(values[1])}
	j.Post = Score{Balanced: NewStat(values[2]), Accuracy: NewStat(values[3])}
	return j
}

// NewHeldOut returns the result for the clients that were held out of a run, given their scores.
func NewHeldOut(result *federation.Result, pre, post []federation.Score) *HeldOut {
	up, down := result.HeldOutTraffic.Totals()
	return &HeldOut{
		Joined: Joined{Clients: len(pre), Pre: NewScore(pre), Post: NewScore(post)},
		Cost:   &JoinCost{BytesUp: up, BytesDown: down, TrainingSamples: result.HeldOutWork.Training, ForwardSamples: result.HeldOutWork.Forward},
	}
}

// NewClients returns the rows of clients.csv: every client of the run, with
// its cluster at the end.
func NewClients(clients []*federation.Client, clusters [][]int, result *federation.Result) []Client {
	cluster := slices.Repeat([]int{-1}, len(clients))
	for z, members := range clusters {
		for _, i := range members {
			cluster[i] = z
		}
	}
	rows := make([]Client, len(clients))
	for i, c := range clients {
		rows[i] = Client{
			Client: i, Group: c.Group, Cluster: cluster[i], TrainSamples: len(c.Train), TestSamples: len(c.Test),
			Pre: NewClientScore(result.Last[i].Pre), Post: NewClientScore(result.Last[i].Post),
			BestPre: NewClientScore(result.Best[i].Pre), BestPost: NewClientScore(result.Best[i].Post),
		}
	}
	return rows
}

// NewClusters returns the clusters of the clients that took part until the end, with their numbers of samples.
func NewClusters(env *federation.Env, clusters [][]int) []Cluster {
	present := map[int]bool{}
	for _, c := range env.Present() {
		present[c.ID] = true
	}
	rows := make([]Cluster, len(clusters))
	for z, members := range clusters {
		members = slices.DeleteFunc(slices.Clone(members), func(i int) bool { return !present[i] })
		rows[z] = Cluster{Members: members, Histogram: make([]int, env.Data.Classes)}
		for _, i := range members {
			for class, n := range env.Counts(env.Clients[i]) {
				rows[z].Histogram[class] += n
				rows[z].Samples += n
			}
		}
	}
	return rows
}

// CountInhabited returns the number of clusters that are not empty.
func CountInhabited(clusters []Cluster) (n int) {
	for _, c := range clusters {
		if len(c.Members) > 0 {
			n++
		}
	}
	return n
}
