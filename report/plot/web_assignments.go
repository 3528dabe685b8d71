package plot

import (
	"fmt"
	"html/template"
	"strconv"

	"feddag/internal/numfmt"
)

// AssignmentsHTML draws the clusters of the clients over time for a page; see [Assignments].
func AssignmentsHTML(table [][]int, first, rounds int) (template.HTML, error) {
	if len(table) == 0 || rounds == 0 {
		return "", nil
	}
	clusters := 0
	for _, row := range table {
		for _, z := range row {
			clusters = max(clusters, z+1)
		}
	}
	w := &webChart{
		xLabel: "round", yLabel: numfmt.Count(len(table), "client") + ", by first cluster",
		x: scale{min: float64(first) - 0.5, max: float64(first+rounds) - 0.5}, y: scale{min: 0, max: 1},
	}
	step := int(NiceStep(float64(rounds)/8, 1))
	for t := first; t < first+rounds; t++ {
		if t%step == 0 || rounds <= 8 {
			w.x.ticks = append(w.x.ticks, float64(t))
		}
	}
	w.x.step = 1
	cells := map[int]string{}
	order := firstClusterOrder(table)
	rows := min(len(order), assignmentPixels)
	high := float64(webUnits) / float64(rows)
	wide := float64(webUnits) / float64(rounds)
	for y := range rows {
		row := table[order[y*len(order)/rows]]
		for t := 0; t < rounds; {
			end := t
			for end < rounds && row[end] == row[t] {
				end++
			}
			if z := row[t]; z >= 0 {
				cells[z] += fmt.Sprintf("M%s %sh%sv%sh-%sZ", webNumber(wide*float64(t)), webNumber(high*float64(y)), webNumber(wide*float64(end-t)), webNumber(high), webNumber(wide*float64(end-t)))
			}
			t = end
		}
	}
	for z := range clusters {
		w.path("bar "+webColour(z), cells[z], "cluster "+strconv.Itoa(z))
		if cells[z] != "" {
			w.keys = append(w.keys, webKey{name: "cluster " + strconv.Itoa(z), class: webColour(z), dot: true})
		}
	}
	return w.HTML("Clusters of the clients over time"), nil
}
