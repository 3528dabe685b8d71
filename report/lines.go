package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"feddag/federation"
)

// linesVersion is the version of the lines of metrics.jsonl and assignments.jsonl, which is in their key "version". Lines of
// version 1, which do not have the key, count the rounds from 0. Lines of version 2 count them from 1.
const linesVersion = 2

// roundNumber returns the number of the round in a line of the given version.
func roundNumber(version, round int) int {
	if version < linesVersion {
		return federation.RoundNumber(round)
	}
	return round
}

// roundLine is a line of a file that has a round in each line.
type roundLine struct {
	version int
	round   int // number of the round, 0 for the state before the rounds
	raw     []byte
}

// written returns the number of the round at whose end the line is written: the state before the rounds is written with the
// first round.
func (l roundLine) written() int { return max(1, l.round) }

// present returns the line in the present version. A line that does not begin with its round is returned unchanged; this
// program writes the round first.
func (l roundLine) present() []byte {
	if l.version >= linesVersion {
		return l.raw
	}
	_, rest, ok := bytes.Cut(l.raw, []byte(","))
	if !ok || !bytes.HasPrefix(l.raw, []byte(`{"round":`)) {
		return l.raw
	}
	return fmt.Appendf(nil, `{"version":%d,"round":%d,%s`, linesVersion, l.round, rest)
}

// roundLines reads a file whose lines are objects with a round. Only the last line may be incomplete, which a kill or a power
// failure can cause.
func (d *Dir) roundLines(name string) (raw []byte, lines []roundLine, err error) {
	path := d.Path(name)
	raw, err = d.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	rest := raw
	for n := 1; len(rest) > 0; n++ {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		var key struct {
			Version int               `json:"version"`
			Round   *int              `json:"round"`
			Why     federation.Reason `json:"why"`
		}
		err := json.Unmarshal(line, &key)
		switch {
		case err != nil:
		case key.Round == nil:
			err = errors.New(`no "round"`)
		case key.Version > linesVersion:
			err = fmt.Errorf("version %d is unknown: a later version of the program has written it; this one supports version %d", key.Version, linesVersion)
		}
		if err != nil {
			if len(rest) == 0 && key.Version <= linesVersion {
				break
			}
			return nil, nil, fmt.Errorf("reading %s, line %d: %w", path, n, err)
		}
		round := roundNumber(key.Version, *key.Round)
		if key.Why == federation.AtStart {
			round = 0
		}
		lines = append(lines, roundLine{key.Version, round, line})
	}
	return raw, lines, nil
}
