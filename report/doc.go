// Package report is the run directory: everything a run leaves behind, and the
// numbers, tables and plots in it.
//
// The package owns the name and the content of each file. It turns results of
// the federation into plain data (Round, Summary, Client, Clustering, Page),
// which it writes and reads; when a file is written is the caller's business.
// It prints only into a writer that it is given.
//
// Files are replaced atomically (temporary file, fsync, rename), so a run that
// is killed, or that fills its disk, keeps everything it had written.
//
// Accuracies are in percent throughout. "Pre" is measured with the model the
// server assigns to a client, before local training; "post" after the client
// has trained it locally.
package report
