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

// Blobs are parts of a checkpoint that are large and seldom change. Each is a file beside the checkpoint, named by its
// content, so that one which is as it was is not written again. The checkpoint names its files: until it stands, the
// ones of the last checkpoint do.

// writeBlobs writes what is not there yet and returns each blob's file name.
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

// dropBlobs removes the files of blobs that the checkpoint does not name.
func dropBlobs(dir string, files map[string]string) error {
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

// readBlobs reads the files that a checkpoint names, and finds damage.
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
