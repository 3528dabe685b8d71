package cli

import (
	"fmt"

	"feddag/report/plot"
)

// Maximum numbers of rows and columns of a mosaic.
const mosaicRows, mosaicColumns = 24, 20

// mosaic shows a test image of each label as the clients of each group see and label it. Without groups, it shows the first
// clients.
func (d *heldData) mosaic() plot.Mosaic {
	p, s := d.partition, d.set
	sets := d.members()
	name := func(k int) string { return fmt.Sprintf("%d: %s", k, d.groupName(sets[k][0])) }
	if sets == nil {
		for i := range p.Shards[:min(len(p.Shards), mosaicRows/2)] {
			sets = append(sets, []int{i})
		}
		name = func(k int) string { return fmt.Sprintf("client %d", k) }
	}
	sets = sets[:min(len(sets), mosaicRows)]
	m := plot.Mosaic{Channels: s.Channels, Height: s.Height, Width: s.Width}
	for l := range min(s.Classes, mosaicColumns) {
		column := fmt.Sprint(l)
		if len(s.ClassNames) > 0 {
			column = s.ClassNames[l]
		}
		m.Columns = append(m.Columns, column)
	}
	for k, row := range p.Samples(s, sets) {
		m.Rows = append(m.Rows, name(k))
		images := make([][]byte, len(m.Columns))
		for l := range images {
			if row[l].Client >= 0 {
				images[l] = p.TestImage(s, row[l].Client, row[l].Test)
			}
		}
		m.Images = append(m.Images, images)
	}
	return m
}
