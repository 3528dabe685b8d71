// Package data holds the image sets that a federation trains on.
//
// Each data set is one file that registers itself in its init (mnist.go is the shortest), options and help included.
// Adding a data set changes no other file. Images stay uint8 as they were read. Scaling them to floats is left to the
// consumer (Set.Mean, Set.Std), so that a device can hold a whole set at one byte per pixel.
//
// Nothing in this package prints, and no input makes it panic: every error is one line that names the file or the flag
// that it is about and says what to do.
package data
