package report

import (
	"feddag/internal/numfmt"
	"html/template"
	"strconv"
)

// styleText is the look of every page.
const styleText = `:root { color-scheme: light; }
body { margin: 0; background: #f5f7fa; color: #1f2933; font: 15px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1100px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 26px; margin: 8px 0 4px; }
h2 { font-size: 18px; margin: 36px 0 10px; }
p { margin: 4px 0; }
.note, figcaption { color: #52606d; font-size: 13.5px; }
.card, figure { background: #fff; border: 1px solid #e4e7eb; border-radius: 8px; padding: 14px 18px; overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 14px 4px 0; text-align: left; vertical-align: top; }
th { color: #52606d; font-weight: 600; font-size: 13px; border-bottom: 1px solid #e4e7eb; }
td.n, th.n { text-align: right; white-space: nowrap; }
.facts th { border: 0; padding-right: 20px; }
tr.chosen td { background: #e3f4ee; font-weight: 600; }
tr.part td { border-top: 1px solid #e4e7eb; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(480px, 100%), 1fr)); gap: 16px; }
figure { margin: 0; }
figure > svg { width: 100%; height: auto; display: block; }
@media (max-width: 640px) { figure > svg { min-width: 600px; } }
.hist td, .hist th { padding: 4px 8px; }
.members { max-width: 340px; color: #52606d; font-size: 13px; }
summary { cursor: pointer; color: #0072b2; }
code, pre { font: 13px/1.45 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 8px 0 0; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr)); gap: 16px; align-items: start; }
.two td { overflow-wrap: anywhere; font-size: 13.5px; }
`

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"ranges":    ranges,
	"bytes":     numfmt.Bytes,
	"duration":  duration,
	"thousands": func(n int) string { return numfmt.Thousands(float64(n)) },
	"score":     func(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) },
	"loss":      func(v float64) string { return numfmt.Decimal(v, 4) },
}).Parse(pageText))

