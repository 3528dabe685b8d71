package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Table is a table of a comparison, written as text, Markdown, LaTeX or HTML.
type Table struct {
	Label   string // short, for references: "accuracy"
	Title   string
	Setting []string // sentences that describe the setting and the measures; the same in most tables
	Notes   []string // further sentences about this table
	Bold    string   // meaning of bold entries; empty if there are none
	Columns []Column
	Rows    [][]TableCell // as many cells as columns

	// After are sentences about single rows, which follow the table.
	After []string
}

// Column is the head of a column. Numbers are aligned right, text is aligned left.
type Column struct {
	Heading string
	Text    bool
}

// TableCell is one entry.
type TableCell struct {
	Text string
	Bold bool
	Link string // relative link; only used in HTML and Markdown
}

func texts(s ...string) []TableCell {
	cells := make([]TableCell, len(s))
	for i, x := range s {
		cells[i].Text = x
	}
	return cells
}

func headings(text string, numbers ...string) []Column {
	columns := []Column{{Heading: text, Text: true}}
	for _, n := range numbers {
		columns = append(columns, Column{Heading: n})
	}
	return columns
}

// notes returns the notes of the table, and the meaning of its bold entries, which mark names.
func (t Table) notes(mark string) []string {
	if t.Bold == "" {
		return t.Notes
	}
	return append(slices.Clone(t.Notes), mark+": "+t.Bold+".")
}

// Text returns the table for a terminal, without its setting.
func (t Table) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", t.Title)
	widths := make([]int, len(t.Columns))
	entry := func(c TableCell) string {
		if c.Bold {
			return c.Text + "*"
		}
		return c.Text
	}
	for i, c := range t.Columns {
		widths[i] = utf8.RuneCountInString(c.Heading)
		for _, row := range t.Rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(entry(row[i])))
		}
	}
	line := func(text func(i int) string) {
		var l strings.Builder
		for i, c := range t.Columns {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text(i)))
			if c.Text {
				l.WriteString(text(i) + pad + "   ")
			} else {
				l.WriteString(pad + text(i) + "   ")
			}
		}
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	line(func(i int) string { return t.Columns[i].Heading })
	for _, row := range t.Rows {
		line(func(i int) string { return entry(row[i]) })
	}
	b.WriteString(paragraphs(t.notes("*")))
	for _, n := range t.After {
		b.WriteString("- " + n + "\n")
	}
	return b.String()
}

// paragraphs breaks sentences into lines for a terminal.
func paragraphs(sentences []string) string {
	var b strings.Builder
	for _, s := range sentences {
		line := ""
		for word := range strings.FieldsSeq(s) {
			if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > 120 {
				b.WriteString(line + "\n")
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// Markdown returns the table in Markdown, with its title as a heading.
func (t Table) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", markdown(t.Title))
	for _, n := range slices.Concat(t.Setting, t.notes("Bold")) {
		fmt.Fprintf(&b, "%s\n", markdown(n))
	}
	b.WriteByte('\n')
	var head, rule []string
	for _, c := range t.Columns {
		head = append(head, markdown(c.Heading))
		if c.Text {
			rule = append(rule, "---")
		} else {
			rule = append(rule, "---:")
		}
	}
	fmt.Fprintf(&b, "| %s |\n|%s|\n", strings.Join(head, " | "), strings.Join(rule, "|"))
	for _, row := range t.Rows {
		var cells []string
		for _, c := range row {
			text := markdown(c.Text)
			if c.Bold {
				text = "**" + text + "**"
			}
			if c.Link != "" {
				text = "[" + text + "](<" + strings.NewReplacer("<", "%3C", ">", "%3E").Replace(c.Link) + ">)"
			}
			cells = append(cells, text)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	if len(t.After) > 0 {
		b.WriteByte('\n')
		for _, n := range t.After {
			fmt.Fprintf(&b, "- %s\n", markdown(n))
		}
	}
	return b.String()
}

// LaTeX returns the table as a LaTeX float, which needs the package booktabs.
func (t Table) LaTeX() string {
	var b strings.Builder
	caption := latex(t.Title) + "."
	for _, n := range slices.Concat(t.Setting, t.notes("Bold"), t.After) {
		caption += " " + latex(n)
	}
	layout := ""
	var head []string
	for _, c := range t.Columns {
		head = append(head, latex(c.Heading))
		if c.Text {
			layout += "l"
		} else {
			layout += "r"
		}
	}
	fmt.Fprintf(&b, "\\begin{table}[tbp]\n\\centering\\small\n\\caption{%s}\n\\label{tab:%s}\n\\begin{tabular}{%s}\n\\toprule\n", caption, t.Label, layout)
	fmt.Fprintf(&b, "%s \\\\\n\\midrule\n", strings.Join(head, " & "))
	for _, row := range t.Rows {
		var cells []string
		for _, c := range row {
			text := latex(c.Text)
			if c.Bold {
				text = "\\textbf{" + text + "}"
			}
			cells = append(cells, text)
		}
		fmt.Fprintf(&b, "%s \\\\\n", strings.Join(cells, " & "))
	}
	b.WriteString("\\bottomrule\n\\end{tabular}\n\\end{table}\n")
	return b.String()
}

// markdown escapes the special characters of Markdown.
var markdown = strings.NewReplacer("\\", "\\\\", "|", "\\|", "*", "\\*", "_", "\\_", "`", "\\`", "<", "&lt;", "[", "\\[", "]", "\\]", "\n", " ").Replace

// latex escapes the special characters of LaTeX, and replaces symbols that are only available in math mode.
var latex = strings.NewReplacer(
	"\\", `\textbackslash{}`, "{", `\{`, "}", `\}`, "$", `\$`, "%", `\%`, "&", `\&`, "#", `\#`, "_", `\_`,
	"~", `\textasciitilde{}`, "^", `\textasciicircum{}`, "<", `$<$`, ">", `$>$`, "|", `$|$`,
	"±", `$\pm$`, "−", `$-$`, "–", `--`, "†", `\dag{}`, "·", `$\cdot$`, "≥", `$\ge$`, "≤", `$\le$`, "→", `$\to$`, "\n", " ",
	"α", `$\alpha$`, "δ", `$\delta$`, "η", `$\eta$`, "λ", `$\lambda$`, "µ", `$\mu$`, "μ", `$\mu$`, "ρ", `$\rho$`, "θ", `$\theta$`, "β", `$\beta$`,
).Replace

// HTMLNotes returns the notes of the table, for a template.
func (t Table) HTMLNotes() []string { return t.notes("Bold") }
