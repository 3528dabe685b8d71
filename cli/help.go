package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"feddag/federation"
	"feddag/internal/spelling"

	"github.com/spf13/pflag"
)

// mainFlags are the flags that the short help of train and cluster shows, in addition to those that only one command has.
var mainFlags = []string{
	"algorithm", "preset", "config", "seed", "dataset", "partition", "clients", "rounds", "rate", "epochs", "batch", "lr", "device", "out", "resume",
}

// everything is the topic of the help that shows all flags.
const everything = "all"

// helpTopic returns the argument after --help or -h on a command line, as in --help all, or "" if there is none.
func helpTopic(args []string) string {
	for i, a := range args {
		if a == "--" {
			break
		}
		if topic, ok := strings.CutPrefix(a, "--help="); ok {
			return topic
		}
		if (a == "--help" || a == "-h") && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			return args[i+1]
		}
	}
	return ""
}

// section is a part of the help of train and cluster.
type section struct {
	topic, title string
	short        bool // the short help shows it
	print        func(w io.Writer)
}

// sections are the parts of the help that follow the flags.
func (o *options) sections() []section {
	return []section{
		{"algorithms", "Algorithms", true, func(w io.Writer) {
			for _, name := range federation.Names() {
				fmt.Fprintf(w, "  %-14s %s\n", name, federation.Summary(name))
			}
		}},
		{"presets", "Presets", false, o.presetUsage},
		{"models", "Models", false, modelUsage},
		{"partitions", "Partitions", false, partitionUsage},
	}
}

// topic returns the name of a group of flags on the command line: "data" of "Data and clients".
func (g group) topic() string {
	word, _, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(g.title, "Of ")), " ")
	return word
}

// usage prints the help of a command with the flags of a run: the main flags, all flags, or the flags of a topic.
func (o *options) usage(w io.Writer, command, intro, topic string) error {
	hideUnread(o.flags, o.unread())
	topics := []string{everything}
	for _, g := range o.groups {
		topics = append(topics, g.topic())
	}
	for _, s := range o.sections() {
		topics = append(topics, s.topic)
	}
	if topic != "" {
		if err := spelling.OneOf("help topic", topic, topics); err != nil {
			return usageError{err}
		}
	}
	if topic == "" || topic == everything {
		fmt.Fprintf(w, "%s\n", intro)
	}
	left := 0
	for _, g := range o.groups {
		shown := g.flags
		switch {
		case topic == "":
			shown = g.short()
			left += visible(g.flags) - visible(shown)
		case topic != everything && topic != g.topic():
			continue
		}
		if usages := flagUsages(shown); usages != "" {
			fmt.Fprintf(w, "\n%s:\n%s", g.title, usages)
		}
	}
	for _, s := range o.sections() {
		if topic == everything || topic == s.topic || topic == "" && s.short {
			fmt.Fprintf(w, "\n%s:\n", s.title)
			s.print(w)
		}
	}
	switch topic {
	case "":
		fmt.Fprintf(w, "\n%d more flags: feddag %s --help all, or --help %s\n", left, command, strings.Join(topics[1:], ", "))
		fallthrough
	case everything:
		fmt.Fprintf(w, "The flags of another algorithm: feddag %s --algorithm NAME --help all\n", command)
	}
	return nil
}

// short returns the flags of a group that the short help shows: the main ones, or all of a group that has none of the flags of
// train.
func (g group) short() *pflag.FlagSet {
	if g.own {
		return g.flags
	}
	shown := newFlagSet()
	g.flags.VisitAll(func(f *pflag.Flag) {
		if slices.Contains(mainFlags, f.Name) {
			shown.AddFlag(f)
		}
	})
	return shown
}

// visible counts the flags that the help shows.
func visible(fs *pflag.FlagSet) (n int) {
	fs.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			n++
		}
	})
	return n
}
