package data

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
)

// CIFAR-10 as JPEG files, for people who have it only in this form: train/CLASS/*.jpg and test/CLASS/*.jpg, in folders or
// in zips (train-1.zip, ..., test.zip). JPEG loses information, so the set has its own name. It is scaled like CIFAR-10.
func init() {
	register(source{
		name: "cifar10-jpeg", title: "CIFAR-10 (JPEG)", aliases: []string{"cifar10_jpeg", "cifar-10-jpeg"}, cacheable: always,
		find: findCIFAR10JPEG,
		read: func(ctx context.Context, files []string, q query) (*Set, error) {
			s, err := readTree(ctx, files, q)
			if err != nil {
				return nil, err
			}
			if !slices.Equal(s.ClassNames, cifar10Classes) || s.UserNames != nil || s.Channels != 3 || s.Height != 32 || s.Width != 32 {
				return nil, fmt.Errorf("%s: %d classes of %d x %d x %d, %q..., are not CIFAR-10; --dataset folder:PATH reads any images",
					files[0], s.Classes, s.Channels, s.Height, s.Width, s.ClassNames[0])
			}
			s.Mean, s.Std = slices.Clone(cifar10Mean), slices.Clone(cifar10Std)
			return s, nil
		},
	})
}

// findCIFAR10JPEG returns the zips or the two folders.
func findCIFAR10JPEG(q query) ([]string, error) {
	notFound := &NotFoundError{
		Name: q.name, Needs: "train*.zip and test*.zip, or train/airplane/ and test/airplane/, in cifar10-jpeg/, cifar10/ or there",
		Advice: "name their folder with --data-dir",
	}
	for _, root := range q.dirs {
		for _, dir := range []string{filepath.Join(root, "cifar10-jpeg"), filepath.Join(root, "cifar10"), root} {
			// A folder whose name has a pattern character is not found, and the error says that.
			train, _ := filepath.Glob(filepath.Join(dir, "train*.zip"))
			test, _ := filepath.Glob(filepath.Join(dir, "test*.zip"))
			if len(train) > 0 && len(test) > 0 {
				return append(train, test...), nil
			}
			if isFolder(filepath.Join(dir, "train", "airplane")) && isFolder(filepath.Join(dir, "test", "airplane")) {
				return []string{filepath.Join(dir, "train"), filepath.Join(dir, "test")}, nil
			}
		}
		notFound.Looked = append(notFound.Looked, root)
	}
	return nil, notFound
}
