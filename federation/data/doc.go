// Package data contains the image sets on which a federation trains.
//
// Each data set is one file that registers itself in its init (mnist.go is the shortest), with its options and help. Adding
// a data set changes no other file. Images stay uint8, as they were read. The caller scales them to floats (Set.Mean,
// Set.Std), so a device can hold a whole set with one byte per pixel.
//
// Fetch, which resumes downloads, does not use the library github.com/cavaliergopher/grab v3, which writes under the file's
// final name before it compares the checksum, and tries one URL once. Here a file gets its name only if its checksum is
// correct, and every mirror is tried several times.
//
// Nothing in this package prints, and no input makes it panic. Every error is one line that names the file or the flag that
// caused it and says what to do.
package data
