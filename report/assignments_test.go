package report

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"feddag/report/plot"
)

func at(z int) *int { return &z }

// history has the events of four clients in four rounds: 0 and 1 start in clusters 0 and 1, 2 joins, 3 never joins, 0 leaves.
func history() []Assignment {
	return []Assignment{
		{Round: 0, Client: 0, To: at(0), Why: "start"},
		{Round: 0, Client: 1, To: at(1), Why: "start"},
		{Round: 1, Client: 1, From: at(1), To: at(0), Why: "round"},
		{Round: 3, Client: 2, To: at(1), Why: "join", Pre: &ClientScore{50, 60}, Post: &ClientScore{70, 80}},
		{Round: 3, Client: 1, From: at(0), To: at(0), Why: "shift"},
		{Round: 3, Client: 2, From: at(1), To: at(1), Why: "shift"},
		{Round: 4, Client: 0, From: at(0), Why: "leave"},
	}
}

func TestAssignmentsOnDisk(t *testing.T) {
	d := &Dir{path: t.TempDir()}
	if list, err := d.ReadAssignments(); err != nil || len(list) != 0 {
		t.Errorf("without a file: %v (%v)", list, err)
	}
	want := history()
	for _, part := range [][]Assignment{want[:3], nil, want[3:]} {
		if err := d.AppendAssignments(part); err != nil {
			t.Fatal(err)
		}
	}
	got, err := d.ReadAssignments()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v (%v)", got, err)
	}
	raw, err := os.ReadFile(d.Path(AssignmentsFile))
	if err != nil {
		t.Fatal(err)
	}
	line := `{"version":2,"round":3,"client":2,"from":null,"to":1,"why":"join","pre":{"balanced_accuracy":50,"accuracy":60},"post":{"balanced_accuracy":70,"accuracy":80}}`
	if !strings.Contains(string(raw), line+"\n") {
		t.Errorf("%s has no %s", raw, line)
	}
	// The program is killed in the middle of a line, and then resumed after two rounds.
	if err := os.WriteFile(d.Path(AssignmentsFile), raw[:len(raw)-5], 0o666); err != nil {
		t.Fatal(err)
	}
	if err := d.TruncateMetrics(2); err != nil {
		t.Fatal(err)
	}
	if got, err := d.ReadAssignments(); err != nil || !reflect.DeepEqual(got, want[:3]) {
		t.Errorf("after a resume: %+v (%v)", got, err)
	}
	if err := os.WriteFile(d.Path(AssignmentsFile), []byte("{\"round\":1}\n{\"round\":2,\"client\":1}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ReadAssignments(); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a line without a client: %v", err)
	}
}

func TestHappenings(t *testing.T) {
	rows := Happenings(history())
	if len(rows) != 3 {
		t.Fatalf("%+v", rows)
	}
	if r := rows[0]; r.Why != "join" || r.Pre.Mean != 50 || r.Post.Mean != 70 || !slices.Equal(r.Moves, []string{"2: to 1"}) {
		t.Errorf("%+v", r)
	}
	if r := rows[1]; !slices.Equal(r.Clients, []int{1, 2}) || !slices.Equal(r.Moves, []string{"1: stay in 0", "2: stay in 1"}) || r.Pre.String() != NoScore.Accuracy.String() {
		t.Errorf("%+v", r)
	}
	if r := rows[2]; r.Round != 4 || !slices.Equal(r.Moves, []string{"0: from 0"}) {
		t.Errorf("%+v", r)
	}
}

func TestAssignmentTable(t *testing.T) {
	table, err := assignmentTable(4, 4, history())
	want := [][]int{{0, 0, 0, -1}, {1, 0, 0, 0}, {-1, -1, 1, 1}, {-1, -1, -1, -1}}
	if err != nil || !reflect.DeepEqual(table, want) {
		t.Errorf("%v (%v)", table, err)
	}
}

func TestAssignmentPlot(t *testing.T) {
	figure, err := AssignmentPlot("Clients & clusters\nrun <1>", 4, 4, history())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := figure.Write(&b, plot.SVG); err != nil {
		t.Fatal(err)
	}
	checkSVG(t, b.Bytes())
	for _, must := range []string{">Clients &amp; clusters</text>", ">4 clients, by first cluster</text>", ">cluster 1</text>", "data:image/png;"} {
		if !strings.Contains(b.String(), must) {
			t.Errorf("no %s", must)
		}
	}
	if _, err := AssignmentPlot("", 2, 4, history()); err == nil {
		t.Error("client 2 of 2 was drawn")
	}
}
