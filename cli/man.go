package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"feddag/federation"

	"github.com/spf13/pflag"
)

func init() {
	register("man", "print the manual page, for man", man)
	pages["man"] = func() page { return page{intro: manIntro} }
}

const manIntro = `Prints the manual page of the program, made from the same texts as the help.

Usage: feddag man >feddag.1 && man ./feddag.1
`

func man(_ context.Context, args []string, out, _ io.Writer) error {
	fs := newFlagSet()
	if helped, err := parseCommand("man", manIntro, fs, args, out); helped || err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return usagef("man takes no argument, got %q", fs.Arg(0))
	}
	m := manual{out}
	fmt.Fprintf(m, ".TH FEDDAG 1 \"\" \"feddag %s\"\n", revision())
	m.heading("NAME")
	m.text("feddag - trains clustered federated learning")
	m.heading("SYNOPSIS")
	fmt.Fprint(m, ".B feddag\n.I COMMAND\n[flags]\n")
	m.heading("DESCRIPTION")
	m.text("Feddag simulates federated learning on one machine, on the CPU or a GPU: FedDAG (ICLR 2026) and the methods that it is compared with.")
	m.heading("COMMANDS")
	for _, name := range commandNames() {
		m.item(name, commands[name].summary)
	}
	for _, name := range commandNames() {
		p := pageOf(name)
		if p.intro == "" {
			continue
		}
		m.heading("FEDDAG " + strings.ToUpper(name))
		m.verbatim(p.intro)
		for _, g := range p.groups {
			if visible(g.flags) == 0 {
				continue
			}
			fmt.Fprintf(m, ".SS %s\n", roff(g.title))
			g.flags.VisitAll(func(f *pflag.Flag) {
				if !f.Hidden {
					m.flag(f)
				}
			})
		}
	}
	m.heading("ALGORITHMS")
	for _, name := range federation.Names() {
		m.item(name, federation.Summary(name))
	}
	m.heading("ENVIRONMENT")
	m.item("FEDDAG_...", "The value of a flag that the command line does not give: FEDDAG_EVAL_EVERY is that of --eval-every. A flag has, in this order, the value of the command line, of the environment, of the file of --config, of the preset, and its default.")
	m.item("FEDDAG_DATA_DIR", "A place to look for data sets, after --data-dir.")
	m.item("NO_COLOR, CI", "If one is set, there are no progress bars.")
	m.heading("EXIT STATUS")
	for _, x := range [][2]string{{"0", "done"}, {"1", "failed"}, {"2", "wrong usage"}, {"130", "interrupted; continue with --resume"}} {
		m.item(x[0], x[1])
	}
	return nil
}

// manual writes the text of a manual page.
type manual struct{ io.Writer }

// roff escapes text so that troff shows it unchanged. Characters beyond ASCII are written as numbers, because troff reads its
// input as Latin-1 by default.
func roff(text string) string {
	var ascii strings.Builder
	for _, r := range text {
		switch {
		case r == '\\':
			ascii.WriteString(`\e`)
		case r == '-':
			ascii.WriteString(`\-`)
		case r > 127:
			fmt.Fprintf(&ascii, `\[u%04X]`, r)
		default:
			ascii.WriteRune(r)
		}
	}
	lines := strings.Split(ascii.String(), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

func (m manual) heading(text string) { fmt.Fprintf(m, ".SH %s\n", roff(text)) }

func (m manual) text(text string) { fmt.Fprintf(m, "%s\n", roff(text)) }

// verbatim writes text with its line breaks.
func (m manual) verbatim(text string) {
	fmt.Fprintf(m, ".nf\n%s\n.fi\n", roff(strings.TrimRight(text, "\n")))
}

func (m manual) item(name, text string) { fmt.Fprintf(m, ".TP\n.B %s\n%s\n", roff(name), roff(text)) }

// flag writes a flag, its value and its default.
func (m manual) flag(f *pflag.Flag) {
	kind, usage := pflag.UnquoteUsage(f)
	name := "--" + f.Name
	if takesValue(f) && kind != "" {
		name += "=" + kind
	}
	if f.DefValue != "" && f.DefValue != "[]" && !strings.Contains(usage, "(default") {
		usage += " (default " + f.DefValue + ")"
	}
	m.item(name, usage)
}
