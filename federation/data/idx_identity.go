package data

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"feddag/internal/parallel"
)

// unreadIDXSets are sets with the file names and the shape of MNIST that this program does not read, by their titles,
// with the MD5 of their published train-labels-idx1-ubyte.gz and t10k-labels-idx1-ubyte.gz.
var unreadIDXSets = map[string][2]string{
	"KMNIST": {"e144d726b3acfaa3e44228e80efcd344", "7320c461ea6c1c855c0b718fb2a4b134"}, // arXiv 1812.01718
}

// identify checks that the labels of s, which was read from files, are the published labels of x. It returns an error for the
// labels of another set, and for unknown labels if the number of images is the published one. It adds notes about another
// number of images, and about published labels with other pixels.
func (x *idxSet) identify(s *Set, files []string) error {
	if x.unpacked == ([4]string{}) {
		return nil
	}
	whole := true
	for i, split := range []Images{s.Train, s.Test} {
		sum, file := unpackedMD5(split.Labels, split.Len()), files[2*i+1]
		if sum == x.unpacked[2*i+1] {
			continue
		}
		whole = false
		if name := ownerOfLabels(sum, i); name != "" {
			return fmt.Errorf("%s: these are the labels of %s, not of %s; choose --dataset %s or another --data-dir",
				file, idxSets[name].title, x.title, name)
		}
		if title := unreadOwner(file, i); title != "" {
			return fmt.Errorf("%s: these are the labels of %s, not of %s; feddag has no reader for %s: choose another --data-dir, or convert the images to a folder per class and read them with --dataset folder:PATH",
				file, title, x.title, title)
		}
		if split.Len() == x.origin.images[i] {
			return fmt.Errorf("%s: these are not the labels of %s: the MD5 of the unpacked file is %s, but must be %s; it is another set with the file names of MNIST (KMNIST and others), or a damaged copy: choose another --data-dir, or feddag data fetch %s",
				file, x.title, sum, x.unpacked[2*i+1], x.name)
		}
	}
	if !whole {
		s.Notes = append(s.Notes, fmt.Sprintf("%d + %d images with labels that differ from those of the published %s (%d + %d images): a part of it, or another set",
			s.Train.Len(), s.Test.Len(), x.title, x.origin.images[0], x.origin.images[1]))
	} else if err := x.published(s); err != nil {
		s.Notes = append(s.Notes, err.Error())
	}
	return nil
}

// published returns an error unless s has the published pixels and labels, and names the file that differs.
func (x *idxSet) published(s *Set) error {
	if x.unpacked == ([4]string{}) {
		return nil
	}
	dims := [][]int{{s.Train.Len(), s.Height, s.Width}, {s.Train.Len()}, {s.Test.Len(), s.Height, s.Width}, {s.Test.Len()}}
	sums := make([]string, len(dims))
	parallel.For(len(dims), func(i int) {
		payload := [][]byte{s.Train.Pixels, s.Train.Labels, s.Test.Pixels, s.Test.Labels}[i]
		sums[i] = unpackedMD5(payload, dims[i]...)
	})
	var differ []string
	for i, sum := range sums {
		if sum != x.unpacked[i] {
			differ = append(differ, idxFiles[i])
		}
	}
	if differ != nil {
		return fmt.Errorf("not as published: the content of %s differs from that of %s", strings.Join(differ, ", "), x.title)
	}
	return nil
}

// unpackedMD5 returns the MD5 of an IDX file without gzip that holds payload in an array of the given dimensions.
func unpackedMD5(payload []byte, dims ...int) string {
	head := []byte{0, 0, 8, byte(len(dims))}
	for _, n := range dims {
		head = binary.BigEndian.AppendUint32(head, uint32(n))
	}
	h := md5.New()
	h.Write(head)
	h.Write(payload)
	return hex.EncodeToString(h.Sum(nil))
}

// ownerOfLabels returns the registered set whose unpacked file of labels has this MD5, in split 0 (training) or 1 (test). It
// returns "" if there is none.
func ownerOfLabels(sum string, split int) string {
	for _, name := range sortedKeys(idxSets) {
		if idxSets[name].unpacked[2*split+1] == sum {
			return name
		}
	}
	return ""
}

// unreadOwner returns the title of the set in unreadIDXSets to which a file of labels belongs, or "" if there is none. For
// these sets only the checksum with gzip is known. An unpacked file is recognised by the packed file in the same folder,
// which torchvision keeps.
func unreadOwner(file string, split int) string {
	const most = 1 << 20 // bytes; the published files have 30 kB
	f, err := os.Open(strings.TrimSuffix(file, ".gz") + ".gz")
	if err != nil {
		return ""
	}
	defer f.Close()
	h := md5.New()
	if n, err := io.Copy(h, io.LimitReader(f, most)); err != nil || n == most {
		return ""
	}
	sum := hex.EncodeToString(h.Sum(nil))
	for _, title := range sortedKeys(unreadIDXSets) {
		if unreadIDXSets[title][split] == sum {
			return title
		}
	}
	return ""
}
