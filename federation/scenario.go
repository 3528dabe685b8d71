package federation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"feddag/internal/spelling"
)

// Scenario describes how the clients change during a run: clients join, leave, and get other samples. docs/scenarios.md
// describes its file.
type Scenario struct {
	Seed        uint64  // seed of the reserve and of the samples that shifts draw
	Reserve     float64 // share of the training samples of each client and class that is reserved for shifts, in [0, 1)
	CheckEvery  int     // δ', rounds between two checks of the class histograms (eq. 41); 0 for no checks
	SearchAfter int     // number of newcomers after which the clusters are searched for again; 0 for no search
	Events      []Event // in ascending order of their rounds
}

// scenarioVersion is the version of the format of a scenario file. Files of version 1, which have no version key, count the
// rounds from 0. Files of version 2 count them from 1.
const scenarioVersion = 2

// Event is something that happens before the training of a round. Exactly one of Join, JoinNext, Leave, Shift and Swap is set.
type Event struct {
	Round    int     // index of the round; the file has the number of the round
	Join     []int   // clients that join
	JoinNext int     // number of clients that join: those with the lowest ids that were never present and that no Join names
	Leave    []int   // clients that leave
	Shift    []int   // clients whose samples are replaced by samples of the classes in Labels
	Labels   []int   // classes of the data set, before label maps
	Share    float64 // share of a shifting client's samples that is replaced, in (0, 1]
	Swap     []int   // two clients that exchange their training and test samples and their label maps

	Number int // position in the scenario file, from 1; used in messages and as a key of the random stream of a shift
}

// These are the keys of the JSON objects of a scenario and of an event. An event has exactly one of eventKinds.
var (
	scenarioKeys = []string{"version", "seed", "reserve", "check_every", "search_after", "events"}
	eventKeys    = []string{"round", "join", "join_next", "leave", "shift", "labels", "share", "swap"}
	eventKinds   = []string{"join", "join_next", "leave", "shift", "swap"}
)

// mostNamed is the largest number of clients and labels that the events of a scenario may list in total. A range of a few bytes
// can stand for many numbers, so the length of the file does not bound the memory.
const mostNamed = 1_000_000

// ParseScenario parses the text of a scenario file, which must have a version. The error for a mistake names the event.
// [Env.CheckScenario] finds the mistakes that depend on the clients and the data.
func ParseScenario(raw []byte) (*Scenario, error) { return parseScenario(raw, false) }

// ParseRecordedScenario is [ParseScenario] for the scenario in a run directory, which an earlier program may have written.
func ParseRecordedScenario(raw []byte) (*Scenario, error) { return parseScenario(raw, true) }

// parseScenario parses the text of a scenario. earlier says whether it may be of version 1.
func parseScenario(raw []byte, earlier bool) (*Scenario, error) {
	var events []json.RawMessage
	s, version := &Scenario{}, 1
	err := decode(raw, scenarioKeys, map[string]any{
		"version": &version, "seed": &s.Seed, "reserve": &s.Reserve, "check_every": &s.CheckEvery, "search_after": &s.SearchAfter, "events": &events,
	})
	if err != nil {
		return nil, err
	}
	switch {
	case version < 1 || version > scenarioVersion:
		return nil, fmt.Errorf("version %d is unknown: this program reads version %d", version, scenarioVersion)
	case version == 1 && !earlier:
		return nil, fmt.Errorf("it does not have \"version\": %d; files without a version count rounds from 0, but rounds now count from 1: add 1 to the round of each event, and add the key \"version\": %d", scenarioVersion, scenarioVersion)
	case !(s.Reserve >= 0 && s.Reserve < 1):
		return nil, fmt.Errorf("reserve is %g: use a share from 0 to below 1", s.Reserve)
	case s.CheckEvery < 0:
		return nil, fmt.Errorf("check_every is %d: use a number of rounds, 0 for never", s.CheckEvery)
	case s.SearchAfter < 0:
		return nil, fmt.Errorf("search_after is %d: use a number of newcomers, 0 for never", s.SearchAfter)
	}
	named := 0
	for k, raw := range events {
		ev, err := parseEvent(raw, version)
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", k+1, err)
		}
		if named += len(ev.clients()) + len(ev.Labels); named > mostNamed {
			return nil, fmt.Errorf("event %d: the events so far list %d clients and labels in total, but at most %d are allowed", k+1, named, mostNamed)
		}
		ev.Number = k + 1
		if k > 0 && ev.Round < s.Events[k-1].Round {
			return nil, fmt.Errorf("%v: it follows an event of round %d; list the events in the order of their rounds", ev, RoundNumber(s.Events[k-1].Round))
		}
		s.Events = append(s.Events, ev)
	}
	return s, nil
}

