package partition

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"feddag/federation/data"
	"feddag/internal/errtest"
)

// TestPartitionFitsTheContent reads the partitions of one set for sets with the same and with another content, from both formats.
func TestPartitionFitsTheContent(t *testing.T) {
	made := labelSet([]int{30, 30}, []int{10, 10})
	p := mustPartition(t, made, params("iid", func(o *Options) { o.Clients = 4 }), 1)
	earlier := *p
	earlier.DataHash = made.LabelHash()

	moved := labelSet([]int{30, 30}, []int{10, 10})
	moved.Name = "folder:/elsewhere"
	otherPixels := labelSet([]int{30, 30}, []int{10, 10})
	otherPixels.Test.Pixels[3] = 9
	otherLabels := labelSet([]int{29, 31}, []int{10, 10})

	for _, c := range []struct {
		name  string
		p     *Partition
		s     *data.Set
		words []string // words of the error; nil for none
	}{
		{"the same set", p, made, nil},
		{"moved", p, moved, nil},
		{"other pixels", p, otherPixels, []string{"data set labels", data.ShortHash(made.Hash()), data.ShortHash(otherPixels.Hash()), "--dataset"}},
		{"other labels", p, otherLabels, []string{"other pixels or labels"}},
		{"earlier, the same set", &earlier, made, nil},
		{"earlier, other pixels", &earlier, otherPixels, nil},
		{"earlier, moved", &earlier, moved, []string{"partition of data set labels, not of folder:/elsewhere"}},
		{"earlier, other labels", &earlier, otherLabels, []string{"another copy"}},
	} {
		for file, encode := range map[string]func(*Partition, *bytes.Buffer) error{
			"p.json": func(p *Partition, b *bytes.Buffer) error { return p.WriteJSON(b) },
			"p.npz":  func(p *Partition, b *bytes.Buffer) error { return p.WriteNPZ(b) },
		} {
			var b bytes.Buffer
			if err := encode(c.p, &b); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), file)
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			q, err := Read(path, c.s)
			switch {
			case c.words != nil:
				errtest.Want(t, err, append(c.words, path)...)
			case err != nil:
				t.Errorf("%s, %s: %v", c.name, file, err)
			case q.DataHash != c.p.DataHash || q.DataSet != "labels":
				t.Errorf("%s, %s: of %s, %s", c.name, file, q.DataSet, q.DataHash)
			default:
				if q.SetData(c.s); q.DataSet != c.s.Name || q.DataHash != c.s.Hash() {
					t.Errorf("%s: SetData left %s, %s", c.name, q.DataSet, q.DataHash)
				}
			}
		}
	}
}
