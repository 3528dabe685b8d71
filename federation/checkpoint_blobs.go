package federation

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"feddag/internal/atomicfile"
)

// writeBlobs writes each blob of a checkpoint to its own file in dir and returns the file names by blob.
//
// Blobs are large and seldom change. The name of a file contains a hash of its content, so a blob that is the same as in the
// last checkpoint is not written again. The checkpoint lists the file names, and the files of the last checkpoint remain
// until the new checkpoint is complete: see removeOldBlobs.
func writeBlobs(dir string, blobs map[string][]byte) (map[string]string, error) {
	files := map[string]string{}
	for name, data := range blobs {
		hash := sha256.Sum256(data)
		files[name] = fmt.Sprintf("%s-%s.bin", name, hex.EncodeToString(hash[:8]))
		path := filepath.Join(dir, files[name])
		if info, err := os.Stat(path); err == nil && info.Size() == int64(len(data)) {
			continue
		}
		err := atomicfile.Write(path, func(w io.Writer) error { _, err := w.Write(data); return err })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", files[name], pathless(err))
		}
	}
	return files, nil
}

// removeOldBlobs removes the files of the same blobs that the checkpoint, whose file names are given, does not list, and the
// temporary files of a process that was killed while it wrote such blobs.
func removeOldBlobs(dir string, files map[string]string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		match := blobFile.FindStringSubmatch(e.Name())
		if match == nil {
			continue
		}
		if file, ok := files[match[1]]; !ok || file == e.Name() {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// blobFile matches the file of a blob and its temporary files (see [atomicfile.Write]); the first group is the blob's name.
var blobFile = regexp.MustCompile(`^\.?(.+)-[0-9a-f]{16}\.bin(?:\.[0-9]+\.tmp)?$`)

// readBlobs reads the blobs whose file names a checkpoint lists. It returns an error if a file is missing or if its content does
// not have the hash in its name.
func readBlobs(dir string, files map[string]string) (map[string][]byte, error) {
	blobs := map[string][]byte{}
	for name, file := range files {
		data, err := os.ReadFile(filepath.Join(dir, filepath.Base(file)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, pathless(err))
		}
		hash := sha256.Sum256(data)
		if !strings.Contains(file, hex.EncodeToString(hash[:8])) {
			return nil, fmt.Errorf("%s is damaged", file)
		}
		blobs[name] = data
	}
	return blobs, nil
}
