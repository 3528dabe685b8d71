package report

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"feddag/internal/numfmt"
	"feddag/report/plot"
)

// ConfusionFile is the file with the confusion matrix of the last evaluation of a run.
const ConfusionFile = "confusion.json"

// Confusion is the content of confusion.json: the number of test images of each class that were predicted as each class.
type Confusion struct {
	// Counts[label][predicted] is a number of test images, summed over all clients before local training. Each client has its
	// own test set and its own labels of the classes. An image that is in the test sets of several clients counts once for
	// each.
	Counts [][]int `json:"counts"`
}

// WriteConfusion writes confusion.json.
func (d *Dir) WriteConfusion(counts [][]int) error {
	return d.WriteJSON(ConfusionFile, Confusion{counts})
}

// confusionView is the part of a confusion matrix that a page shows.
type confusionView struct {
	Note     string
	Names    []string
	Rows     []confusionRow
	Mistakes []mistake
}

type confusionRow struct {
	Name  string
	Cells []cellView
}

type mistake struct{ True, Predicted, Images, Share string }

// listedMistakes is the number of mistakes that a page lists.
const listedMistakes = 10

// confusionView reads confusion.json. It returns nil if the file does not exist.
func (d *Dir) confusionView(classes []string) (*confusionView, error) {
	var c Confusion
	if err := d.ReadJSON(ConfusionFile, &c); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	v := &confusionView{Note: "Test images after the last round, before local training, over all clients: each client's own test set with the model that it predicts with. An image that several clients have counts once for each of them."}
	type pair struct{ label, predicted, images, of int }
	var pairs []pair
	for label, row := range c.Counts {
		if len(row) != len(c.Counts) {
			return nil, fmt.Errorf("reading %s: there are %d classes, but a row has %d", d.Path(ConfusionFile), len(c.Counts), len(row))
		}
		total := 0
		for _, n := range row {
			total += n
		}
		cells := make([]cellView, len(row))
		for predicted, n := range row {
			if n == 0 {
				continue
			}
			share := float64(n) / float64(total)
			text := numfmt.Decimal(100*share, 0)
			cells[predicted] = shadedCell(text, share)
			if label != predicted {
				pairs = append(pairs, pair{label, predicted, n, total})
			}
		}
		v.Names = append(v.Names, plot.Name(classes, label))
		if total > 0 {
			v.Rows = append(v.Rows, confusionRow{plot.Name(classes, label), cells})
		}
	}
	if len(v.Names) > shownClasses {
		v.Rows = nil
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(b.images, a.images) })
	for _, p := range pairs[:min(len(pairs), listedMistakes)] {
		v.Mistakes = append(v.Mistakes, mistake{
			plot.Name(classes, p.label), plot.Name(classes, p.predicted), numfmt.Thousands(float64(p.images)), numfmt.Decimal(100*float64(p.images)/float64(p.of), 1) + "%",
		})
	}
	return v, nil
}
