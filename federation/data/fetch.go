package data

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"feddag/internal/atomicfile"
	"feddag/internal/spelling"
)

// origin describes a set as it is published.
type origin struct {
	folder   string // the folder for the files in a directory of data sets
	files    []download
	repacked bool   // whether distributions repack the files, so that another checksum does not mean damage
	images   [2]int // number of training and of test images, without options
	perClass [2]int // the same per class, if all classes have the same number
}

// download is a published file.
type download struct {
	file     string
	mirrors  []string // URLs of folders with the file, or of the file itself
	size     int64    // number of bytes; 0 if the size is not published
	sha256   string   // "" if only the MD5 is published
	md5      string
	optional bool // fetched only if FetchOptions.Only names it
}

// FetchOptions are the options of Fetch.
type FetchOptions struct {
	Dir string // directory of data sets in which the set's folder is created
	// Mirror is the URL of a folder from which the files are fetched instead of the public mirrors. The checksums are the same.
	Mirror string
	Only   []string // files to fetch; nil for those that the set needs
	// Progress is called with the number of downloaded bytes of a file and its size (0 if unknown); it may be nil.
	Progress func(file string, done, total int64)
	// Notice is called with a line about each download that starts and each attempt that failed; it may be nil.
	Notice func(line string)
	// Wait is the time before the second attempt. It doubles with each attempt. 0 means one second.
	Wait time.Duration
}

// Attempts per file and mirror, and the longest time without data.
const (
	fetchAttempts = 5
	fetchStall    = time.Minute
	maxFetch      = 1 << 34 // largest number of bytes of a file whose size is not published
)

// Fetchable reports whether the files of a set can be fetched.
func Fetchable(name string) bool {
	base, _, _ := strings.Cut(name, ":")
	return len(sources[base].origin.files) > 0
}

// Fetch downloads the files of a set into its folder in o.Dir and returns their paths. An existing file with the published
// checksum is kept. An existing file with another checksum is an error and is never overwritten. An interrupted download
// stays in FILE.part, and the next Fetch resumes it. A file gets its name only if its checksum is the published one.
func Fetch(ctx context.Context, name string, o FetchOptions) ([]string, error) {
	name, err := Canonical(name, nil)
	if err != nil {
		return nil, err
	}
	base, _, _ := strings.Cut(name, ":")
	from := sources[base].origin
	if len(from.files) == 0 {
		return nil, fmt.Errorf("data set %s cannot be fetched; these can: %s", name, strings.Join(fetchable(), ", "))
	}
	if o.Dir == "" {
		return nil, errors.New("no directory for the files can be written to: name one with --data-dir")
	}
	if o.Wait == 0 {
		o.Wait = time.Second
	}
	var all []string
	for _, d := range from.files {
		all = append(all, d.file)
	}
	for _, file := range o.Only {
		if !slices.Contains(all, file) {
			return nil, spelling.Unknown("file of data set "+name, file, all)
		}
	}
	folder := filepath.Join(o.Dir, from.folder)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, err
	}
	var files []string
	for _, d := range from.files {
		if o.Only == nil && d.optional || o.Only != nil && !slices.Contains(o.Only, d.file) {
			continue
		}
		file := filepath.Join(folder, d.file)
		if err := d.fetch(ctx, file, o); err != nil {
			return nil, fmt.Errorf("fetching %s: %w", file, err)
		}
		files = append(files, file)
	}
	return files, nil
}

// fetchable returns the sets that can be fetched.
func fetchable() (names []string) {
	for _, name := range Names() {
		if Fetchable(name) {
			names = append(names, name)
		}
	}
	return names
}

