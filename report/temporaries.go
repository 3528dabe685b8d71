package report

import (
	"fmt"

	"feddag/internal/atomicfile"
)

// RemoveTemporaries removes the temporary files of a process that was killed while writing. The caller must have locked the
// directory.
func (d *Dir) RemoveTemporaries() error {
	if err := atomicfile.RemoveTemporaries(d.path); err != nil {
		return fmt.Errorf("removing what a killed process left in %s: %w", d.path, err)
	}
	return nil
}
