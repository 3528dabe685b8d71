package report

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Pair is one line of a flat configuration file.
type Pair struct {
	Key, Value string
	Comment    string // follows the value after a #; may be empty
}

// WriteYAML writes pairs, in order, as a flat YAML mapping. Numbers and truth
// values stand as they are; other text is quoted where YAML would read it as
// something else.
func (d *Dir) WriteYAML(name string, pairs []Pair) error {
	return d.WriteFile(name, func(w io.Writer) error {
		for _, p := range pairs {
			if !yamlKey.MatchString(p.Key) {
				return fmt.Errorf("key %q: letters, digits, _, . and - only", p.Key)
			}
			if !utf8.ValidString(p.Value) {
				return fmt.Errorf("the value of %s, %q, is not UTF-8", p.Key, p.Value)
			}
			value, err := yamlScalar(p.Value)
			if err != nil {
				return fmt.Errorf("key %s: %w", p.Key, err)
			}
			line := p.Key + ": " + value
			if p.Comment != "" {
				line += "  # " + strings.Join(strings.Fields(p.Comment), " ")
			}
			if _, err := io.WriteString(w, line+"\n"); err != nil {
				return err
			}
		}
		return nil
	})
}

// ReadYAML reads the configuration file name of the run.
func (d *Dir) ReadYAML(name string) (map[string]string, error) {
	return ReadYAML(d.Path(name))
}

// ReadYAML reads a flat YAML mapping of scalars: `key: value` lines, comments,
// single and double quotes. Anything else YAML has (nesting, lists, anchors,
// block text) and a key that comes twice is an error that names the line.
// An empty value, ~ and null read as the empty string.
func ReadYAML(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, cause(err))
	}
	defer f.Close()
	m := make(map[string]string)
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<24)
	n := 0
	for sc.Scan() {
		n++
		line := strings.TrimRight(sc.Text(), " \t\r")
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
			if line == "---" {
				continue
			}
		}
		if s := strings.TrimLeft(line, " \t"); s == "" || s[0] == '#' {
			continue
		}
		key, value, err := yamlLine(line)
		if err != nil {
			return nil, fmt.Errorf("reading %s, line %d: %w", path, n, err)
		}
		if _, ok := m[key]; ok {
			return nil, fmt.Errorf("reading %s, line %d: the key %s comes twice", path, n, key)
		}
		m[key] = value
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("reading %s, line %d: %w", path, n+1, err)
	}
	return m, nil
}

var (
	yamlKey = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	// What may stand unquoted: nothing that begins or contains YAML syntax.
	yamlPlain = regexp.MustCompile(`^[A-Za-z0-9_./+-][A-Za-z0-9_./+,:@%=-]*$`)
	// Text of these shapes would come back to other readers as a number in
	// base 60 or 8, or as a date.
	yamlOdd = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(:[0-9.]+)+$|^[-+]?0[0-9_]+$|^[0-9]+_[0-9_]*$|^[0-9]{4}-[0-9]{1,2}-`)
	// These mean something to YAML 1.1 readers.
	yamlWords = []string{"null", "yes", "no", "on", "off", "y", "n", ".inf", "+.inf", "-.inf", ".nan"}
)

func yamlScalar(s string) (string, error) {
	if yamlPlain.MatchString(s) && !yamlOdd.MatchString(s) &&
		!strings.HasSuffix(s, ":") && s != "-" && !strings.HasPrefix(s, "---") && s != "..." &&
		!slices.Contains(yamlWords, strings.ToLower(s)) {
		return s, nil
	}
	// A JSON string is a YAML double-quoted scalar.
	raw, err := compact(s)
	return string(raw), err
}

func yamlLine(line string) (key, value string, err error) {
	switch {
	case line[0] == ' ' || line[0] == '\t':
		return "", "", errors.New("indented: only a flat list of `key: value` lines is understood")
	case line == "-" || strings.HasPrefix(line, "- "):
		return "", "", errors.New("a list: only a flat list of `key: value` lines is understood")
	}
	key, rest, ok := strings.Cut(line, ":")
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "", "", fmt.Errorf("%q is not `key: value`", line)
	}
	key = strings.TrimRight(key, " \t")
	if !yamlKey.MatchString(key) {
		return "", "", fmt.Errorf("the key %q has other characters than letters, digits, _, . and -", key)
	}
	value, err = yamlValue(strings.TrimLeft(rest, " \t"))
	if err != nil {
		return "", "", fmt.Errorf("the value of %s: %w", key, err)
	}
	return key, value, nil
}

func yamlValue(s string) (string, error) {
	if s == "" || s[0] == '#' {
		return "", nil
	}
	var value, rest string
	switch s[0] {
	case '"':
		n := quoted([]byte(s))
		if n < 2 || n > len(s) || s[n-1] != '"' {
			return "", errors.New("the closing quote is missing")
		}
		if err := json.Unmarshal([]byte(s[:n]), &value); err != nil {
			return "", fmt.Errorf("bad quoted text %s", s[:n])
		}
		rest = s[n:]
	case '\'':
		var ok bool
		if value, rest, ok = singleQuoted(s); !ok {
			return "", errors.New("the closing quote is missing")
		}
	case '[', ']', '{', '}', '&', '*', '!', '|', '>', '%', '@', '`', ',', '?':
		return "", fmt.Errorf("%q is YAML that is not understood here; quote it if it is text", s)
	default:
		if i := strings.Index(s, " #"); i >= 0 {
			s = s[:i]
		}
		if i := strings.Index(s, "\t#"); i >= 0 {
			s = s[:i]
		}
		s = strings.TrimRight(s, " \t")
		if strings.Contains(s, ": ") || strings.HasSuffix(s, ":") || strings.HasPrefix(s, "- ") || s == "-" {
			return "", fmt.Errorf("%q is YAML that is not understood here; quote it if it is text", s)
		}
		if s == "~" || strings.EqualFold(s, "null") {
			return "", nil
		}
		return s, nil
	}
	trimmed := strings.TrimLeft(rest, " \t")
	if trimmed != "" && (trimmed[0] != '#' || len(trimmed) == len(rest)) {
		return "", fmt.Errorf("%q follows the closing quote", rest)
	}
	return value, nil
}

// singleQuoted splits s after its single-quoted text, where two quotes stand for one.
func singleQuoted(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] != '\'':
			b.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == '\'':
			b.WriteByte('\'')
			i++
		default:
			return b.String(), s[i+1:], true
		}
	}
	return "", "", false
}
