package report

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Pair is one line of a flat configuration file.
type Pair struct {
	Key, Value string
	Comment    string // comment after the value, behind a #; may be empty
}

// WriteConfig writes config.yaml.
func (d *Dir) WriteConfig(pairs []Pair) error {
	text, err := formatConfig(pairs)
	if err != nil {
		return fmt.Errorf("writing %s: %w", d.Path(ConfigFile), err)
	}
	return d.writeBytes(ConfigFile, text)
}

// ReadConfig reads config.yaml and returns the value of each flag by its name.
func (d *Dir) ReadConfig() (map[string]string, error) {
	pairs, err := d.readConfig()
	if err != nil {
		return nil, err
	}
	return configValues(pairs), nil
}

// ReadConfigFile reads any file in the format of config.yaml and returns the value of each flag by its name.
func ReadConfigFile(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pairs, err := parseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return configValues(pairs), nil
}

// ParseConfig returns the lines of a text in the format of config.yaml.
func ParseConfig(text []byte) ([]Pair, error) { return parseConfig(text) }

// configValues returns the values of pairs by their keys.
func configValues(pairs []Pair) map[string]string {
	values := make(map[string]string, len(pairs))
	for _, p := range pairs {
		values[p.Key] = p.Value
	}
	return values
}

func (d *Dir) readConfig() ([]Pair, error) {
	text, err := d.read(ConfigFile)
	if err != nil {
		return nil, err
	}
	pairs, err := parseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", d.Path(ConfigFile), err)
	}
	return pairs, nil
}

var (
	configKey = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]*$`)

	// configPlain matches text that needs no quotes, provided that the library agrees. The library's decision alone is not
	// enough: it leaves ---, "? x" and control characters unquoted, and then cannot read them.
	configPlain = regexp.MustCompile(`^[A-Za-z0-9_./+-][A-Za-z0-9_./+,:@%=-]*$`)
)

// formatConfig returns pairs as a flat YAML mapping, in their order. Numbers and truth values are not quoted; other text is
// quoted if YAML would read it as something else.
func formatConfig(pairs []Pair) ([]byte, error) {
	var mapping yaml.MapSlice
	comments := yaml.CommentMap{}
	for _, p := range pairs {
		if !configKey.MatchString(p.Key) {
			return nil, fmt.Errorf("key %q: only letters, digits, _ and - are allowed", p.Key)
		}
		if !utf8.ValidString(p.Value) {
			return nil, fmt.Errorf("the value of %s, %q, is not UTF-8", p.Key, p.Value)
		}
		mapping = append(mapping, yaml.MapItem{Key: p.Key, Value: configValue(p.Value)})
		if words := strings.Fields(p.Comment); len(words) > 0 {
			comments["$."+p.Key] = []*yaml.Comment{yaml.LineComment(" " + strings.Join(words, " "))}
		}
	}
	return yaml.MarshalWithOptions(mapping, yaml.WithComment(comments))
}

// configValue returns s as a YAML scalar on one line.
func configValue(s string) yaml.RawMessage {
	if tokens := lexer.Tokenize(s); configPlain.MatchString(s) && len(tokens) == 1 && tokens[0].Value == s {
		switch tokens[0].Type {
		case token.IntegerType, token.FloatType, token.BoolType:
			if !strings.Contains(s, "_") {
				return yaml.RawMessage(s)
			}
		case token.StringType:
			if !token.IsNeedQuoted(s) {
				return yaml.RawMessage(s)
			}
		}
	}
	return yaml.RawMessage(strconv.Quote(s)) // Go's escapes are YAML's
}

// parseConfig parses a flat YAML mapping of scalars. Nesting, lists, anchors and duplicate keys are errors that name the
// line. Values, including numbers, keep the text that they have in the file; an empty value, ~ and null are the empty string.
// Underscores in keys are converted to dashes, as in flags.
func parseConfig(text []byte) ([]Pair, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // a byte order mark
	file, err := parser.ParseBytes(text, parser.ParseComments)
	var bad yaml.Error
	switch {
	case errors.As(err, &bad):
		return nil, fmt.Errorf("line %d: %s", bad.GetToken().Position.Line, bad.GetMessage())
	case err != nil:
		return nil, err
	}
	var pairs []Pair
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
			continue
		case pairs != nil:
			return nil, atLine(doc.Body, "there is a second document; only one is allowed")
		}
		if pairs, err = mappingLines(doc.Body); err != nil {
			return nil, err
		}
	}
	return pairs, nil
}

// mappingLines returns the lines of a flat mapping.
func mappingLines(n ast.Node) ([]Pair, error) {
	var pairs []Pair
	switch n := n.(type) {
	case *ast.CommentGroupNode:
		return nil, nil
	case *ast.MappingValueNode:
		p, err := mappingLine(n)
		return []Pair{p}, err
	case *ast.MappingNode:
		for _, v := range n.Values {
			p, err := mappingLine(v)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(pairs, func(q Pair) bool { return q.Key == p.Key }) {
				return nil, atLine(v, fmt.Sprintf("the key %s comes twice", p.Key))
			}
			pairs = append(pairs, p)
		}
		return pairs, nil
	}
	return nil, atLine(n, "only a list of `key: value` lines is understood")
}

func mappingLine(n *ast.MappingValueNode) (p Pair, err error) {
	p.Key = n.Key.GetToken().Value
	if _, ok := n.Key.(*ast.StringNode); !ok || !configKey.MatchString(p.Key) {
		return p, atLine(n, fmt.Sprintf("the key %q has other characters than letters, digits, _ and -", p.Key))
	}
	switch v := n.Value.(type) {
	case *ast.NullNode:
	case *ast.StringNode:
		p.Value = v.Value
	case *ast.LiteralNode:
		p.Value = v.Value.Value
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		p.Value = v.GetToken().Value
	case *ast.SequenceNode:
		return p, atLine(n.Value, fmt.Sprintf("the value of %s is a list: write it as text, with blanks between the items", p.Key))
	default:
		return p, atLine(n.Value, fmt.Sprintf("the value of %s is not a plain text or number; quote it if it is text", p.Key))
	}
	p.Key = strings.ReplaceAll(p.Key, "_", "-")
	if c := n.Value.GetComment(); c != nil {
		p.Comment = strings.TrimSpace(c.GetToken().Value)
	}
	return p, nil
}

func atLine(n ast.Node, what string) error {
	return fmt.Errorf("line %d: %s", n.GetToken().Position.Line, what)
}
