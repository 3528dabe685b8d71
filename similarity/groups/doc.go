// Package groups finds the groups of clients by statistical tests: how many there are and who belongs to which. Every
// client sends one small [Sketch] of its images once, before any training. The package needs no accelerator and no cgo.
//
// The method has four steps on the server, after the clients' features and sketches:
//
//	features.go   the features of an image: layout, and texture at up to three sizes
//	sketch.go     what a client sends: counts and class means of two random halves, and its share of the scatter
//	metric.go     step 1: the metric in which images are compared
//	split.go      the best split of clients in two, in three views
//	style.go      what moves all classes of a client together, taken out for the view "concept"
//	test.go       whether a split is real: learnt on one half of the images, tested on the other half
//	cloud.go      whether the clients are one cloud of individual styles instead of two groups
//	polish.go     step 2: clusters exchange clients, and merge where their union passes the test
//	labels.go     step 3: clusters of label distributions, by the shortest code
//	free_code.go  its code in which every cluster has its own shares of the classes; histogram.go holds the counts
//	plain_code.go its code in which a cluster only says which classes it holds
//	quota.go      its code of clients that a quota kept from further classes
//	label_path.go unites label clusters pair by pair
//	ward.go       the tree from which the free code starts
//	groups.go     Find, which runs the steps in order
//
// What the server keeps afterwards is a [Roster]:
//
//	roster.go     clients come, leave and change; rostersave.go saves it
//	assign.go     the clusters of newcomers, with residual.go for class means, labelmodel.go for class counts and tail.go
//	changed.go    whether a client's images have changed
//	ccgraph.go    which clusters have images that another lacks; kinds.go compares classes across clusters
//	alike.go      which clusters see like images under whatever names
//	distance.go   the distance of two clients in units of its noise
//	stability.go  what each half of the images says
//	explain.go    what separates two clusters, in numbers and in words
//
// Symbols: N clients i, C classes c, d features, n_ic images of class c that client i has, m_ic their mean feature
// vector, K clusters k. In the search, the class means of a client are never compared with those of another class.
package groups
