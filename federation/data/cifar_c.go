package data

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"feddag/internal/damage"
	"feddag/internal/npy"
	"feddag/internal/spelling"
)

// cifarC is CIFAR-10-C or CIFAR-100-C (Hendrycks and Dietterich, 2019): the 10,000 test images of CIFAR under 19
// corruptions at five severities, in one .npy file of 50,000 images per corruption. Here each corruption is a domain,
// which is a user of the set. All published images are test images of CIFAR. Under each corruption the first 8,000 are
// used for training and the last 2,000 for testing, so no picture is in both splits under any corruption.
type cifarC struct {
	name, title, folder string
	of                  string // name of the clean set
	archive             download
}

const (
	cifarCImages = 10000 // images per severity
	cifarCTrain  = 8000
)

var (
	cifarCMain = []string{
		"brightness", "contrast", "defocus_blur", "elastic_transform", "fog", "frost", "gaussian_noise", "glass_blur",
		"impulse_noise", "jpeg_compression", "motion_blur", "pixelate", "shot_noise", "snow", "zoom_blur",
	}
	cifarCExtra = []string{"gaussian_blur", "saturate", "spatter", "speckle_noise"}
)

func init() {
	for _, x := range []cifarC{
		{"cifar10-c", "CIFAR-10-C", "CIFAR-10-C", "cifar10", download{
			mirrors: []string{"https://zenodo.org/records/2535967/files"}, size: 2918471680,
			md5: "56bf5dcef84df0e2308c6dcbcbbd8499", sha256: "c72763e101c723b7c507b96205f7e938912a5d587376173b825850cf3cb876a7",
		}},
		{"cifar100-c", "CIFAR-100-C", "CIFAR-100-C", "cifar100", download{
			mirrors: []string{"https://zenodo.org/records/3555552/files"}, size: 2918473216,
			md5: "11f0ed0f1191edbf9fa23466ae6021d3",
		}},
	} {
		x.archive.file = x.folder + ".tar"
		register(source{
			name: x.name, title: x.title, aliases: []string{strings.ToLower(x.folder)}, cacheable: packed,
			options: map[string]string{
				"corruption": "comma-separated names; main (default) is the 15 corruptions of the benchmark, all includes the 4 extra ones",
				"severity":   "1 to 5 (default 3)",
			},
			origin: origin{folder: x.name, files: []download{x.archive}, images: [2]int{15 * cifarCTrain, 15 * (cifarCImages - cifarCTrain)}},
			find:   x.find, read: x.read,
		})
	}
}

// choice returns the corruptions and the severity that the options choose.
func (x cifarC) choice(q query) (corruptions []string, severity int, err error) {
	known := append(slices.Clone(cifarCMain), cifarCExtra...)
	slices.Sort(known)
	switch text := q.extra["corruption"]; text {
	case "", "main":
		corruptions = slices.Clone(cifarCMain)
	case "all":
		corruptions = known
	default:
		corruptions = strings.Split(text, ",")
		for _, c := range corruptions {
			if !slices.Contains(known, c) {
				return nil, 0, spelling.Unknown("corruption", c, known)
			}
		}
		slices.Sort(corruptions)
		corruptions = slices.Compact(corruptions)
	}
	severity = 3
	if text, ok := q.extra["severity"]; ok {
		if severity, err = strconv.Atoi(text); err != nil || severity < 1 || severity > 5 {
			return nil, 0, fmt.Errorf("option severity=%s: use 1 to 5", text)
		}
	}
	return corruptions, severity, nil
}

func (x cifarC) form(corruptions []string) publication {
	p := publication{folder: x.folder, archive: x.folder + ".tar", files: []string{"labels.npy"}}
	for _, c := range corruptions {
		p.files = append(p.files, c+".npy")
	}
	return p
}

func (x cifarC) find(q query) ([]string, error) {
	corruptions, _, err := x.choice(q)
	if err != nil {
		return nil, err
	}
	return findPublished(q, []string{x.name}, []publication{x.form(corruptions)}, "feddag data fetch "+x.name+", or name its folder with --data-dir")
}

