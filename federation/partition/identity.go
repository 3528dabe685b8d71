package partition

import (
	"fmt"

	"feddag/federation/data"
)

// checkData returns an error unless the partition was made for the data set s. A partition with the hash of the set's content
// fits every set with this content, whatever its name or path. A partition of an earlier version has only the hash of the
// labels, and a partition that was written by hand may have no hash. Both must have the set's name.
func (p *Partition) checkData(s *data.Set) error {
	switch {
	case data.IsContentHash(p.DataHash):
		if hash := s.Hash(); hash != p.DataHash {
			return fmt.Errorf("data set %s has other pixels or labels than the set for which this partition was made: the hash of its content is %s, but the partition has %s (of %s); restore the images, name their present path with --dataset, --data-dir or --dataset-option, or start again with these images",
				s.Name, data.ShortHash(hash), data.ShortHash(p.DataHash), p.DataSet)
		}
	case p.DataSet != s.Name:
		return fmt.Errorf("this is a partition of data set %s, not of %s; choose --dataset %s or another partition", p.DataSet, s.Name, p.DataSet)
	case p.DataHash != "" && p.DataHash != s.LabelHash():
		return fmt.Errorf("this partition was made for another copy of %s: the hash of its labels starts with %.20s, but here it starts with %.20s",
			s.Name, p.DataHash, s.LabelHash())
	}
	return nil
}

// SetData records s as the data set of the partition, by its name and the hash of its content. It is for a partition that was
// read for s, but has another name of the set or no hash of its content.
func (p *Partition) SetData(s *data.Set) { p.DataSet, p.DataHash = s.Name, s.Hash() }
