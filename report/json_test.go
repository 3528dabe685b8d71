package report

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"testing"
)

func TestFloat(t *testing.T) {
	v := struct {
		A Float            `json:"a"`
		L []Float          `json:"l"`
		M map[string]Float `json:"m"`
		S string           `json:"s"`
		N []Float          `json:"n"`
	}{0.1, Floats([]float64{1, math.NaN(), 1e-7, 1e21}), map[string]Float{"x": Float(math.Inf(-1))}, "a<b", Floats(nil)}
	got, err := Marshal(&v)
	if want := `{"a":0.1,"l":[1,null,1e-7,1e+21],"m":{"x":null},"s":"a<b","n":null}`; err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	v.L = nil
	if err := json.Unmarshal(got, &v); err != nil || len(v.L) != 4 || !math.IsNaN(float64(v.L[1])) || v.L[3] != 1e21 || !math.IsNaN(float64(v.M["x"])) {
		t.Errorf("read again: %+v, %v", v, err)
	}
	if err := json.Unmarshal([]byte(`{"a": "x"}`), &v); err == nil {
		t.Error("text as a number: no error")
	}
}

func TestRoundWithoutNumbers(t *testing.T) {
	nan := math.NaN()
	r := Round{Round: 3, TrainLoss: nan, Pre: NoScore, Notes: map[string]float64{"a": 1, "b": nan}}
	raw, err := Marshal(r)
	if err != nil || !bytes.HasPrefix(raw, []byte(`{"version":2,"round":3,"train_loss":null,"pre":{"balanced_accuracy":{"mean":null,"std":null}`)) ||
		!bytes.HasSuffix(raw, []byte(`,"notes":{"a":1,"b":null}}`)) || bytes.Count(raw, []byte(`"notes"`)) != 1 {
		t.Errorf("got %s, %v", raw, err)
	}
	var back Round
	if err := json.Unmarshal(raw, &back); err != nil || !math.IsNaN(back.TrainLoss) || back.Notes["a"] != 1 || !math.IsNaN(back.Notes["b"]) {
		t.Errorf("read again: %+v, %v", back, err)
	}
}

func TestJSONFile(t *testing.T) {
	d := create(t)
	in := map[string]any{"a": []int{1, 2, 3}, "b": []string{"x,y", `q"[`}, "c": map[string]any{}, "d": []any{[]int{1}, []int{}}, "e": "a:b,{"}
	if err := d.WriteJSON("x.json", in); err != nil {
		t.Fatal(err)
	}
	wantText := "{\n  \"a\": [1, 2, 3],\n  \"b\": [\n    \"x,y\",\n    \"q\\\"[\"\n  ],\n  \"c\": {},\n  \"d\": [\n    [1],\n    []\n  ],\n  \"e\": \"a:b,{\"\n}\n"
	if got := text(t, d, "x.json"); got != wantText {
		t.Errorf("got\n%s", got)
	}
	var out map[string]any
	if err := d.ReadJSON("x.json", &out); err != nil {
		t.Fatal(err)
	}
	want(t, d.WriteJSON("x.json", func() {}), "x.json")
	want(t, d.WriteJSON("x.json", math.NaN()), "x.json")
	want(t, d.ReadJSON("gone.json", &out), "gone.json")
	put(t, d, "bad.json", "{")
	want(t, d.ReadJSON("bad.json", &out), "bad.json")
}

// TestJSONOfOldProgram checks that the files of a run from before the type Float have the same bytes after reading and
// writing, except for the version and the numbers of the rounds in lines, which a resume updates. The run measured no
// accuracy of all clients in its first round, and its only cluster has no complementarity.
func TestJSONOfOldProgram(t *testing.T) {
	old, d := &Dir{path: "testdata/run"}, create(t)
	summary, err := old.ReadSummary()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.WriteSummary(summary); err != nil {
		t.Fatal(err)
	}
	rounds, err := old.ReadMetrics()
	if err != nil || len(rounds) != 3 || !math.IsNaN(rounds[0].Pre.Balanced.Mean) {
		t.Fatalf("rounds %v, %v", rounds, err)
	}
	appendAll(t, d, rounds)
	moves, err := old.ReadAssignments()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.AppendAssignments(moves); err != nil {
		t.Fatal(err)
	}
	updated := create(t)
	for _, name := range []string{SummaryFile, MetricsFile, AssignmentsFile} {
		raw, err := os.ReadFile(old.Path(name))
		if err != nil {
			t.Fatal(err)
		}
		put(t, updated, name, string(raw))
	}
	if err := updated.TruncateMetrics(3); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{SummaryFile, MetricsFile, AssignmentsFile} {
		was := text(t, updated, name)
		if now := text(t, d, name); now != was {
			t.Errorf("%s was\n%s\nand is\n%s", name, was, now)
		}
	}
	if !bytes.Contains([]byte(text(t, d, MetricsFile)), []byte("null")) {
		t.Error("no number is missing in the old run: it shows nothing of null")
	}
}
