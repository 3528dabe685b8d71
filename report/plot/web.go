package plot

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"html/template"
	"image"
	"image/png"
	"math"
	"strconv"
	"strings"
)

// Charts in a page are HTML and not figures. The drawing stretches with the page while texts and lines keep their size, and
// the colours come from the style sheet, which has a light and a dark set. A drawing is an SVG of 1000 x 1000 units that is
// stretched to its box; the texts around it are positioned in percent. The classes are defined in the style sheet of package
// report.

// webUnits is the width and the height of the drawing of a chart.
const webUnits = 1000

// webColours is the number of classes k0, k1, ... for the colours of series and clusters.
const webColours = 8

// webColour returns the class of the colour of series or cluster i. A negative i is grey.
func webColour(i int) string {
	if i < 0 {
		return "quiet"
	}
	return "k" + strconv.Itoa(i%webColours)
}

// webChart is a chart of a page while it is being drawn.
type webChart struct {
	x, y           scale
	xLabel, yLabel string
	low            bool // a low chart
	keys           []webKey
	svg, over      strings.Builder // the drawing, and HTML on top of it
}

// webKey is an entry of a legend.
type webKey struct {
	name, class string
	dashed, dot bool
}

// share returns the position of a value within the range, from 0 to 1.
func (s scale) share(v float64) float64 {
	return (v - s.min) / (s.max - s.min)
}

// at returns the position of a point in the drawing, for a path.
func (c *webChart) at(x, y float64) string {
	return webNumber(webUnits*c.x.share(x)) + " " + webNumber(webUnits*(1-c.y.share(y)))
}

func webNumber(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

func inPercent(share float64) string { return webNumber(100*share) + "%" }

// path draws a path. If d is empty, it draws nothing.
func (c *webChart) path(class, d, title string) {
	if d == "" {
		return
	}
	if title != "" {
		fmt.Fprintf(&c.svg, `<path class="%s" d="%s"><title>%s</title></path>`, class, d, html.EscapeString(title))
		return
	}
	fmt.Fprintf(&c.svg, `<path class="%s" d="%s"/>`, class, d)
}

// grid draws a line for each tick of y.
func (c *webChart) grid() {
	var d strings.Builder
	for _, t := range c.y.ticks {
		y := webNumber(webUnits * (1 - c.y.share(t)))
		fmt.Fprintf(&d, "M0 %sH%d", y, webUnits)
	}
	c.path("grid", d.String(), "")
}

// HTML returns the chart. alt describes it for screen readers.
func (c *webChart) HTML(alt string) template.HTML {
	var b strings.Builder
	b.WriteString(`<div class="chart">`)
	writeKeys(&b, c.keys)
	if c.yLabel != "" {
		fmt.Fprintf(&b, `<div class="axis-name">%s</div>`, html.EscapeString(c.yLabel))
	}
	b.WriteString(`<div class="frame"><div class="y-ticks">`)
	wide := ""
	for _, t := range c.y.ticks {
		if l := c.y.label(t); len(l) > len(wide) {
			wide = l
		}
	}
	fmt.Fprintf(&b, `<b>%s</b>`, wide) // sets the width of the column
	for _, t := range c.y.ticks {
		fmt.Fprintf(&b, `<span style="top:%s">%s</span>`, inPercent(1-c.y.share(t)), c.y.label(t))
	}
	area := "area"
	if c.low {
		area += " low"
	}
	fmt.Fprintf(&b, `</div><div class="%s"><svg viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s">%s</svg>%s</div><div class="x-ticks">`,
		area, webUnits, webUnits, html.EscapeString(legalXML(alt)), c.svg.String(), c.over.String())
	for k, t := range c.x.ticks {
		class := ""
		if k%2 == 1 && len(c.x.ticks) > 6 {
			class = ` class="minor"` // hidden if there is no room
		}
		fmt.Fprintf(&b, `<span%s style="left:%s">%s</span>`, class, inPercent(c.x.share(t)), c.x.label(t))
	}
	b.WriteString(`</div></div>`)
	if c.xLabel != "" {
		fmt.Fprintf(&b, `<div class="axis-name x">%s</div>`, html.EscapeString(c.xLabel))
	}
	b.WriteString(`</div>`)
	return template.HTML(b.String())
}

func writeKeys(b *strings.Builder, keys []webKey) {
	if len(keys) == 0 {
		return
	}
	b.WriteString(`<ul class="keys">`)
	for _, k := range keys {
		class := k.class
		if k.dashed {
			class += " dashed"
		}
		if k.dot {
			class += " spot"
		}
		fmt.Fprintf(b, `<li><i class="%s"></i>%s</li>`, class, html.EscapeString(k.name))
	}
	b.WriteString(`</ul>`)
}

// webImage returns an image for the style of an element.
func webImage(img image.Image) (string, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return "", err
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes()), nil
}
