package federation

import "feddag/similarity"

// Clustered is implemented by an algorithm that has a clustering: a partition of the present clients, which may change from
// round to round.
type Clustered interface {
	// Clusters lists the members of each cluster in ascending id, indexed by the number of the cluster. A cluster keeps its
	// number for the whole run: cluster z belongs to the model "cluster-z", and its list is empty once it has no members.
	// New clusters come last.
	Clusters() [][]int
}

// Clusterer is a Clustered algorithm that finds its clusters before the rounds.
type Clusterer interface {
	Clustered
	// Cluster finds the clusters of the present clients. Init calls it. A caller that wants only the clusters may call it
	// after [Env.Start].
	Cluster(env *Env) (*similarity.Result, error)
}

// SketchClusterer is a Clusterer that can cluster the sketches of clients that are not in the run, such as those in a file.
type SketchClusterer interface {
	Clusterer
	// SketchOptions returns the options of that clustering for a seed. They are set by the flags of the group
	// [ClusteringFlags].
	SketchOptions(seed uint64) similarity.Options
	// FoundBy returns how the clusters are found with the present options: similarity.FoundBySimilarity, for which the
	// clients train before they are clustered, or similarity.FoundByTest, for which they do not.
	FoundBy() string
	// FoundByFlag returns the name of the flag whose value is what FoundBy returns.
	FoundByFlag() string
}
