package plot

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"feddag/internal/numfmt"
)

// SortedBars is a chart of one value per client in percent, with the clients sorted by value.
type SortedBars struct {
	Alt    string
	XLabel string
	YLabel string
	Values []float64 // ascending; all finite
	Names  []string  // name of each bar
	First  int       // number of highlighted bars at the start
	Mean   float64   // mean, drawn as a line; NaN for no line
}

// HTML returns the chart for a page.
func (s SortedBars) HTML() template.HTML {
	n := len(s.Values)
	w := &webChart{xLabel: s.XLabel, yLabel: s.YLabel, x: linearScale(0, float64(max(n, 1)), 6, 1, false), y: linearScale(0, 100, 5, 0, true)}
	w.grid()
	gap := 0.12
	if n > 150 { // the gaps would be thinner than a pixel
		gap = 0
	}
	for i, v := range s.Values {
		class := webColour(0)
		if i < s.First {
			class = webColour(1)
		}
		d := "M" + w.at(float64(i)+gap, 0) + "V" + webNumber(webUnits*(1-w.y.share(v))) + "H" + webNumber(webUnits*w.x.share(float64(i+1)-gap)) + "V1000Z"
		w.path("bar "+class, d, s.Names[i])
	}
	if s.First > 0 {
		w.keys = append(w.keys, webKey{name: "worst tenth (" + numfmt.Count(s.First, "client") + ")", class: webColour(1), dot: true}, webKey{name: "other clients", class: webColour(0), dot: true})
	}
	if !math.IsNaN(s.Mean) {
		w.path("line dashed ink", "M"+w.at(w.x.min, s.Mean)+"H1000", "")
		w.keys = append(w.keys, webKey{name: "mean " + numfmt.Decimal(s.Mean, 1), class: "ink", dashed: true})
	}
	return w.HTML(s.Alt)
}

// Part is a part of the bar that [StackHTML] draws.
type Part struct {
	Name, Text string
	Value      float64
}

// StackHTML draws parts of a whole as one bar for a page, with a legend that contains the text of each part.
func StackHTML(alt string, parts []Part) template.HTML {
	total := 0.0
	for _, p := range parts {
		total += p.Value
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<div class="stack" role="img" aria-label="%s">`, template.HTMLEscapeString(legalXML(alt)))
	for i, p := range parts {
		if p.Value > 0 && total > 0 {
			fmt.Fprintf(&b, `<span class="%s" style="width:%s" title="%s"></span>`, webColour(i), inPercent(p.Value/total), template.HTMLEscapeString(p.Name+" "+p.Text))
		}
	}
	b.WriteString(`</div><ul class="keys parts">`)
	for i, p := range parts {
		share := ""
		if total > 0 {
			share = fmt.Sprintf(" <em>%s</em>", inPercent(math.Round(1000*p.Value/total)/1000))
		}
		fmt.Fprintf(&b, `<li><i class="%s spot"></i>%s <b>%s</b>%s</li>`, webColour(i), template.HTMLEscapeString(p.Name), template.HTMLEscapeString(p.Text), share)
	}
	b.WriteString(`</ul>`)
	return template.HTML(b.String())
}
