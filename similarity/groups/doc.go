// Package groups finds the groups of clients by statistical tests: their number and their members. Every client sends one
// small [Sketch] of its images once, before any training. The package needs no accelerator and no cgo.
//
// The method has four steps on the server, after the clients' features and sketches; see [Find]:
//
//	features.go   the features of an image: layout, and texture at up to three sizes
//	sketch.go     what a client sends: counts and class means of two random halves, and its scatter matrix
//	metric.go     the metric in which images are compared
//	split.go      step 1: the best split of clients in two, in three views
//	style.go      the common deviation of all classes of a client, removed for the view "concept"
//	test.go       whether a split is real: learnt on one half of the images, tested on the other half
//	cloud.go      whether the clients are one cloud of individual styles instead of two groups
//	polish.go     step 2: clusters exchange clients, and merge if their union passes the test
//	labels.go     step 3: clusters of label distributions, by the shortest code
//	free_code.go  the code in which every cluster has its own shares of the classes; histogram.go holds the counts
//	plain_code.go the code in which a cluster has only a set of classes
//	quota.go      the code for clients that lack classes because they reached a quota of images
//	label_path.go unites label clusters pair by pair
//	ward.go       the tree from which the free code starts
//	groups.go     Find, which runs the steps in order
//
// The server keeps the result in a [Roster]:
//
//	roster.go     clients that join, leave and change; rostersave.go saves the roster
//	assign.go     the clusters of newcomers, with residual.go for class means, labelmodel.go for class counts and tail.go
//	changed.go    whether a client's images have changed
//	ccgraph.go    which clusters have images that another lacks; kinds.go compares classes across clusters
//	alike.go      which clusters have similar images, whatever their labels
//	distance.go   the distance between two clients in units of its noise
//	stability.go  the clusterings from each half of the images
//	explain.go    what separates two clusters, in numbers and in words
//
// Symbols: N clients i, C classes c, d features, K clusters k, n_ic the number of images of class c that client i has, and
// m_ic their mean feature vector. The search never compares means of different classes.
package groups
