package plot

import (
	"fmt"
	"html/template"
	"math"
	"regexp"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// checkWeb checks that a chart of a page is well-formed, has no coordinate that is not a number and no id, and takes its
// colours from the style sheet, so that the page can be dark.
func checkWeb(t *testing.T, name string, chart template.HTML) {
	t.Helper()
	text := regexp.MustCompile(`url\([^)]*\)|linear-gradient\([^)]*\)`).ReplaceAllString(string(chart), "none")
	checkXML(t, []byte("<svg>"+text+"</svg>"))
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Errorf("%s: a coordinate is not a number: %.300s", name, text)
	}
	if found := regexp.MustCompile(`#[0-9a-fA-F]{3,6}\b|rgb\(|(?:fill|stroke)="`).FindString(text); found != "" {
		t.Errorf("%s has the colour %s", name, found)
	}
	if strings.Contains(text, ` id="`) {
		t.Errorf("%s has an id, which may collide with that of another chart", name)
	}
}

func TestLineChartHTML(t *testing.T) {
	c := LineChart{
		Title: "A <title>\nand more", XLabel: "round", YLabel: "accuracy & more", IntegerX: true, MaxY: 100,
		Series: []Series{
			{Name: "balanced <b>", X: []float64{1, 2, 3}, Y: []float64{50, math.NaN(), 80}, Low: []float64{40, math.NaN(), 70}, High: []float64{60, math.NaN(), 120}},
			{Name: "plain", X: []float64{1, 2, 3}, Y: []float64{51, 60, 81}, Dashed: true},
		},
		Levels: []Level{{"least", 30}}, Marks: []Mark{{"chosen", 3, 81}},
	}
	html, err := c.HTML()
	if err != nil {
		t.Fatal(err)
	}
	checkWeb(t, "lines", html)
	for _, want := range []string{"balanced &lt;b&gt;", "accuracy &amp; more", ">least<", ">chosen<", `class="band k0"`, `class="line dashed k1"`, `aria-label="A &lt;title&gt;. and more"`} {
		if !strings.Contains(string(html), want) {
			t.Errorf("no %s in %s", want, html)
		}
	}
	for _, y := range []string{">110<", ">120<"} {
		if strings.Contains(string(html), y) {
			t.Errorf("the axis has a tick %s percent", y)
		}
	}
	none, err := LineChart{Series: []Series{{Name: "s"}}}.HTML()
	if err != nil || !strings.Contains(string(none), "nothing measured yet") {
		t.Errorf("%v, %s", err, none)
	}
	checkWeb(t, "no lines", none)
	if _, err := (LineChart{Title: "uneven", Series: []Series{{X: []float64{1}}}}).HTML(); err == nil || !strings.Contains(err.Error(), "uneven") {
		t.Errorf("%v", err)
	}
}

// TestWebPositions checks that the end points of a line are at the ends of the drawing, and that a higher value is higher up.
func TestWebPositions(t *testing.T) {
	w := &webChart{x: scale{min: 1, max: 3}, y: scale{min: 0, max: 50}}
	for _, c := range []struct {
		x, y float64
		want string
	}{{1, 0, "0 1000"}, {3, 50, "1000 0"}, {2, 25, "500 500"}} {
		if got := w.at(c.x, c.y); got != c.want {
			t.Errorf("(%g, %g) is at %s, want %s", c.x, c.y, got, c.want)
		}
	}
}

func TestRankedHTML(t *testing.T) {
	for _, n := range []int{1, 5, 24} {
		c := RankedChart{Title: "t", XLabel: "round", YLabel: "percent", IntegerX: true, Strong: 0}
		if n == 1 {
			c.Strong = -1
		}
		for i := range n {
			c.Series = append(c.Series, Series{Name: fmt.Sprintf("method-%d", i), X: []float64{1, 2, 3}, Y: []float64{10, 20, 30 + float64(i)}})
		}
		html, err := c.HTML()
		if err != nil {
			t.Fatal(err)
		}
		checkWeb(t, fmt.Sprint(n, " lines"), html)
		if panels := strings.Count(string(html), "<h4>"); panels != 0 && n < 9 || panels != n && n > 9 {
			t.Errorf("%d lines: %d panels", n, panels)
		}
		// The highest last value comes first.
		if first, last := strings.Index(string(html), fmt.Sprintf(">method-%d", n-1)), strings.Index(string(html), ">method-0"); n == 24 && first > last {
			t.Error("the panels are not sorted")
		}
	}
}

