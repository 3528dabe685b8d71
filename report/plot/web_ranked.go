package plot

import (
	"fmt"
	"html"
	"html/template"
	"strings"

	"feddag/internal/numfmt"
)

// HTML returns the chart for a page. If there are more lines than colours, each line has its own panel, with the other lines
// in grey.
func (c RankedChart) HTML() (template.HTML, error) {
	for i, s := range c.Series {
		if err := s.check(i); err != nil {
			return "", fmt.Errorf("plot %q: %w", c.Title, err)
		}
	}
	shown := c.shown()
	if c.lines() > webColours {
		return c.panels(shown), nil
	}
	w := c.web(shown, 6, 5)
	w.xLabel, w.yLabel = c.XLabel, c.YLabel
	for _, i := range shown {
		w.band(c.Series[i], c.webColour(i))
	}
	for _, i := range c.upwards(shown) {
		w.line(c.Series[i], c.webColour(i)+c.strength(i), false, 1)
	}
	for _, i := range shown {
		w.keys = append(w.keys, webKey{name: c.Series[i].Name + lastValue(c.Series[i]), class: c.webColour(i)})
	}
	return w.HTML(strings.ReplaceAll(c.Title, "\n", ". ")), nil
}

// lines returns the number of lines that need their own colour.
func (c *RankedChart) lines() int {
	if c.Strong >= 0 {
		return len(c.Series) - 1
	}
	return len(c.Series)
}

func lastValue(s Series) string {
	if last := s.Last(); finite(last) {
		return " " + numfmt.Decimal(last, 1)
	}
	return ""
}

// webColour returns the class of the colour of a line other than the strong one, which has the colour of text.
func (c *RankedChart) webColour(i int) string {
	if i == c.Strong {
		return "ink"
	}
	if c.Strong >= 0 && i > c.Strong {
		i--
	}
	return webColour(i)
}

func (c *RankedChart) strength(i int) string {
	if i == c.Strong {
		return " strong"
	}
	return ""
}

// web returns an empty chart with the scales of the series shown.
func (c *RankedChart) web(shown []int, ticksX, ticksY int) *webChart {
	w := &webChart{}
	var empty bool
	w.x, w.y, empty = c.scalesOf(shown, ticksX, ticksY)
	w.grid()
	if empty {
		w.over.WriteString(`<p class="nothing">nothing measured yet</p>`)
	}
	return w
}

// panels draws a small chart for each line, the highest last value first.
func (c *RankedChart) panels(shown []int) template.HTML {
	var others strings.Builder
	all := c.web(shown, 3, 3)
	for _, i := range shown {
		if points := c.Series[i].points(all.y); len(points) > 1 {
			for k, p := range points {
				command := "L"
				if k == 0 {
					command = "M"
				}
				others.WriteString(command + all.at(p.X, p.Y))
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<p class="note">Vertical: %s; horizontal: %s. Coloured: the algorithm named, with its last value; grey: the others`, html.EscapeString(c.YLabel), html.EscapeString(c.XLabel))
	if c.Strong >= 0 {
		fmt.Fprintf(&b, `; dashed: %s`, html.EscapeString(c.Series[c.Strong].Name))
	}
	b.WriteString(`.</p><div class="panels">`)
	for _, i := range shown {
		w := c.web(shown, 3, 3)
		w.low = true
		w.path("line others", others.String(), "")
		if c.Strong >= 0 && i != c.Strong {
			w.line(c.Series[c.Strong], "ink", true, 1)
		}
		w.band(c.Series[i], c.webColour(i))
		w.line(c.Series[i], c.webColour(i)+c.strength(i), false, 1)
		fmt.Fprintf(&b, `<div><h4><span>%s</span><b>%s</b></h4>%s</div>`, html.EscapeString(legalXML(c.Series[i].Name)), strings.TrimSpace(lastValue(c.Series[i])), w.HTML(c.Series[i].Name))
	}
	b.WriteString(`</div>`)
	return template.HTML(b.String())
}
