package federation

import (
	"fmt"

	"feddag/internal/parallel"
)

// sharedRows is the number of rows of a matrix that the processes of a run exchange at a time.
const sharedRows = 512

// ShareRows computes the rows of a matrix between n clients and divides the rows between the processes of the run: see [Share].
// row returns the entries of row i in the columns 0..i-1, and is called in parallel. take stores a row. All processes get all
// rows.
func ShareRows(e *Env, what string, n int, row func(i int) []float64, take func(i int, row []float64)) error {
	for from := 0; from < n; from += sharedRows {
		rows := make([][]float64, min(sharedRows, n-from))
		costs := make([]int64, len(rows))
		for k := range costs {
			costs[k] = int64(from + k)
		}
		err := Share(e, fmt.Sprintf("%s, rows from %d", what, from), costs, func(places []int) error {
			parallel.ForWorkers(len(places), e.Workers, func(k int) {
				if e.Err() == nil {
					rows[places[k]] = row(from + places[k])
				}
			})
			return e.Err()
		}, func(k int) []float64 { return rows[k] }, func(k int, x []float64) error {
			if len(x) != from+k {
				return fmt.Errorf("row %d has %d entries", from+k, len(x))
			}
			rows[k] = x
			return nil
		})
		if err != nil {
			return err
		}
		for k, x := range rows {
			take(from+k, x)
		}
	}
	return nil
}