const pageText = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>
` + styleText + `</style>
</head>
<body><main>
<h1>{{.Title}}</h1>
{{range .Lines}}<p>{{.}}</p>
{{end}}
<h2>Accuracy</h2>
<div class="card">
<p class="note">On {{.TestSets}}, in percent: mean ± standard deviation over clients. Balanced: mean of the recalls of the classes in a client's test set. “Best round” is found for each number apart.</p>
<table>
<tr><th></th><th></th><th class="n">balanced</th><th class="n">plain</th><th>over</th></tr>
{{range .Accuracy}}<tr{{if .When}} class="part"{{end}}><td>{{.When}}</td><td>{{.Phase}}</td><td class="n">{{.Balanced}}</td><td class="n">{{.Plain}}</td><td>{{.Over}}</td></tr>
{{end}}</table>
</div>
<h2>Cost</h2>
<div class="card"><table class="facts">
{{range .Facts}}<tr><th>{{.Key}}</th><td>{{.Value}}</td></tr>
{{end}}</table></div>
{{if .Drawings}}<h2>Plots</h2>
<div class="plots">
{{range .Drawings}}<figure>
{{.SVG}}{{if .Text}}<figcaption>{{.Text}}</figcaption>{{end}}
</figure>
{{end}}</div>
{{end}}{{if .Groups}}<h2>Clusters</h2>
<div class="card">
<p class="note">Training samples of each class, all members of the cluster together; shaded by the share of the cluster's largest class.</p>
<table class="hist">
<tr><th class="n">cluster</th><th class="n">clients</th><th class="n">samples</th>{{range .Names}}<th class="n">{{.}}</th>{{end}}<th>members</th></tr>
{{range $z, $c := .Groups}}<tr><td class="n">{{$z}}</td><td class="n">{{len $c.Members}}</td><td class="n">{{thousands $c.Samples}}</td>{{range $c.Cells}}<td class="n"{{if .Count}} style="{{.Style}}"{{end}}>{{.Count}}</td>{{end}}<td class="members">{{ranges $c.Members}}</td></tr>
{{end}}</table>
</div>
{{end}}{{if .Explained}}<h2>What separates the clusters</h2>
<div class="card">
<p class="note">Of each pair of clusters that the tests found before the first round; p is the probability of a difference as large between clients that draw every class from one distribution.</p>
<table>
<tr><th class="n">clusters</th><th>view</th><th></th></tr>
{{range .Explained}}<tr><td class="n">{{.A}}, {{.B}}</td><td>{{.View}}</td><td>{{.Sentence}}</td></tr>
{{end}}</table>
</div>
{{end}}{{if .Events}}<h2>Clients over time</h2>
<div class="card">
<p class="note">Before the round named. Accuracy of those that joined: balanced, percent, mean ± standard deviation over them, with the models that they were given and after one local training from there.</p>
<table>
<tr><th class="n">round</th><th class="n">clients</th><th></th><th>which: cluster</th><th class="n">on arrival</th><th class="n">after training</th></tr>
{{range .Events}}<tr><td class="n">{{.Round}}</td><td class="n">{{.Clients}}</td><td>{{.What}}</td><td class="members">{{range .Moves}}{{.}}<br>{{end}}</td><td class="n">{{.Pre}}</td><td class="n">{{.Post}}</td></tr>
{{end}}</table>
</div>
{{end}}{{if .Candidates}}<h2>Search for the number of clusters</h2>
<div class="card"><details><summary>Every candidate</summary>
<p class="note">L = L1 + λ L2 (eq. 9, 10), lower is better; silhouette: mean on the proximity matrix, higher is better; ratio: height of the next merge over that of the last, higher is better. The chosen one is marked.</p>
<table>
<tr><th class="n">clusters</th><th class="n">α</th><th class="n">L</th><th class="n">L1</th><th class="n">L2</th><th class="n">silhouette</th><th class="n">ratio</th></tr>
{{range .Candidates}}<tr{{if .Chosen}} class="chosen"{{end}}><td class="n">{{len .Clusters}}</td><td class="n">{{score .Threshold}}</td><td class="n">{{score .Loss}}</td><td class="n">{{score .L1}}</td><td class="n">{{score .L2}}</td><td class="n">{{score .Silhouette}}</td><td class="n">{{score .Ratio}}</td></tr>
{{end}}</table>
</details></div>
{{end}}{{if .Rounds}}<h2>Rounds</h2>
<div class="card"><details><summary>Every round</summary>
<p class="note">Balanced accuracy, percent, mean ± standard deviation over the clients named. Loss: cross-entropy of the last local epoch, mean over the cohort.</p>
<table>
<tr><th class="n">round</th><th class="n">loss</th><th class="n">all clients, before</th><th class="n">cohort, before</th><th class="n">cohort, after</th><th class="n">up</th><th class="n">down</th><th class="n">time</th><th>cohort</th></tr>
{{range .Rounds}}<tr><td class="n">{{.Round}}</td><td class="n">{{loss .TrainLoss}}</td><td class="n">{{.Pre.Balanced}}</td><td class="n">{{.CohortPre.Balanced}}</td><td class="n">{{.CohortPost.Balanced}}</td><td class="n">{{bytes .BytesUp}}</td><td class="n">{{bytes .BytesDown}}</td><td class="n">{{duration .Seconds}}</td><td class="members">{{ranges .Clients}}</td></tr>
{{end}}</table>
</details></div>
{{end}}<h2>How it was run</h2>
<div class="two">
{{if .EnvPairs}}<div class="card"><table>
<tr><th>environment</th><th></th></tr>
{{range .EnvPairs}}<tr><td>{{.Key}}</td><td>{{.Value}}</td></tr>
{{end}}</table></div>
{{end}}{{if .Config}}<div class="card"><details><summary>Configuration ({{len .Config}} settings)</summary><table>
{{range .Config}}<tr><td><code>{{.Key}}</code></td><td><code>{{.Value}}</code></td></tr>
{{end}}</table></details></div>
{{end}}<div class="card"><details><summary>summary.json</summary><pre>{{.JSON}}</pre></details></div>
</div>
</main></body>
</html>
`
