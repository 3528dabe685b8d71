package federation_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
)

// TestScenarioFile checks that every kind of event and every form of a list of clients is read.
func TestScenarioFile(t *testing.T) {
	s, err := federation.ParseScenario([]byte(`{
		"version": 2, "seed": 3, "reserve": 0.2, "check_every": 5, "search_after": 20,
		"events": [
			{"round": 3, "join": "3-5, 9"},
			{"round": 3, "join_next": 2},
			{"round": 5, "leave": [7, 1]},
			{"round": 7, "shift": 4, "labels": [0, 2], "share": 0.5},
			{"round": 9, "swap": [2, 3]}
		]
	}`))
	if err != nil {
		t.Fatal(err)
	}
	if s.Seed != 3 || s.Reserve != 0.2 || s.CheckEvery != 5 || s.SearchAfter != 20 || len(s.Events) != 5 {
		t.Fatalf("%+v", s)
	}
	if ev := s.Events[0]; !slices.Equal(ev.Join, []int{3, 4, 5, 9}) || ev.Round != 2 || ev.Kind() != "join" {
		t.Errorf("%+v", ev)
	}
	if ev := s.Events[1]; ev.JoinNext != 2 || ev.Kind() != "join" {
		t.Errorf("%+v", ev)
	}
	if ev := s.Events[2]; !slices.Equal(ev.Leave, []int{1, 7}) || ev.Kind() != "leave" {
		t.Errorf("%+v", ev)
	}
	if ev := s.Events[3]; !slices.Equal(ev.Shift, []int{4}) || !slices.Equal(ev.Labels, []int{0, 2}) || ev.Share != 0.5 {
		t.Errorf("%+v", ev)
	}
	if ev := s.Events[4]; !slices.Equal(ev.Swap, []int{2, 3}) || ev.String() != "event 5 (round 9, swap)" {
		t.Errorf("%+v, %v", ev, ev)
	}
}