func (x cifarC) read(ctx context.Context, files []string, q query) (*Set, error) {
	corruptions, severity, err := x.choice(q)
	if err != nil {
		return nil, err
	}
	clean := cifarSets[x.of]
	s := &Set{
		Channels: 3, Height: 32, Width: 32, Classes: len(clean.classNames), ClassNames: slices.Clone(clean.classNames),
		Mean: slices.Clone(clean.mean), Std: slices.Clone(clean.std), Superclass: slices.Clone(clean.superclass),
		SuperclassNames: slices.Clone(clean.superNames), UserNames: corruptions,
		Notes: []string{fmt.Sprintf("severity %d; of the 10,000 pictures under each corruption the first %d are used for training, the others for testing", severity, cifarCTrain)},
	}
	k := len(corruptions)
	s.Train.Pixels = make([]byte, k*cifarCTrain*cifarPixels)
	s.Test.Pixels = make([]byte, k*(cifarCImages-cifarCTrain)*cifarPixels)
	var labels []byte
	seen := 0
	one := func(name string, r io.Reader) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if name == "labels.npy" {
			labels, err = cifarCLabels(r, s.Classes)
		} else {
			u := slices.Index(corruptions, strings.TrimSuffix(name, ".npy"))
			from, to := u*cifarCTrain*cifarPixels, u*(cifarCImages-cifarCTrain)*cifarPixels
			err = cifarCPixels(r, severity, s.Train.Pixels[from:][:cifarCTrain*cifarPixels], s.Test.Pixels[to:][:(cifarCImages-cifarCTrain)*cifarPixels])
		}
		if seen++; q.progress != nil {
			q.progress(min(seen*cifarCImages, k*cifarCImages), k*cifarCImages)
		}
		return err
	}
	if err := x.each(files, x.form(corruptions), one); err != nil {
		return nil, err
	}
	for u := range k {
		s.Train.Labels = append(s.Train.Labels, labels[:cifarCTrain]...)
		s.Test.Labels = append(s.Test.Labels, labels[cifarCTrain:]...)
		for i := range cifarCImages {
			split := &s.Train
			if i >= cifarCTrain {
				split = &s.Test
			}
			split.Users = append(split.Users, int32(u))
		}
	}
	return s, nil
}

// each calls read with every file of a form, from a folder or from the archive.
func (x cifarC) each(files []string, form publication, read func(name string, r io.Reader) error) error {
	if len(files) == 1 && filepath.Base(files[0]) == form.archive {
		found := map[string]bool{}
		err := eachInTar(files[0], func(h *tar.Header, r io.Reader) error {
			dir, name := path.Split(path.Clean(h.Name))
			if path.Base(dir) != form.folder || !slices.Contains(form.files, name) {
				return nil
			}
			if found[name] {
				return errors.New("it occurs twice")
			}
			found[name] = true
			return read(name, r)
		})
		for _, name := range form.files {
			if err == nil && !found[name] {
				err = fmt.Errorf("%s: it lacks %s/%s; fetch it again", files[0], form.folder, name)
			}
		}
		return err
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		err = read(filepath.Base(file), f)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// cifarCLabels reads the labels of all images and returns those of one severity. They are the same at each severity.
func cifarCLabels(r io.Reader, classes int) ([]byte, error) {
	a, err := npy.Read(r, 5*cifarCImages)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(a.Shape, []int{5 * cifarCImages}) {
		return nil, fmt.Errorf("the labels have the shape %v, but there must be %d", a.Shape, 5*cifarCImages)
	}
	numbers, err := a.Ints(0, classes-1)
	if err != nil {
		return nil, fmt.Errorf("a label is out of range: %w", err)
	}
	labels := make([]byte, cifarCImages)
	for i, l := range numbers {
		if k := i % cifarCImages; i == k {
			labels[k] = byte(l)
		} else if labels[k] != byte(l) {
			return nil, fmt.Errorf("image %d has label %d at severity 1 and %d at severity %d; fetch it again", k, labels[k], l, i/cifarCImages+1)
		}
	}
	return labels, nil
}

// cifarCPixels reads the images of one severity from 5 x 10,000 x 32 x 32 x 3 bytes (channels last).
func cifarCPixels(r io.Reader, severity int, train, test []byte) error {
	h, err := npy.ReadHeader(r)
	if err != nil {
		return err
	}
	if !slices.Equal(h.Shape, []int{5 * cifarCImages, 32, 32, 3}) || h.Kind != 'u' || h.Size != 1 {
		return fmt.Errorf("the array has the shape %v and %d-byte elements, but must be %d x 32 x 32 x 3 bytes", h.Shape, h.Size, 5*cifarCImages)
	}
	skip := int64(severity-1) * cifarCImages * cifarPixels
	if s, ok := r.(io.Seeker); ok {
		_, err = s.Seek(skip, io.SeekCurrent)
	} else {
		_, err = io.CopyN(io.Discard, r, skip)
	}
	if err != nil {
		return damage.Describe(err)
	}
	batch := make([]byte, 100*cifarPixels)
	for _, split := range [][]byte{train, test} {
		for to := range slices.Chunk(split, len(batch)) {
			if _, err := io.ReadFull(r, batch); err != nil {
				return damage.Describe(err)
			}
			planes(to, batch, 32*32)
		}
	}
	return nil
}

// planes converts images from channels last, N x pixels x 3 bytes, to channels first.
func planes(to, from []byte, pixels int) {
	for i := 0; i < len(from); i += 3 * pixels {
		a, b := from[i:i+3*pixels], to[i:i+3*pixels]
		for p := range pixels {
			b[p], b[pixels+p], b[2*pixels+p] = a[3*p], a[3*p+1], a[3*p+2]
		}
	}
}
