// Package report is the run directory: everything a run leaves behind, and the
// numbers, tables and plots in it.
//
// The package defines plain data (Round, Summary, Client, Page) that the
// caller fills; it computes nothing about a federation and prints nothing.
// Files are replaced atomically (temporary file, fsync, rename), so a run that
// is killed, or that fills its disk, keeps everything it had written.
//
// Accuracies are in percent throughout. "Pre" is measured with the model the
// server assigns to a client, before local training; "post" after the client
// has trained it locally.
package report