// TestScenarioFilesOfTheCheckout checks that the scenarios of the documentation and of scripts/check_pages.sh can still be read.
func TestScenarioFilesOfTheCheckout(t *testing.T) {
	script, err := os.ReadFile("../scripts/check_pages.sh")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(script), "<<'JSON'\n")
	text, _, found := strings.Cut(text, "\nJSON\n")
	page, err := os.ReadFile("../docs/scenarios/fashion-mnist.json")
	if err != nil || !found {
		t.Fatal("no scenario in a file", err)
	}
	for name, raw := range map[string][]byte{"check_pages.sh": []byte(text), "fashion-mnist.json": page} {
		if s, err := federation.ParseScenario(raw); err != nil || len(s.Events) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestScenarioFileMistakes checks the errors for mistakes that can be found without the data.
func TestScenarioFileMistakes(t *testing.T) {
	one := func(event string) string { return `{"version": 2, "events": [` + event + `]}` }
	for text, want := range map[string]string{
		``:                                           "not a JSON object",
		`[]`:                                         "not a JSON object",
		`{"version": 2, "events": []} {}`:            "there is more text after the object",
		`{"evens": []}`:                              `key "evens" is unknown: did you mean events?`,
		`{"reserve": 0.5}`:                           "does not have \"version\": 2",
		`{"version": 3}`:                             "version 3 is unknown: this program reads version 2",
		one(`{"round": 0, "join": 3}`):               "event 1: give the round before which it happens, 1 or more",
		`{"version": 2, "reserve": 1}`:               "reserve is 1",
		`{"version": 2, "check_every": -1}`:          "check_every is -1",
		`{"version": 2, "search_after": -2}`:         "search_after is -2",
		`{"version": 2, "search_after": "x"}`:        "search_after: json",
		one(`3`):                                     "event 1: 3 is not an event",
		one(`{"join": 3}`):                           "event 1: give the round",
		one(`{"round": -1, "join": 3}`):              "event 1: give the round",
		one(`{"round": 3, "jion": 3}`):               `event 1: key "jion" is unknown: did you mean join?`,
		`{"version": 2, "events": [], "events": []}`: `the key "events" occurs twice`,
		one(`{"round": 3, "leave": 1, "leave": 2}`):  `event 1: the key "leave" occurs twice`,
		one(`{"round": 3}`):                          "it has 0 of the keys join, join_next, leave, shift, swap",
		one(`{"round": 3, "join": 3, "leave": 4}`):   "it has 2 of",
		one(`{"round": 3, "join": []}`):              "join names no client",
		one(`{"round": 3, "join": "5-3"}`):           `join: "5-3" is not a list of numbers`,
		one(`{"round": 3, "join": "0-9999999"}`):     "has more than 1000000 numbers",
		one(`{"round": 3, "leave": "0-599999"}, {"round": 3, "join": "0-599999"}`): "event 2: the events so far list 1200000 clients and labels",
		one(`{"round": 3, "join": [1.5]}`):                                         "is not a list of numbers",
		one(`{"round": 3, "join": [1, 2, 1]}`):                                     "contains 1 twice",
		one(`{"round": 3, "join_next": 0}`):                                        "join_next is 0",
		one(`{"round": 3, "shift": 3}`):                                            "shift needs labels",
		one(`{"round": 3, "leave": 3, "labels": 1}`):                               "labels and share belong to shift, not to leave",
		one(`{"round": 3, "shift": 3, "labels": 1, "share": 0}`):                   "share is 0",
		one(`{"round": 3, "swap": [3]}`):                                           "swap names 1 clients",
		one(`{"round": 6, "leave": 3}, {"round": 5, "leave": 1}`):                  "event 2 (round 5, leave): it follows an event of round 6",
	} {
		if _, err := federation.ParseScenario([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// TestScenarioRefused checks that an event that is not possible with these clients, or that the algorithm does not handle, is an
// error before any training.
func TestScenarioRefused(t *testing.T) {
	everyone := `{"round": 2, "leave": "0-7"}`
	for _, c := range []struct{ algorithm, events, want string }{
		{"feddag", `{"round": 2, "leave": 8}`, "event 1 (round 2, leave): client 8 is unknown: the clients are 0 to 7"},
		{"feddag", `{"round": 5, "leave": 1}`, "event 1 (round 5, leave) is after the end of the run, whose rounds are 1 to 4"},
		{"feddag", `{"round": 2, "join": 3}, {"round": 3, "join": 3}`, "client 3 is already present: it joined before round 2"},
		{"feddag", `{"round": 2, "leave": 3}, {"round": 3, "leave": 3}`, "client 3 is not present: it left before round 2"},
		{"feddag", `{"round": 2, "swap": [1, 3]}, {"round": 3, "join": 3}`, "client 3 is present from the start"},
		{"feddag", `{"round": 2, "leave": 5}`, "client 5 has not joined"},
		{"feddag", `{"round": 2, "shift": 5, "labels": 1}`, "client 5 has not joined"},
		{"feddag", `{"round": 2, "join": "0-7"}`, "no client is left to train"},
		{"feddag", `{"round": 1, "join": 5}, ` + everyone, "event 2 (round 2, leave): no client is left"},
		{"feddag", `{"round": 2, "join_next": 2}`, "2 clients are to join, but only 1 are left that were never present"},
		{"feddag", `{"round": 2, "shift": 1, "labels": 4}`, "class 4 is unknown: the classes are 0 to 3"},
		{"feddag", `{"round": 2, "shift": 1, "labels": 0}, {"round": 2, "shift": 3, "labels": 0}, {"round": 2, "shift": 7, "labels": 0}`, "are left that no client ever held: raise reserve"},
		{"unresponsive", `{"round": 2, "leave": 1}`, "event 1 (round 2, leave): algorithm unresponsive cannot handle leave; these can: "},
	} {
		s, err := federation.ParseScenario([]byte(`{"version": 2, "events": [` + c.events + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		e := federationtest.TinyEnv(t, 1)
		e.Clients[5].HeldOut, e.Scenario = true, s
		var a federation.Algorithm = unresponsive{}
		if c.algorithm != "unresponsive" {
			a = federationtest.Algorithm(t, c.algorithm)
		}
		if _, err := federation.Run(context.Background(), e, a, federation.RunOptions{Algorithm: c.algorithm}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.events, err, c.want)
		}
	}
	for kind, s := range map[string]*federation.Scenario{"check_every": {CheckEvery: 1}, "search_after": {SearchAfter: 1}} {
		e := federationtest.TinyEnv(t, 1)
		e.Scenario = s
		want := "algorithm fedavg cannot handle " + kind + "; these can: feddag"
		if _, err := federation.Run(context.Background(), e, federationtest.Algorithm(t, "fedavg"), federation.RunOptions{Algorithm: "fedavg"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", kind, err, want)
		}
	}
}

// unresponsive is an algorithm that handles no event.
type unresponsive struct{ federation.Algorithm }

// initialPopulation returns the population of a scenario before the first round.
func initialPopulation(t *testing.T, e *federation.Env, s *federation.Scenario) *federation.Population {
	t.Helper()
	p, err := federation.NewPopulation(e.Data, e.Clients, s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestReserve checks that the reserve has its share of the samples of each client and class, that no client holds these samples,
// and that they depend on the seed of the scenario.
func TestReserve(t *testing.T) {
	e := federationtest.TinyEnv(t, 1)
	p := initialPopulation(t, e, &federation.Scenario{Reserve: 0.5})
	total := 0
	for i, c := range p.Clients {
		before, after := e.Counts(e.Clients[i]), e.Counts(c)
		for l := range federationtest.Classes {
			if after[l] != before[l]-before[l]/2 {
				t.Errorf("client %d, class %d: %d of %d samples stay", i, l, after[l], before[l])
			}
		}
		total += c.Size()
		for _, k := range c.Train {
			if !slices.Contains(e.Clients[i].Train, k) {
				t.Errorf("client %d has sample %d, which it did not hold before", i, k)
			}
		}
	}
	for _, samples := range p.Unused {
		total += len(samples)
	}
	if total != e.Data.Train.Len() {
		t.Errorf("clients and unused samples are %d of %d", total, e.Data.Train.Len())
	}
	if again := initialPopulation(t, e, &federation.Scenario{Reserve: 0.5}); !slices.Equal(again.Clients[3].Train, p.Clients[3].Train) {
		t.Error("the reserve is drawn again each time")
	}
	if other := initialPopulation(t, e, &federation.Scenario{Reserve: 0.5, Seed: 1}); slices.Equal(other.Clients[3].Train, p.Clients[3].Train) {
		t.Error("another seed draws the same reserve")
	}
}

// TestShiftDraws checks that a shift draws samples that no client has ever held, evenly over its classes, that the client keeps
// the rest of its samples, and that test set and group follow.
func TestShiftDraws(t *testing.T) {
	e := federationtest.TinyEnv(t, 1)
	p := initialPopulation(t, e, &federation.Scenario{Reserve: 0.4})
	everHeld := map[int32]bool{} // samples that some client holds or has held
	for _, c := range p.Clients {
		for _, k := range c.Train {
			everHeld[k] = true
		}
	}
	// The even clients hold classes 0 and 1 and are group 0.
	for number, ev := range []federation.Event{
		{Shift: []int{0, 2}, Labels: []int{2, 3}, Share: 1},
		{Shift: []int{4}, Labels: []int{3}, Share: 0.5},
		{Shift: []int{0}, Labels: []int{0, 1}, Share: 1},
	} {
		ev.Number = number + 1
		before := map[int]*federation.Client{}
		for _, i := range ev.Shift {
			before[i] = p.Clients[i]
		}
		changed, err := p.Apply(ev)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changed {
			old := before[c.ID]
			if c.Size() != old.Size() || !slices.IsSorted(c.Train) {
				t.Errorf("client %d: %d samples become %v", c.ID, old.Size(), c.Train)
			}
			kept := 0
			for _, k := range c.Train {
				if slices.Contains(old.Train, k) {
					kept++
				} else if everHeld[k] {
					t.Errorf("client %d draws sample %d, which a client has held before", c.ID, k)
				}
				everHeld[k] = true
			}
			if want := int(float64(old.Size()) * (1 - ev.Share)); kept < want || kept > want+1 {
				t.Errorf("client %d keeps %d of %d samples at share %g", c.ID, kept, old.Size(), ev.Share)
			}
			counts := e.Counts(c)
			if ev.Share == 1 && counts[ev.Labels[0]]-counts[ev.Labels[1]] > 1 {
				t.Errorf("client %d has %v", c.ID, counts)
			}
			for _, k := range c.Test {
				if counts[e.Data.Test.Labels[k]] == 0 {
					t.Errorf("client %d tests on class %d", c.ID, e.Data.Test.Labels[k])
				}
			}
			if want := []int{1, 2, 0}[number]; c.Group != want {
				t.Errorf("client %d is in group %d after event %d, want %d", c.ID, c.Group, number+1, want)
			}
		}
	}
	owners := map[int32]int{}
	for _, c := range p.Clients {
		for _, k := range c.Train {
			if o, taken := owners[k]; taken {
				t.Errorf("clients %d and %d both hold sample %d", o, c.ID, k)
			}
			owners[k] = c.ID
		}
	}
	if e.Clients[0].Train[0] != initialPopulation(t, e, &federation.Scenario{}).Clients[0].Train[0] || e.Counts(e.Clients[0])[2] != 0 {
		t.Error("the clients of the partition changed")
	}
}

// TestSwap checks that two clients exchange their samples and group and keep their ids.
func TestSwap(t *testing.T) {
	e := federationtest.TinyEnv(t, 1)
	p := initialPopulation(t, e, &federation.Scenario{})
	if _, err := p.Apply(federation.Event{Swap: []int{2, 5}}); err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]int{{2, 5}, {5, 2}} {
		after, before := p.Clients[pair[0]], e.Clients[pair[1]]
		if after.ID != pair[0] || !slices.Equal(after.Train, before.Train) || !slices.Equal(after.Test, before.Test) || after.Group != before.Group {
			t.Errorf("client %d is %+v", pair[0], after)
		}
	}
}
