// Package partition deals a data set out to the clients of a federation: it decides who holds which image, and how each
// client sees and labels it.
//
// Each kind of partition is one file that registers itself in its init (iid.go is the shortest), options and help
// included. Adding a kind changes no other file. Every kind shares the held-out clients, the share of samples that a
// client keeps, the statistics and the file formats JSON and .npz.
//
// Equal seeds give equal partitions, on any machine. Nothing in this package prints, and no input makes it panic: every
// error is one line that names the flag, the file or the client that it is about and says what to do.
package partition
