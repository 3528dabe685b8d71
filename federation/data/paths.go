package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// findPath returns the file or folder that the path of a set names. The path may be relative to the working directory, to
// one of q.dirs or to one of folders in them. endings are appended to the path in turn: "" leaves the path unchanged. needs
// describes the file or folder in the error.
func findPath(q query, endings, folders []string, needs string) (string, error) {
	base := sourceOf(q.name).name
	if q.path == "" {
		return "", fmt.Errorf("data set %s: write %s:PATH, the path of %s", base, base, needs)
	}
	places := []string{q.path}
	for _, dir := range q.dirs {
		if filepath.IsAbs(q.path) {
			break
		}
		for _, place := range append([]string{dir}, subfolders(dir, folders)...) {
			places = append(places, filepath.Join(place, q.path))
		}
	}
	notFound := &NotFoundError{
		Name: q.name, Looked: slices.Clone(places), Needs: needs,
		Advice: fmt.Sprintf("write the path after %s:, or name the folder that it is in with --data-dir", base),
	}
	for i, place := range places {
		for _, ending := range endings {
			switch _, err := os.Stat(place + ending); {
			case err == nil:
				return place + ending, nil
			case !errors.Is(err, fs.ErrNotExist):
				notFound.Looked[i] += fmt.Sprintf(" (%v)", err)
			}
		}
	}
	return "", notFound
}

// planar turns images whose values follow each other pixel by pixel (H x W x C) into planes (C x H x W), in place.
// plane is the number of pixels per image.
func planar(pixels []byte, channels, plane int) {
	if channels == 1 || plane == 0 {
		return
	}
	from := make([]byte, channels*plane)
	for image := range slices.Chunk(pixels, len(from)) {
		copy(from, image)
		for c := range channels {
			to := image[c*plane : (c+1)*plane]
			for k := range to {
				to[k] = from[k*channels+c]
			}
		}
	}
}
