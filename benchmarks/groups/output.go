package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

const header = "set\tkind\tstyle\tshare\tclients\tseed\tfound\ttrue\tari\tlabels\tseconds\tbytes\n"

// String returns the beginning of the cell's line.
func (c cell) String() string {
	return fmt.Sprintf("%s\t%s\t%g\t%g\t%d\t%d", c.set, c.kind, c.style, c.share, c.clients, c.seed)
}

func (r result) String() string {
	return fmt.Sprintf("%v\t%d\t%d\t%.6f\t%d\t%.2f\t%d", r.cell, r.found, r.truth, r.ari, r.labels, r.seconds, r.bytes)
}

// parseResult reads the line of a cell.
func parseResult(line string) (r result, err error) {
	f := strings.Split(line, "\t")
	if len(f) != strings.Count(header, "\t")+1 {
		return r, fmt.Errorf("%d columns, need %d", len(f), strings.Count(header, "\t")+1)
	}
	real := func(k int) float64 {
		v, e := strconv.ParseFloat(f[k], 64)
		if e != nil && err == nil {
			err = e
		}
		return v
	}
	r.set, r.kind = f[0], f[1]
	r.style, r.share, r.clients, r.seed = real(2), real(3), int(real(4)), uint64(real(5))
	r.found, r.truth, r.ari, r.labels, r.seconds, r.bytes = int(real(6)), int(real(7)), real(8), int(real(9)), real(10), int(real(11))
	return r, err
}

// output is the file of the results.
type output struct {
	mu   sync.Mutex
	file *os.File
	done map[cell]result
}

// readResults reads a file of results. whole is the length of its complete lines; a stop may have left an incomplete line
// after them.
func readResults(path string) (all []result, whole int, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, err
	}
	whole = bytes.LastIndexByte(text, '\n') + 1
	for k, line := range strings.Split(strings.TrimSuffix(string(text[:whole]), "\n"), "\n") {
		if k == 0 && line+"\n" != header && whole > 0 {
			return nil, 0, fmt.Errorf("%s: the first line is not the header of a file of results", path)
		}
		if k == 0 || line == "" {
			continue
		}
		r, err := parseResult(line)
		if err != nil {
			return nil, 0, fmt.Errorf("%s, line %d: %w", path, k+1, err)
		}
		all = append(all, r)
	}
	return all, whole, nil
}

// openOutput opens a file of results, and makes it if it does not exist.
func openOutput(path string) (*output, error) {
	o := &output{done: map[cell]result{}}
	all, whole, err := readResults(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for _, r := range all {
		o.done[r.cell] = r
	}
	if o.file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666); err != nil {
		return nil, err
	}
	if err := o.file.Truncate(int64(whole)); err != nil {
		return nil, err
	}
	if _, err := o.file.Seek(int64(whole), 0); err != nil {
		return nil, err
	}
	if whole == 0 {
		if _, err := o.file.WriteString(header); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// add writes a result.
func (o *output) add(r result) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done[r.cell] = r
	_, err := fmt.Fprintln(o.file, r)
	return err
}
