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
	"strings"

	"feddag/internal/atomicfile"
)

// writeBlobs writes each blob of a checkpoint into a file of its own in dir and returns the file names by blob.
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
			return nil, fmt.Errorf("%s: %w", files[name], err)
		}
	}
	return files, nil
}

// removeOldBlobs removes the files of the same blobs that the checkpoint, whose file names are given, does not list.
func removeOldBlobs(dir string, files map[string]string) error {
	for name, file := range files {
		old, err := filepath.Glob(filepath.Join(dir, name+"-*.bin"))
		if err != nil {
			return err
		}
		for _, path := range old {
			if filepath.Base(path) != file {
				if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
		}
	}
	return nil
}

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
