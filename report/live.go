package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"feddag/internal/lockfile"
	"feddag/internal/numfmt"
	"feddag/report/plot"
)

//go:embed page/live.html
var livePageText string

var livePage = template.Must(template.New("live").Funcs(template.FuncMap{
	"duration": duration,
	"loss":     func(v float64) string { return numfmt.Decimal(v, 4) },
}).Parse(livePageText))

// livePictures are the plots that a run makes before its first round.
var livePictures = []string{"plots/dendrogram.svg", "plots/proximity.svg", "plots/cc-graph.svg"}

// recentRounds is the number of rounds in the table of the live page.
const recentRounds = 10

// staleLock is the longest time between two updates of the lock by a process that writes.
const staleLock = time.Minute

// live is the content of the page of an unfinished run.
type live struct {
	Title, State string
	Stamp        string
	Done, Total  int
	Last         *Round // the last evaluated round; nil if there is none yet
	Recent       []Round
	Charts       []template.HTML
	Pictures     []string
}

// Report returns the path of the page inside the directory: report.html of a run, or compare.html of a comparison. It is ""
// if there is none, or while a run continues that was resumed after its report was written.
func (d *Dir) Report() (string, error) {
	for _, name := range []string{HTMLFile, CompareHTML} {
		page, err := os.Stat(d.Path(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("looking for %s: %w", d.Path(name), cause(err))
		}
		metrics, err := os.Stat(d.Path(MetricsFile))
		if err == nil && name == HTMLFile && metrics.ModTime().After(page.ModTime()) {
			return "", nil
		}
		return name, nil
	}
	return "", nil
}

// Stamp returns a text that changes whenever the content of the page changes.
func (d *Dir) Stamp() string {
	h := sha256.New()
	for _, name := range append([]string{MetricsFile, ConfigFile, ClustersFile, SummaryFile, HTMLFile, CompareHTML}, livePictures...) {
		if info, err := os.Stat(d.Path(filepath.FromSlash(name))); err == nil {
			fmt.Fprintln(h, name, info.Size(), info.ModTime().UnixNano())
		}
	}
	fmt.Fprintln(h, d.writer())
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// writer names the process that currently writes to the directory. It returns "" if there is none.
func (d *Dir) writer() string {
	info, err := os.Stat(d.Path(LockFile))
	if err != nil || time.Since(info.ModTime()) > staleLock {
		return ""
	}
	holder, err := lockfile.Read(d.Path(LockFile))
	if err != nil {
		return ""
	}
	return holder.String()
}

// WriteLive writes the page of a run that is in progress or was interrupted. It shows the number of rounds done, and the
// accuracy and loss per round. Links in the page are below /files/.
func (d *Dir) WriteLive(w io.Writer) error {
	config, err := d.ReadConfig()
	if err != nil {
		return err
	}
	rounds, err := d.ReadMetrics()
	if err != nil {
		return err
	}
	v := live{Title: liveTitle(config), Stamp: d.Stamp(), Done: len(rounds)}
	v.Total, _ = strconv.Atoi(config["rounds"])
	v.Total = max(1, v.Total, v.Done)
	v.State = "Interrupted"
	if holder := d.writer(); holder != "" {
		v.State = "Running (" + holder + ")"
	}
	v.State += fmt.Sprintf(": %d of %s done.", v.Done, numfmt.Count(v.Total, "round"))
	for i := range slices.Backward(rounds) {
		if r := rounds[i]; !math.IsNaN(r.Pre.Balanced.Mean) {
			v.Last = &r
			break
		}
	}
	v.Recent = slices.Clone(rounds[max(0, len(rounds)-recentRounds):])
	slices.Reverse(v.Recent)
	if len(rounds) > 0 {
		if v.Charts, err = liveCharts(rounds); err != nil {
			return err
		}
	}
	for _, name := range livePictures {
		if have, err := d.have([]string{name}); err == nil && have {
			v.Pictures = append(v.Pictures, name)
		}
	}
	return livePage.Execute(w, v)
}

// liveTitle returns the title of a run from its flags.
func liveTitle(config map[string]string) string {
	name := config["label"]
	if name == "" {
		name = config["algorithm"]
	}
	return fmt.Sprintf("%s on %s, seed %s", name, config["dataset"], config["seed"])
}

// liveCharts draws accuracy and loss against the round.
func liveCharts(rounds []Round) ([]template.HTML, error) {
	var charts []template.HTML
	for _, c := range []plot.LineChart{
		{
			Title: "Accuracy before local training\nevery client's test set, mean over clients; band: one standard deviation over clients (balanced accuracy)", XLabel: "round", YLabel: "accuracy, percent",
			IntegerX: true, MaxY: 100,
			Series: []plot.Series{
				roundSeries("balanced accuracy", rounds, true, func(r Round) Stat { return r.Pre.Balanced }),
				dashed(roundSeries("plain accuracy", rounds, false, func(r Round) Stat { return r.Pre.Accuracy })),
			},
		},
		{
			Title: "Training loss\ncross-entropy in the last local epoch, mean over the sampled clients", XLabel: "round", YLabel: "cross-entropy, nats",
			IntegerX: true, MaxY: math.Inf(1),
			Series: []plot.Series{roundSeries("training loss", rounds, false, func(r Round) Stat { return Stat{Mean: r.TrainLoss} })},
		},
	} {
		figure, err := plot.Lines(c)
		if err != nil {
			return nil, err
		}
		var svg bytes.Buffer
		if err := figure.Write(&svg, plot.SVG); err != nil {
			return nil, err
		}
		charts = append(charts, template.HTML(svg.String())) // plot escapes every text that it draws
	}
	return charts, nil
}
