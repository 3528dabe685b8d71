package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// column is a column of a table.
type column struct {
	set     string
	share   float64
	clients int
}

// row is a row of a table.
type row struct {
	kind  string
	style float64
}

// printTables prints a table for 100 clients with a column per data set and share, and a table for other numbers of clients.
func printTables(w io.Writer, all []result) {
	hundred := slices.DeleteFunc(slices.Clone(all), func(r result) bool { return r.clients != 100 })
	others := slices.DeleteFunc(slices.Clone(all), func(r result) bool { return r.clients == 100 })
	printTable(w, hundred, func(c column) string {
		if c.share == 1 {
			return c.set + ", all data"
		}
		return fmt.Sprintf("%s, %g%%", c.set, 100*c.share)
	})
	if len(others) > 0 {
		fmt.Fprintln(w)
		printTable(w, others, func(c column) string { return fmt.Sprintf("%s, %d clients", c.set, c.clients) })
	}
}

func printTable(w io.Writer, all []result, title func(column) string) {
	cells := map[row]map[column][]result{}
	var columns []column
	for _, r := range all {
		y, x := row{r.kind, r.style}, column{r.set, r.share, r.clients}
		if cells[y] == nil {
			cells[y] = map[column][]result{}
		}
		cells[y][x] = append(cells[y][x], r)
		if !slices.Contains(columns, x) {
			columns = append(columns, x)
		}
	}
	sets := []string{"fashion-mnist", "cifar10-jpeg"}
	slices.SortStableFunc(columns, func(a, b column) int {
		place := func(c column) int { return slices.Index(append(slices.Clone(sets), c.set), c.set) }
		if p := place(a) - place(b); p != 0 {
			return p
		}
		if a.share != b.share {
			return int(math.Copysign(1, b.share-a.share))
		}
		return a.clients - b.clients
	})
	fmt.Fprint(w, "|")
	for _, c := range columns {
		fmt.Fprint(w, " | ", title(c))
	}
	fmt.Fprintln(w, " |\n|---"+strings.Repeat("|---", len(columns))+"|")
	var styles []float64
	for y := range cells {
		if !slices.Contains(styles, y.style) {
			styles = append(styles, y.style)
		}
	}
	slices.Sort(styles)
	for _, style := range styles {
		for _, k := range kinds {
			y := row{k.name, style}
			if cells[y] == nil {
				continue
			}
			fmt.Fprint(w, "| ", k.title)
			if style > 0 {
				fmt.Fprintf(w, ", styles of %g", style)
			}
			for _, x := range columns {
				fmt.Fprint(w, " | ", summary(cells[y][x]))
			}
			fmt.Fprintln(w, " |")
		}
	}
}

// summary returns the mean and the worst ARI of several seeds, the number of exact results, and the numbers of clusters found
// if they are not always the true number. If there is only one true group, it only returns the numbers of clusters.
func summary(results []result) string {
	if len(results) == 0 {
		return ""
	}
	mean, worst, exact := 0., 1., 0
	low, high, wrong := math.MaxInt, 0, false
	one := true
	for _, r := range results {
		mean += r.ari / float64(len(results))
		worst = min(worst, r.ari)
		if r.ari == 1 {
			exact++
		}
		low, high = min(low, r.found), max(high, r.found)
		wrong = wrong || r.found != r.truth
		one = one && r.truth == 1
	}
	found := fmt.Sprint(low)
	if high > low {
		found = fmt.Sprintf("%d-%d", low, high)
	}
	switch {
	case exact == len(results) && one:
		return "one cluster"
	case exact == len(results):
		return "1 / 1"
	case one:
		return fmt.Sprintf("%s clusters; one in %d of %d", found, exact, len(results))
	}
	text := fmt.Sprintf("%.3f / %.3f; %d of %d", mean, worst, exact, len(results))
	if wrong {
		text += "; " + found
	}
	return text
}
