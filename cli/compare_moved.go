package cli

import (
	"context"
	"fmt"
	"io"

	"feddag/federation/data"
	"feddag/report"
)

// checkMoved returns an error for an existing run that was made with other data than the comparison asks for. It only looks
// at runs whose data set was named differently. If such a run recorded the hash of its data, the hashes are compared, for
// which the data set is read once.
func (p *plan) checkMoved(ctx context.Context, log io.Writer) error {
	hashes := map[string]string{} // hash of each data set by its name and options
	for _, c := range p.cells {
		if !c.moved {
			continue
		}
		dir, err := report.Look(c.dir)
		if err != nil {
			return err
		}
		was, err := dir.ReadPartitionDigest()
		if err != nil {
			return err
		}
		source := c.options.source
		if !data.IsContentHash(was.DataHash) {
			return usagef("%s holds a run with --dataset %s, which kept no hash of its images, and this comparison asks for %s: choose another --out, or move it away", c.dir, was.Dataset, source.dataset)
		}
		key := fmt.Sprintf("%q %q", source.dataset, source.extra)
		if hashes[key] == "" {
			set, err := source.load(ctx, log, p.o.quiet)
			if err != nil {
				return err
			}
			hashes[key] = set.Hash()
		}
		if now := hashes[key]; now != was.DataHash {
			return usagef("%s holds a run with --dataset %s, whose content has the hash %s, and this comparison asks for %s with the hash %s: choose another --out, or move it away", c.dir, was.Dataset, data.ShortHash(was.DataHash), source.dataset, data.ShortHash(now))
		}
	}
	return nil
}