func TestClusterChartsHTML(t *testing.T) {
	for _, c := range []struct{ n, z int }{{1, 1}, {2, 2}, {24, 4}, {400, 90}} {
		s := grouped(t, c.n, c.z)
		name := fmt.Sprintf("%d clients, %d clusters", c.n, c.z)
		tree, err := DendrogramHTML(s.Dendrogram, s.Clusters, s.Threshold)
		if err != nil {
			t.Fatal(err)
		}
		checkWeb(t, name, tree)
		if named := strings.Count(string(tree), `<span class="k`); named < len(s.Clusters) {
			t.Errorf("%s: a strip of %d", name, named)
		}
		a, clusters := blocks(c.n, c.z)
		heat, err := HeatMapHTML(a, clusters)
		if err != nil {
			t.Fatal(err)
		}
		checkWeb(t, name, heat)
		var nodes []Node
		var edges []Edge
		for k := range c.z {
			nodes = append(nodes, Node{Size: k + 1, Label: "1 client", Detail: "<shirts>"})
			if k > 0 {
				edges = append(edges, Edge{From: k, To: 0, Width: 2})
			}
		}
		graph, err := GraphHTML("graph", nodes, edges)
		if err != nil {
			t.Fatal(err)
		}
		checkWeb(t, name, graph)
		if n := strings.Count(string(graph), `class="edge"`); n != len(edges) {
			t.Errorf("%s: %d arrows, want %d", name, n, len(edges))
		}
	}
	if _, err := GraphHTML("g", make([]Node, 2), []Edge{{From: 0, To: 2}}); err == nil {
		t.Error("an edge to nowhere")
	}
	if _, err := HeatMapHTML(mat.NewSymDense(3, nil), [][]int{{0, 7}}); err == nil {
		t.Error("a client that is not there")
	}
	if _, err := DendrogramHTML(grouped(t, 3, 1).Dendrogram, [][]int{{0, 1}}, 1); err == nil {
		t.Error("a client in no cluster")
	}
}

func TestBarsHTML(t *testing.T) {
	bars := SortedBars{Alt: "a", XLabel: "clients", YLabel: "percent", Values: []float64{10, 20, 90}, Names: []string{"client 1: 10.0", "b", "<c>"}, First: 1, Mean: 40}.HTML()
	checkWeb(t, "bars", bars)
	if n := strings.Count(string(bars), `class="bar k1"`); n != 1 || !strings.Contains(string(bars), "worst tenth (1 client)") {
		t.Errorf("%d bars stand out in %s", n, bars)
	}
	stack := StackHTML("time", []Part{{"rounds", "3 s", 3}, {"other", "1 s", 1}})
	checkWeb(t, "stack", stack)
	if !strings.Contains(string(stack), `width:75%`) || !strings.Contains(string(stack), "<em>25%</em>") {
		t.Errorf("%s", stack)
	}
	checkWeb(t, "empty stack", StackHTML("time", nil))
}

// TestAssignmentsHTML checks that a client that joins, moves and leaves has two runs of cells.
func TestAssignmentsHTML(t *testing.T) {
	chart, err := AssignmentsHTML([][]int{{0, 0, 1, -1}, {1, 1, 1, 1}}, 1, 4)
	if err != nil {
		t.Fatal(err)
	}
	checkWeb(t, "assignments", chart)
	for _, want := range []string{`<path class="bar k0" d="M0 0h500v500h-500Z">`, "M500 0h250v500h-250Z", "M0 500h1000v500h-1000Z", `<span style="left:12.5%">1</span>`} {
		if !strings.Contains(string(chart), want) {
			t.Errorf("no %s in %s", want, chart)
		}
	}
}
