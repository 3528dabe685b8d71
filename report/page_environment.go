package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// environmentPairs returns the lines of an environment, such as Env, with readable names, and the command that it holds.
func environmentPairs(env any) (pairs []Pair, command string, err error) {
	all, err := flatten(env)
	if err != nil {
		return nil, "", fmt.Errorf("the environment: %w", err)
	}
	for _, p := range all {
		if p.Key == "command" {
			if e, ok := env.(Env); ok {
				command = shellLine(e.Command)
			} else {
				command = p.Value
			}
			continue
		}
		pairs = append(pairs, Pair{Key: environmentName(p.Key), Value: p.Value})
	}
	return pairs, command, nil
}

// environmentNames are the readable names of keys that are not plain words.
var environmentNames = map[string]string{
	"feddag": "commit", "go": "Go", "blas": "BLAS", "blas_kernel": "BLAS kernel", "simd": "SIMD", "cuda": "CUDA", "cpu": "CPU", "os": "system", "device_name": "device name",
}

// environmentName returns the readable name of a key of env.json. The files of the data are numbered from 1.
func environmentName(key string) string {
	if name, ok := environmentNames[key]; ok {
		return name
	}
	key = strings.TrimPrefix(key, "extra.")
	if number, ok := strings.CutPrefix(key, "data file "); ok {
		if n, err := strconv.Atoi(number); err == nil {
			return "data file " + strconv.Itoa(n+1)
		}
	}
	return key
}

// shellLine returns a command line that a shell splits into the given words.
func shellLine(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		if quoted[i] = w; w == "" || strings.ContainsFunc(w, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_=+./:,@%", r))
		}) {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// flatten returns the JSON object of v as key and value pairs, in order. The keys of nested objects are joined with a dot.
// Empty values are left out.
func flatten(v any) ([]Pair, error) {
	if v == nil {
		return nil, nil
	}
	raw, err := Marshal(v)
	if err != nil {
		return nil, err
	}
	return flattenJSON("", raw)
}

func flattenJSON(prefix string, raw []byte) ([]Pair, error) {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("%.40s is not a JSON object", raw)
	}
	var pairs []Pair
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		name := prefix + fmt.Sprint(key)
		if value[0] == '{' {
			inner, err := flattenJSON(name+".", value)
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, inner...)
			continue
		}
		text := string(value)
		var s string
		var list []string
		switch {
		case text == "null":
			text = ""
		case json.Unmarshal(value, &s) == nil:
			text = s
		case json.Unmarshal(value, &list) == nil:
			text = strings.Join(list, " ")
		}
		if text != "" {
			pairs = append(pairs, Pair{Key: name, Value: text})
		}
	}
	return pairs, nil
}

// ranges formats ascending ids and shortens sequences: 0-4, 7, 9-10.
func ranges(ids []int) string {
	ids = slices.Sorted(slices.Values(ids))
	var b strings.Builder
	for i := 0; i < len(ids); {
		j := i
		for j+1 < len(ids) && ids[j+1] == ids[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(ids[i]))
		if j > i {
			b.WriteString("–" + strconv.Itoa(ids[j]))
		}
		i = j + 1
	}
	return b.String()
}
