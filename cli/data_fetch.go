package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"feddag/federation/data"
	"feddag/internal/numfmt"

	"github.com/schollz/progressbar/v3"
)

func dataFetch(ctx context.Context, f *dataFlags, args []string, out, log io.Writer) error {
	var bar *progressbar.ProgressBar
	of := ""
	o := data.FetchOptions{Dir: data.FetchDir(f.dataDir), Mirror: f.mirror}
	if len(args) > 1 {
		o.Only = args[1:]
	}
	if !f.quiet {
		o.Notice = func(line string) {
			if bar != nil {
				bar.Clear()
			}
			fmt.Fprintln(log, line)
		}
	}
	if !f.quiet {
		o.Progress = fetchLines(log)
	}
	if hasBar(log, f.quiet) {
		o.Progress = func(file string, done, total int64) {
			if of != file {
				if bar != nil {
					bar.Clear()
				}
				of, bar = file, newBar(log, max(total, -1), file)
				if total == 0 {
					bar.ChangeMax64(-1)
				}
			}
			bar.Set64(done)
		}
	}
	files, err := data.Fetch(ctx, args[0], o)
	if bar != nil {
		bar.Clear()
		bar.Exit()
	}
	if err != nil {
		if ctx.Err() != nil {
			fmt.Fprintf(log, "interrupted; the same command goes on where it stopped\n")
		}
		return err
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %s, checksum as published\n", file, numfmt.Bytes(info.Size()))
	}
	return nil
}

// fetchLines returns a progress function for downloads that prints a line after two seconds and then every ten seconds.
func fetchLines(log io.Writer) func(file string, done, total int64) {
	var of string
	var start, told time.Time
	return func(file string, done, total int64) {
		now := time.Now()
		if of != file {
			of, start, told = file, now, now.Add(quietFor-longWork)
		}
		if now.Sub(told) < longWork {
			return
		}
		told = now
		if total <= 0 {
			fmt.Fprintf(log, "%s: %s so far\n", file, numfmt.Bytes(done))
			return
		}
		fmt.Fprintf(log, "%s: %.0f%% of %s%s\n", file, 100*float64(done)/float64(total), numfmt.Bytes(total), left(start, done, total))
	}
}
