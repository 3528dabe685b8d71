// Package report reads and writes the run directory: all files of a run, with the numbers, tables and plots in them.
//
// The package defines the name and the content of each file. It converts results of the federation to plain data (Round,
// Summary, Client, Clustering, Page), which it writes and reads. The caller decides when a file is written. The package
// prints only to writers that it is given.
//
// Files are replaced atomically (temporary file, fsync, rename), so that a run that is killed, or that fills its disk, keeps
// everything that it has written.
//
// Accuracies are in percent throughout. "Pre" is measured with the model the
// server assigns to a client, before local training; "post" after the client
// has trained it locally.
package report
