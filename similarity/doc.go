// Package similarity does the computations of FedDAG's server. From the Sketch that every client sends once, it computes
// clusters of clients, and a graph that says which cluster may learn from which. It needs no accelerator and no cgo.
//
// The steps follow the paper (arXiv 2602.23504), one file per group of equations:
//
//	principal.go   what a client computes: top left singular vectors of a class     section 3, phase 1
//	gradient.go    angles between warm-up updates, G                                eq. 3
//	data.go        angles of principal vectors per class, V'_c, and their mean V    eq. 4, 6
//	held.go        how V'_c is stored: only the angles between clients that hold the class
//	weight.go      class-frequency weights W                                        eq. 5
//	fusion.go      gates w that minimise the entropy of A = w G^ + (1-w) V^         eq. 7, 8
//	linkage.go     agglomerative clustering, the dendrogram and its cuts            section 3.4
//	spectral.go    spectral clustering, as another source of candidates
//	loss.go        the loss of a partition                                          eq. 9, 10
//	search.go      the candidates, and the choice of one of them                   algorithm 3
//	ccgraph.go     demand, supply, alignment and the CC-graph                       eq. 11-14
//	cluster.go     all steps in order
//	roster.go      clients that join, leave or change afterwards                    algorithm 4
//	shift.go       whether a client's classes changed                               appendix A.9, eq. 41
//	validity.go    the quality of a clustering; stability.go: its stability; describe.go: its contents
//	sketches.go    writes sketches to disk; sketchfile.go: reads them
//
// Angles are in degrees. Every matrix between clients is a dissimilarity: larger values mean less similar clients, and the
// diagonal is zero. Clusterings are [][]int, with clusters in the order of their first members and members in ascending order.
// All matrix products use gonum's blas64, so that blas64.Use can set another BLAS for the whole package.
package similarity