// fetch downloads one file from the first mirror that has it.
func (d download) fetch(ctx context.Context, file string, o FetchOptions) error {
	switch _, err := os.Stat(file); {
	case err == nil:
		sums, err := checksumFile(file)
		if err != nil {
			return err
		}
		if err := d.check(sums); err != nil {
			return fmt.Errorf("the existing file is not the published one: %w; move it away to fetch the published one", err)
		}
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	mirrors := d.mirrors
	if o.Mirror != "" {
		mirrors = []string{o.Mirror}
	}
	var failures []string
	for _, m := range mirrors {
		url := m
		if path.Base(m) != d.file {
			url = strings.TrimRight(m, "/") + "/" + d.file
		}
		err := d.fetchFrom(ctx, url, file+".part", o)
		if err == nil {
			return publish(file+".part", file)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failures = append(failures, fmt.Sprintf("%s: %v", url, err))
	}
	return errors.New(strings.Join(failures, "; "))
}

// publish renames a finished file to its name and syncs the folder.
func publish(part, file string) error {
	if err := os.Rename(part, file); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(file))
}

// permanentError is an error that would occur again in another attempt.
type permanentError struct{ error }

// fetchFrom downloads a file from one mirror in several attempts, each of which resumes the last one.
func (d download) fetchFrom(ctx context.Context, url, part string, o FetchOptions) (err error) {
	wait := o.Wait
	if o.Notice != nil {
		o.Notice("fetching " + url)
	}
	for attempt := range fetchAttempts {
		if attempt > 0 {
			if o.Notice != nil {
				o.Notice(fmt.Sprintf("%v; attempt %d of %d in %v", err, attempt+1, fetchAttempts, wait))
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(wait):
			}
			wait *= 2
		}
		err = d.attempt(ctx, url, part, o)
		var gone permanentError
		if err == nil || errors.As(err, &gone) || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return err
	}
	sums, err := checksumFile(part)
	if err != nil {
		return err
	}
	if err := d.check(sums); err != nil {
		os.Remove(part) // resuming it would fail again
		return err
	}
	return nil
}

// attempt downloads the bytes that part lacks.
func (d download) attempt(ctx context.Context, url, part string, o FetchOptions) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return permanentError{err}
	}
	defer f.Close()
	at, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return permanentError{err}
	}
	if d.size > 0 && at >= d.size { // complete or too long, which the checksum shows
		return nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return permanentError{err}
	}
	if at > 0 {
		request.Header.Set("Range", "bytes="+strconv.FormatInt(at, 10)+"-")
	}
	answer, err := fetchClient().Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK: // the whole file, although a range was requested
		if at, err = 0, f.Truncate(0); err != nil {
			return permanentError{err}
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return permanentError{err}
		}
	case http.StatusPartialContent:
		if want := fmt.Sprintf("bytes %d-", at); !strings.HasPrefix(answer.Header.Get("Content-Range"), want) {
			return permanentError{fmt.Errorf("the server answers with the range %q, not %q", answer.Header.Get("Content-Range"), want)}
		}
	case http.StatusRequestedRangeNotSatisfiable: // no more bytes; the checksum shows whether the file is complete
		return nil
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return fmt.Errorf("the server answers %s", answer.Status)
	default:
		return permanentError{fmt.Errorf("the server answers %s", answer.Status)}
	}
	total := d.size
	if total == 0 && answer.ContentLength > 0 {
		total = at + answer.ContentLength
	}
	most := d.size
	if most == 0 {
		most = maxFetch
	}
	err = d.receive(f, answer.Body, at, total, most, cancel, o)
	if syncErr := f.Sync(); err == nil && syncErr != nil {
		err = permanentError{syncErr}
	}
	return err
}

// receive appends the received bytes to the first at bytes.
func (d download) receive(f *os.File, r io.Reader, at, total, most int64, cancel func(), o FetchOptions) error {
	stall := time.AfterFunc(fetchStall, cancel)
	defer stall.Stop()
	b := make([]byte, 1<<16)
	for {
		n, err := r.Read(b)
		stall.Reset(fetchStall)
		if at+int64(n) > most {
			return permanentError{fmt.Errorf("it has more than the published %d bytes", most)}
		}
		if _, writeErr := f.Write(b[:n]); writeErr != nil {
			return permanentError{writeErr}
		}
		at += int64(n)
		if o.Progress != nil && n > 0 {
			o.Progress(d.file, at, total)
		}
		switch {
		case err == io.EOF && total > 0 && at < total:
			return fmt.Errorf("it ends after %d of %d bytes", at, total)
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// fetchClient returns a client with a time limit for a server that does not answer, but not for a slow download.
func fetchClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   30 * time.Second,
		ResponseHeaderTimeout: fetchStall,
		DisableCompression:    true, // the checksum is of the stored file
	}}
}

// sums are the size and the checksums of a file.
type sums struct {
	size        int64
	sha256, md5 string
}

func checksumFile(name string) (s sums, err error) {
	f, err := os.Open(name)
	if err != nil {
		return s, err
	}
	defer f.Close()
	a, b := sha256.New(), md5.New()
	if s.size, err = io.Copy(io.MultiWriter(a, b), f); err != nil {
		return s, err
	}
	text := func(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
	s.sha256, s.md5 = text(a), text(b)
	return s, nil
}

// check returns an error if a file is not the published one.
func (d download) check(s sums) error {
	switch {
	case d.size > 0 && s.size != d.size:
		return fmt.Errorf("it has %d bytes, but must have %d", s.size, d.size)
	case d.sha256 != "" && s.sha256 != d.sha256:
		return fmt.Errorf("its SHA-256 is %s, but must be %s", s.sha256, d.sha256)
	case d.md5 != "" && s.md5 != d.md5:
		return fmt.Errorf("its MD5 is %s, but must be %s", s.md5, d.md5)
	}
	return nil
}
