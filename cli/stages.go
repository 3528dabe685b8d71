package cli

import "feddag/federation"

// The stages of `feddag cluster` that the federation does not have. They are keys of the seconds in its summary.json.
const (
	setupStage     federation.Stage = "setup"     // reading the data or the sketches
	comparingStage federation.Stage = "comparing" // the comparison with other ways of clustering
	stabilityStage federation.Stage = "stability" // the clusterings of resampled sketches
	filesStage     federation.Stage = "files"     // writing the files of the clustering
	totalStage     federation.Stage = "total"     // the whole command
)
