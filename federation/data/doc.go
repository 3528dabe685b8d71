// Package data holds the image sets a federation trains on, and the partitions that deal them out to clients.
//
// A data set is a file that registers itself in its init (mnist.go is the shortest), and so is a partition (iid.go):
// adding one changes no other file. Images stay uint8 as they were read; scaling to floats is the consumer's business
// (Set.Mean, Set.Std), which lets a device hold a whole set at a byte a pixel.
//
// Nothing here prints, and no input makes it panic: every error is one line that names the file, flag or client it is
// about and what to do.
package data