// parseEvent parses one event of a file of the version. It sets the defaults of missing keys and does not set Number.
func parseEvent(raw []byte, version int) (Event, error) {
	ev := Event{Share: 1}
	number := -1
	given := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &given); err != nil {
		return ev, fmt.Errorf("%s is not an event: use an object such as {\"round\": 10, \"join\": \"80-89\"}", raw)
	}
	err := decode(raw, eventKeys, map[string]any{
		"round": &number, "join": (*ids)(&ev.Join), "join_next": &ev.JoinNext, "leave": (*ids)(&ev.Leave),
		"shift": (*ids)(&ev.Shift), "labels": (*ids)(&ev.Labels), "share": &ev.Share, "swap": (*ids)(&ev.Swap),
	})
	if err != nil {
		return ev, err
	}
	first := 1
	if version == 1 {
		first = 0
	}
	ev.Round = number - first
	var kinds []string
	for _, k := range eventKinds {
		if given[k] != nil {
			kinds = append(kinds, k)
		}
	}
	_, labels := given["labels"]
	_, share := given["share"]
	switch {
	case ev.Round < 0:
		return ev, fmt.Errorf("give the round before which it happens, %d or more", first)
	case len(kinds) != 1:
		return ev, fmt.Errorf("it has %d of the keys %s: give exactly one", len(kinds), strings.Join(eventKinds, ", "))
	case kinds[0] == "join_next" && ev.JoinNext < 1:
		return ev, fmt.Errorf("join_next is %d: use 1 or more", ev.JoinNext)
	case (labels || share) && kinds[0] != "shift":
		return ev, fmt.Errorf("labels and share belong to shift, not to %s", kinds[0])
	case kinds[0] == "shift" && len(ev.Labels) == 0:
		return ev, fmt.Errorf("shift needs labels, the classes of the new samples")
	case !(ev.Share > 0 && ev.Share <= 1):
		return ev, fmt.Errorf("share is %g: use a share above 0, at most 1", ev.Share)
	case kinds[0] == "swap" && len(ev.Swap) != 2:
		return ev, fmt.Errorf("swap names %d clients: give two", len(ev.Swap))
	case len(ev.clients()) == 0 && kinds[0] != "join_next":
		return ev, fmt.Errorf("%s names no client", kinds[0])
	}
	return ev, nil
}

// Kind returns "join", "leave", "shift" or "swap". It is "join" for an event with JoinNext too.
func (ev Event) Kind() string {
	switch {
	case ev.Leave != nil:
		return "leave"
	case ev.Shift != nil:
		return "shift"
	case ev.Swap != nil:
		return "swap"
	}
	return "join"
}

// clients returns the ids of the clients that the event names. An event with JoinNext names none.
func (ev Event) clients() []int { return slices.Concat(ev.Join, ev.Leave, ev.Shift, ev.Swap) }

// String returns the number, the round and the kind of the event, for messages.
func (ev Event) String() string {
	return fmt.Sprintf("event %d (round %d, %s)", ev.Number, RoundNumber(ev.Round), ev.Kind())
}

// ids are numbers of clients or classes, in ascending order. A scenario file writes them as 3, [3, 17], "80-89" or "80-84, 90".
// It is an error if a number occurs twice.
type ids []int

// UnmarshalJSON implements json.Unmarshaler.
func (x *ids) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		text = strings.Trim(strings.TrimSpace(string(raw)), "[]")
	}
	*x = ids{}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" && strings.TrimSpace(text) == "" {
			continue
		}
		first, last, isRange := strings.Cut(part, "-")
		a, err := strconv.Atoi(strings.TrimSpace(first))
		b := a
		if isRange && err == nil {
			b, err = strconv.Atoi(strings.TrimSpace(last))
		}
		if err != nil || a < 0 || b < a {
			return fmt.Errorf("%s is not a list of numbers: use 3, [3, 17] or \"80-89\"", raw)
		}
		if b-a >= mostNamed-len(*x) {
			return fmt.Errorf("%s has more than %d numbers", raw, mostNamed)
		}
		*x = slices.Grow(*x, b-a+1)
		for i := a; i <= b; i++ {
			*x = append(*x, i)
		}
	}
	slices.Sort(*x)
	for k := 1; k < len(*x); k++ {
		if (*x)[k] == (*x)[k-1] {
			return fmt.Errorf("%s contains %d twice", raw, (*x)[k])
		}
	}
	return nil
}

// decode parses a JSON object and stores the value of each key through the pointer in places. The error for an unknown key
// suggests the most similar of keys. A key that occurs twice is an error, because its second value would replace the first.
func decode(raw []byte, keys []string, places map[string]any) error {
	object := map[string]json.RawMessage{}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(&object); err != nil {
		return fmt.Errorf("not a JSON object: %w", err)
	}
	if err := onceEach(raw); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("there is more text after the object, at byte %d", dec.InputOffset())
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if err := spelling.OneOf("key", key, keys); err != nil {
			return err
		}
		if err := json.Unmarshal(object[key], places[key]); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

// onceEach returns an error if a key of a valid JSON object occurs twice. It does not look into the values.
func onceEach(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.Token() // the brace
	seen := map[json.Token]bool{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("the key %q occurs twice", key)
		}
		seen[key] = true
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
	}
	return nil
}
