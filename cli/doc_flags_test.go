package cli

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestFlagsPage checks that docs/flags.md has the flags, the defaults and the texts of the program. With FEDDAG_FLAGS=write it writes
// the page.
func TestFlagsPage(t *testing.T) {
	const page = "../docs/flags.md"
	want := flagsPage()
	if os.Getenv("FEDDAG_FLAGS") == "write" {
		write(t, page, []byte(want))
		return
	}
	was := strings.Split(readPage(t, page), "\n")
	for i, line := range strings.Split(want, "\n") {
		if i >= len(was) || was[i] != line {
			t.Fatalf("docs/flags.md, line %d: the program has\n%s\nwrite the page with: FEDDAG_FLAGS=write go test ./cli -run FlagsPage", i+1, line)
		}
	}
	if lines := strings.Count(want, "\n") + 1; len(was) != lines {
		t.Errorf("docs/flags.md has %d lines more than the program", len(was)-lines)
	}
}

// flagsPage returns the page.
func flagsPage() string {
	var b strings.Builder
	b.WriteString("# Flags\n\n")
	b.WriteString("Made from the program: `FEDDAG_FLAGS=write go test ./cli -run FlagsPage`. A test compares the two.\n\n")
	b.WriteString("The flags of `train` can also be given by environment variables (`FEDDAG_EPOCHS` for `--epochs`) or by a file (`--config`).\n" +
		"The command line wins over the variable, the variable over the file, and the file over the preset.\n")
	for _, name := range commandNames() {
		p := pageOf(name)
		if len(p.groups) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n", name, strings.ToUpper(commands[name].summary[:1])+commands[name].summary[1:])
		switch name {
		case "cluster":
			b.WriteString("It also takes the flags of [train](#train) that are read before the rounds.\n")
		case "compare", "reproduce":
			b.WriteString("Flags of [train](#train) go to the runs.\n")
		}
		for _, g := range p.groups {
			if name == "cluster" && !g.own || visible(g.flags) == 0 {
				continue
			}
			if len(p.groups) > 1 {
				fmt.Fprintf(&b, "\n### %s\n", g.title)
			}
			b.WriteString("\n| flag | default | meaning |\n|---|---|---|\n")
			g.flags.VisitAll(func(f *pflag.Flag) {
				if !f.Hidden {
					kind, usage := pflag.UnquoteUsage(f)
					flag := "--" + f.Name
					if takesValue(f) && kind != "" {
						flag += " " + strings.NewReplacer("STRINGARRAY", "STRING", "FLOAT64SLICE", "FLOATS").Replace(strings.ToUpper(kind))
					}
					fmt.Fprintf(&b, "| `%s` | %s | %s |\n", flag, defaultCell(f, usage), markdownCell(usage))
				}
			})
		}
	}
	return b.String()
}

// defaultCell returns the default of a flag as code. It is empty if the text contains the default, or if there is none.
func defaultCell(f *pflag.Flag, usage string) string {
	if f.Name == "workers" && f.DefValue == strconv.Itoa(runtime.NumCPU()) {
		return "one per core"
	}
	if f.DefValue == "" || f.DefValue == "[]" || strings.Contains(usage, "(default") {
		return ""
	}
	return "`" + strings.Trim(f.DefValue, "[]") + "`"
}

// markdownCell escapes text for a cell of a Markdown table.
func markdownCell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "\n", " ").Replace(text)
}
