// Package docblock reads the blocks of code in the project's Markdown pages, and what the pages say about running them.
//
// A block is indented by four spaces, or fenced with three backquotes. A block that is indented, or fenced with no language, sh or
// bash, has a mark: an HTML comment on the lines before it, which a reader of the page does not see. A fence with another language,
// such as json, needs no mark. The marks are
//
//	<!-- run -->                      scripts/check_docs.sh runs the block
//	<!-- run: ITEM; ITEM... -->       it runs the block under conditions; see [Mark]
//	<!-- not run: REASON -->          nothing runs the block
//	<!-- output -->                   the blocks that were run since the last output print this, except for the numbers
//	<!-- output, not compared: REASON -->
//
// A comment that begins with a line "<!-- set-up" holds commands that are run and not shown, up to the line "-->". A comment
// <!-- table: TITLE --> belongs to a table, which a test of package cli compares with what a command of the page writes.
package docblock

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is the way in which a block is used.
type Kind int

const (
	Unmarked Kind = iota // code in a language other than that of the shell
	Run                  // commands that are run
	NotRun               // commands that are not run
	Output               // what commands print
	SetUp                // commands that are run and not shown
)

// Mark is the content of the comment before a block.
type Mark struct {
	Kind Kind
	// Reason says why commands are not run, or why an output is not compared.
	Reason string
	// Needs are the programs that must be on PATH, and the Python packages ("python:numpy") that python3 must find.
	// ITEM "needs NAME NAME...".
	Needs []string
	// With are flags that are appended to the commands of feddag that compute. ITEM "with FLAGS".
	With string
	// Interrupt is the time after which the block is interrupted as Ctrl-C does, 0 for never. ITEM "for N s".
	Interrupt time.Duration
}

// Block is a block of code on a page.
type Block struct {
	Line     int    // line number of the first line of code on the page, from 1
	Language string // language of a fence; "" if there is none
	Code     []string
	Mark     Mark
}

const fence = "```"

// shells are the languages of blocks that must have a mark.
var shells = []string{"", "sh", "bash"}

// Parse returns the blocks of a page in their order. Blocks without a mark that must have one, and marks that are wrong or that no
// block follows, are errors that name the line.
func Parse(text string) (blocks []Block, err error) {
	lines := strings.Split(text, "\n")
	var mark Mark
	marked := 0 // line of a mark whose block has not been found yet, 0 for none
	paragraph := false
	fail := func(line int, format string, a ...any) {
		err = errors.Join(err, fmt.Errorf("line %d: %w", line, fmt.Errorf(format, a...)))
	}
	add := func(b Block) {
		switch {
		case marked > 0:
			b.Mark = mark
		case slices.Contains(shells, b.Language):
			fail(b.Line, "the block has no mark: put <!-- run -->, <!-- not run: REASON --> or <!-- output --> before it")
		}
		marked = 0
		blocks = append(blocks, b)
	}
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, fence):
			b := Block{Line: i + 2, Language: strings.TrimPrefix(trimmed, fence)}
			for i++; i < len(lines) && strings.TrimSpace(lines[i]) != fence; i++ {
				b.Code = append(b.Code, lines[i])
			}
			if i == len(lines) {
				fail(b.Line-1, "the fence is not closed")
			}
			add(b)
			paragraph = false
		case trimmed == "":
			paragraph = false
		case strings.HasPrefix(line, "    ") && !paragraph:
			b := Block{Line: i + 1}
			for ; i < len(lines) && (strings.HasPrefix(lines[i], "    ") || strings.TrimSpace(lines[i]) == ""); i++ {
				b.Code = append(b.Code, strings.TrimPrefix(lines[i], "    "))
			}
			i--
			for strings.TrimSpace(b.Code[len(b.Code)-1]) == "" {
				b.Code = b.Code[:len(b.Code)-1]
			}
			add(b)
		case marked > 0:
			fail(marked, "no block follows the mark")
			marked = 0
			i-- // the line is read again, without the mark
		case trimmed == "<!-- set-up":
			b := Block{Line: i + 2, Mark: Mark{Kind: SetUp}}
			for i++; i < len(lines) && strings.TrimSpace(lines[i]) != "-->"; i++ {
				b.Code = append(b.Code, lines[i])
			}
			blocks = append(blocks, b)
		case strings.HasPrefix(trimmed, "<!-- table: "):
		case strings.HasPrefix(trimmed, "<!--") && strings.HasSuffix(trimmed, "-->"):
			var wrong error
			if mark, wrong = parseMark(strings.TrimSpace(trimmed[len("<!--") : len(trimmed)-len("-->")])); wrong != nil {
				fail(i+1, "%w", wrong)
			}
			marked = i + 1
		default:
			paragraph = true
		}
	}
	if marked > 0 {
		fail(marked, "no block follows the mark")
	}
	return blocks, err
}

// parseMark reads the text of a comment.
func parseMark(text string) (Mark, error) {
	word, rest, hasRest := strings.Cut(text, ":")
	rest = strings.TrimSpace(rest)
	switch {
	case word == "not run" && rest != "":
		return Mark{Kind: NotRun, Reason: rest}, nil
	case word == "output, not compared" && rest != "":
		return Mark{Kind: Output, Reason: rest}, nil
	case word == "output" && !hasRest:
		return Mark{Kind: Output}, nil
	case word == "run" && !hasRest:
		return Mark{Kind: Run}, nil
	case word != "run":
		return Mark{}, fmt.Errorf("the comment %q is not a mark: use run, not run: REASON, output, or output, not compared: REASON", text)
	}
	m := Mark{Kind: Run}
	for item := range strings.SplitSeq(rest, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(item), " ")
		switch key {
		case "needs":
			m.Needs = strings.Fields(value)
		case "with":
			m.With = value
		case "for":
			seconds, err := strconv.Atoi(strings.TrimSuffix(value, " s"))
			if err != nil || seconds < 1 {
				return Mark{}, fmt.Errorf("the mark %q: %q is not a number of seconds", text, value)
			}
			m.Interrupt = time.Duration(seconds) * time.Second
		default:
			return Mark{}, fmt.Errorf("the mark %q: %q is not known: use needs NAMES, with FLAGS, or for N s", text, key)
		}
		if value == "" {
			return Mark{}, fmt.Errorf("the mark %q: %s needs a value", text, key)
		}
	}
	return m, nil
}

// Pages returns the Markdown pages of a checkout, as paths relative to its root.
func Pages(root string) (pages []string, err error) {
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "benchmarks/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			page, err := filepath.Rel(root, path)
			if err != nil {
				return nil, err
			}
			pages = append(pages, page)
		}
	}
	return pages, nil
}
