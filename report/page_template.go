package report

import (
	"embed"
	"html/template"
	"strconv"

	"feddag/internal/numfmt"
)

// pageFiles are the templates of the pages and their style sheet. A page has no script and does not refer to other files.
//
//go:embed page
var pageFiles embed.FS

var pages = template.Must(template.New("pages").Funcs(template.FuncMap{
	"ranges":    ranges,
	"bytes":     numfmt.Bytes,
	"duration":  duration,
	"thousands": func(n int) string { return numfmt.Thousands(float64(n)) },
	"score":     func(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) },
	"loss":      func(v float64) string { return numfmt.Decimal(v, 4) },
}).ParseFS(pageFiles, "page/*.html"))

// style returns the style sheet of every page.
func style() (template.CSS, error) {
	text, err := pageFiles.ReadFile("page/style.css")
	return template.CSS(text), err
}

// drawing is a chart of a page.
type drawing struct {
	Title, Text string
	HTML        template.HTML
}
