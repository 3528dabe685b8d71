package report

import (
	"fmt"
	"html/template"
	"io"
)

// compareView is a Comparison made ready for the template.
type compareView struct {
	Title    string
	Lines    []string
	Tables   []Table
	Drawings []drawing
	Shared   []Pair
	JSON     string
}

func (d *Dir) writeComparePage(c *Comparison, tables []Table) error {
	v := compareView{Title: c.title(), Lines: []string{c.where()}, Tables: tables, Shared: c.Shared}
	for _, p := range comparePlots {
		drawn, err := d.readDrawing(p.Plot)
		if err != nil {
			return err
		}
		v.Drawings = append(v.Drawings, drawn)
	}
	raw, err := Marshal(c.Summary())
	if err != nil {
		return fmt.Errorf("writing %s: %w", d.Path(CompareHTML), err)
	}
	v.JSON = string(raw)
	return d.WriteFile(CompareHTML, func(w io.Writer) error { return comparePage.Execute(w, v) })
}

var comparePage = template.Must(template.New("compare").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>
` + styleText + `main { max-width: 1240px; }
td.n.bold { font-weight: 650; }
.plots { grid-template-columns: 1fr; }
tbody tr:nth-child(even) td { background: #fafbfc; }
th.n, td.n { padding: 4px 0 4px 18px; }
</style>
</head>
<body><main>
<h1>{{.Title}}</h1>
{{range .Lines}}<p>{{.}}</p>
{{end}}{{range $i, $t := .Tables}}<h2>{{$t.Title}}</h2>
<div class="card">
{{range $t.Setting}}<p class="note">{{.}}</p>
{{end}}{{range $t.HTMLNotes}}<p class="note">{{.}}</p>
{{end}}<table>
<thead><tr>{{range $t.Columns}}<th{{if not .Text}} class="n"{{end}}>{{.Heading}}</th>{{end}}</tr></thead>
<tbody>
{{range $t.Rows}}<tr>{{range $j, $cell := .}}<td{{if not (index $t.Columns $j).Text}} class="n{{if $cell.Bold}} bold{{end}}"{{end}}>{{if $cell.Link}}<a href="{{$cell.Link}}">{{$cell.Text}}</a>{{else}}{{$cell.Text}}{{end}}</td>{{end}}</tr>
{{end}}</tbody></table>
{{if $t.After}}<ul>
{{range $t.After}}<li>{{.}}</li>
{{end}}</ul>{{end}}
</div>
{{if eq $i 0}}<h2>Curves</h2>
<div class="plots">
{{range $.Drawings}}<figure>
{{.SVG}}<figcaption>{{.Text}}</figcaption>
</figure>
{{end}}</div>
{{end}}{{end}}<h2>How it was run</h2>
<div class="two">
{{if .Shared}}<div class="card"><details><summary>Settings all runs share ({{len .Shared}})</summary><table>
{{range .Shared}}<tr><td><code>{{.Key}}</code></td><td><code>{{.Value}}</code>{{with .Comment}} {{.}}{{end}}</td></tr>
{{end}}</table></details></div>
{{end}}<div class="card"><details><summary>compare.json</summary><pre>{{.JSON}}</pre></details></div>
</div>
</main></body>
</html>
`))
