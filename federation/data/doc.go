// Package data holds the image sets that a federation trains on.
//
// Each data set is one file that registers itself in its init (mnist.go is the shortest), options and help included.
// Adding a data set changes no other file. Images stay uint8 as they were read. Scaling them to floats is left to the
// consumer (Set.Mean, Set.Std), so that a device can hold a whole set at one byte per pixel.
//
// Fetch, which downloads with resume, is our own because github.com/cavaliergopher/grab v3, the library for it, writes under
// the file's final name before it compares the checksum, and tries one URL once. Here a file gets its name only when its
// checksum is right, and every mirror is tried several times.
//
// Nothing in this package prints, and no input makes it panic: every error is one line that names the file or the flag
// that it is about and says what to do.
package data
