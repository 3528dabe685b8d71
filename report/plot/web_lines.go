package plot

import (
	"fmt"
	"html/template"
	"strings"
)

// HTML returns the chart for a page. The title of the chart is only for screen readers, because the page has its own
// headings.
func (c LineChart) HTML() (template.HTML, error) {
	if err := c.check(); err != nil {
		return "", err
	}
	w := &webChart{xLabel: c.XLabel, yLabel: c.YLabel}
	var empty bool
	w.x, w.y, empty = c.scales(6, 5)
	w.grid()
	for i, s := range c.Series {
		w.band(s, webColour(i))
	}
	for i, s := range c.Series {
		w.line(s, webColour(i), s.Dashed, markedPoints)
		if s.Name != "" && (len(c.Series) > 1 || len(c.Marks)+len(c.Levels) > 0) {
			w.keys = append(w.keys, webKey{name: s.Name, class: webColour(i), dashed: s.Dashed})
		}
	}
	for _, l := range c.Levels {
		w.path("line dashed ink", "M"+w.at(w.x.min, w.y.clamp(l.Y))+"H1000", "")
		w.keys = append(w.keys, webKey{name: l.Name, class: "ink", dashed: true})
	}
	for _, m := range c.Marks {
		w.path("halo", dotPath(w, m.X, m.Y), "")
		w.path("dot big "+webColour(markColour), dotPath(w, m.X, m.Y), m.Name)
		w.keys = append(w.keys, webKey{name: m.Name, class: webColour(markColour), dot: true})
	}
	if empty {
		w.over.WriteString(`<p class="nothing">nothing measured yet</p>`)
	}
	return w.HTML(strings.ReplaceAll(c.Title, "\n", ". ")), nil
}

func dotPath(w *webChart, x, y float64) string {
	return "M" + w.at(w.x.clamp(x), w.y.clamp(y)) + "h.01"
}

// line draws the line of a series, and its points if there are at most marked of them.
func (c *webChart) line(s Series, class string, dashed bool, marked int) {
	points := s.points(c.y)
	var at []string
	for _, p := range points {
		at = append(at, c.at(p.X, p.Y))
	}
	style := "line "
	if dashed {
		style += "dashed "
	}
	if len(points) > 1 {
		c.path(style+class, "M"+strings.Join(at, "L"), "")
	}
	if len(points) > marked && len(points) > 1 {
		return
	}
	for _, p := range points {
		c.path("dot "+class, dotPath(c, p.X, p.Y), fmt.Sprintf("%s: %s", c.x.label(p.X), threeDigits(p.Y)))
	}
}

// band draws the area between Low and High of a series.
func (c *webChart) band(s Series, class string) {
	var upper, lower []string
	for j := range s.Low {
		if finite(s.X[j]) && finite(s.Low[j]) && finite(s.High[j]) {
			upper = append(upper, c.at(s.X[j], c.y.clamp(s.High[j])))
			lower = append([]string{c.at(s.X[j], c.y.clamp(s.Low[j]))}, lower...)
		}
	}
	if len(upper) > 1 {
		c.path("band "+class, "M"+strings.Join(upper, "L")+"L"+strings.Join(lower, "L")+"Z", "")
	}
}
