package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"feddag/internal/jsonscan"
)

// leafUser has the images of a user.
type leafUser struct {
	pixels []byte
	labels []uint8
}

// leafSplit has the users of a folder of files.
type leafSplit struct {
	users  map[string]*leafUser
	length int // number of values per image; 0 before the first image
	scale  string
}

// readFile reads the users of the file with a name.
func (l *leafSplit) readFile(ctx context.Context, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return errors.Unwrap(err) // the caller names the file
	}
	defer f.Close()
	return l.read(ctx, f)
}

// read reads the users of a file.
func (l *leafSplit) read(ctx context.Context, r io.Reader) error {
	s := jsonscan.New(r)
	var users []string
	var counts []float64
	read := map[string]int{} // number of images of each user in this file
	err := s.Object(func(key string) error {
		switch key {
		case "users":
			return s.List(func(int) error {
				user, err := s.String()
				users = append(users, user)
				return err
			})
		case "num_samples":
			return s.List(func(int) error {
				n, err := s.Number()
				counts = append(counts, n)
				return err
			})
		case "user_data":
			return s.Object(func(user string) error {
				if err := ctx.Err(); err != nil {
					return err
				}
				n, err := l.readUser(s, user)
				if err != nil {
					return fmt.Errorf("user %q: %w", user, err)
				}
				read[user] = n
				return nil
			})
		case "hierarchies":
			return s.Skip()
		}
		return fmt.Errorf("the key %q is not one of LEAF's: users, num_samples, user_data, hierarchies", key)
	})
	if err == nil {
		err = s.End()
	}
	if err != nil {
		return err
	}
	if len(users) != len(read) || len(counts) != len(users) {
		return fmt.Errorf("there are %d users and %d num_samples for the %d users of user_data", len(users), len(counts), len(read))
	}
	for i, user := range users {
		if n, ok := read[user]; !ok || float64(n) != counts[i] {
			return fmt.Errorf("user %q: there are %d images in user_data, but num_samples says %v", user, n, counts[i])
		}
	}
	return nil
}

// readUser reads the images of a user, and returns their number.
func (l *leafSplit) readUser(s *jsonscan.Scanner, user string) (int, error) {
	if l.users[user] != nil {
		return 0, errors.New("it occurs twice, in this file or another file of its folder")
	}
	u := &leafUser{}
	seen := map[string]bool{}
	images := 0
	err := s.Object(func(key string) error {
		if seen[key] {
			return fmt.Errorf("the key %q occurs twice", key)
		}
		seen[key] = true
		switch key {
		case "x":
			return s.List(func(i int) error {
				images++
				if err := l.readImage(s, u); err != nil {
					return fmt.Errorf("image %d: %w", i, err)
				}
				return nil
			})
		case "y":
			return s.List(func(i int) error {
				v, err := s.Number()
				if err == nil && (v != math.Trunc(v) || v < 0 || v >= maxClasses) {
					err = fmt.Errorf("label %v is not a whole number from 0 to %d", v, maxClasses-1)
				}
				if err != nil {
					return fmt.Errorf("image %d: %w", i, err)
				}
				u.labels = append(u.labels, uint8(v))
				return nil
			})
		}
		return fmt.Errorf("the key %q is not one of LEAF's: x, y", key)
	})
	if err == nil && images != len(u.labels) {
		err = fmt.Errorf("there are %d images in x, but %d labels in y", images, len(u.labels))
	}
	if err != nil {
		return 0, err
	}
	l.users[user] = u
	return images, nil
}

// readImage appends an image to those of a user.
func (l *leafSplit) readImage(s *jsonscan.Scanner, u *leafUser) error {
	kind, err := s.Kind()
	if err != nil {
		return err
	}
	if kind == '"' {
		return errors.New("x has text: only images as lists of numbers are read, such as those of FEMNIST; for CelebA write a list, see csv:PATH")
	}
	n := 0
	err = s.List(func(int) error {
		v, err := s.Number()
		if err != nil {
			return err
		}
		p, err := pixelOf(v, l.scale)
		if err != nil {
			return err
		}
		if n++; n > maxImagePixels {
			return fmt.Errorf("it has more than %d values", maxImagePixels)
		}
		u.pixels = append(u.pixels, p)
		return nil
	})
	switch {
	case err != nil:
		return err
	case n == 0:
		return errors.New("it has no values")
	case l.length == 0:
		l.length = n
	case n != l.length:
		return fmt.Errorf("it has %d values, but earlier images have %d", n, l.length)
	}
	return nil
}
