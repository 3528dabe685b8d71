// Package partition assigns the images of a data set to the clients of a federation, and says how each client sees and
// labels its images.
//
// Each kind of partition is one file that registers itself in its init (iid.go is the shortest), with its options and help.
// Adding a kind changes no other file. All kinds have in common the held-out clients, the share of samples that a client
// keeps, the statistics and the file formats JSON and .npz.
//
// Equal seeds give equal partitions on any machine. Nothing in this package prints, and no input makes it panic. Every error
// is one line that names the flag, the file or the client that caused it and says what to do.
package partition
