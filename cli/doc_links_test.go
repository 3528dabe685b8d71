package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"feddag/internal/docblock"
)

// markdownLink matches a Markdown link and captures its target.
var markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinksOfPages checks that the targets of all links on Markdown pages to files of the checkout, or to headings of pages,
// exist.
func TestLinksOfPages(t *testing.T) {
	pages, err := docblock.Pages("..")
	if err != nil {
		t.Fatal(err)
	}
	links := 0
	for _, page := range pages {
		page = filepath.Join("..", page)
		for _, match := range markdownLink.FindAllStringSubmatch(readPage(t, page), -1) {
			file, heading, _ := strings.Cut(match[1], "#")
			if strings.Contains(file, "://") {
				continue
			}
			links++
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: the link %s leads nowhere", page, match[1])
			} else if heading != "" && !slices.Contains(anchors(readPage(t, target)), heading) {
				t.Errorf("%s: the link %s leads to a heading that %s does not have", page, match[1], target)
			}
		}
	}
	if links == 0 {
		t.Error("no page has a link")
	}
}

// readPage returns the text of a page.
func readPage(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// anchors returns the anchors of a page's headings, as GitHub makes them: in lower case, with hyphens instead of blanks, and with
// letters, digits, hyphens and underscores only.
func anchors(page string) (all []string) {
	for line := range strings.Lines(page) {
		title := strings.TrimLeft(line, "#")
		if level := len(line) - len(title); level == 0 || !strings.HasPrefix(title, " ") {
			continue
		}
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(title)))
	}
	return all
}
