package cli

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// joinList joins the values of a flag that may be repeated with blanks. A value that is empty, contains blanks or starts with
// a quotation mark is quoted as in Go.
func joinList(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		if quoted[i] = v; v == "" || v[0] == '"' || strings.ContainsFunc(v, unicode.IsSpace) {
			quoted[i] = strconv.Quote(v)
		}
	}
	return strings.Join(quoted, " ")
}

// splitList reads what joinList wrote.
func splitList(text string) ([]string, error) {
	var values []string
	for {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
		if text == "" {
			return values, nil
		}
		end := strings.IndexFunc(text, unicode.IsSpace)
		if end < 0 {
			end = len(text)
		}
		value := text[:end]
		if text[0] == '"' {
			prefix, err := strconv.QuotedPrefix(text)
			if err != nil {
				return nil, fmt.Errorf("%s: a quotation mark is missing", text)
			}
			if value, err = strconv.Unquote(prefix); err != nil {
				return nil, fmt.Errorf("%s: %w", prefix, err)
			}
			end = len(prefix)
		}
		values, text = append(values, value), text[end:]
	}
}
