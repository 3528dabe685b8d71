package cli

import (
	"fmt"
	"strings"

	"feddag/federation"
	"feddag/internal/spelling"

	"github.com/spf13/pflag"
)

// parseWith parses 'ALGORITHM: FLAGS' and 'ALGORITHM as NAME: FLAGS'.
func parseWith(text string) (*variant, []string, error) {
	wrong := func(format string, a ...any) (*variant, []string, error) {
		return nil, nil, usagef("--with %q: %s", text, fmt.Sprintf(format, a...))
	}
	head, tail, ok := strings.Cut(text, ":")
	if !ok {
		return wrong("use 'ALGORITHM: FLAGS' or 'ALGORITHM as NAME: FLAGS'")
	}
	algorithm, name, named := strings.Cut(head, " as ")
	v := &variant{algorithm: strings.TrimSpace(algorithm), name: strings.Join(strings.Fields(name), " ")}
	if err := spelling.OneOf("algorithm", v.algorithm, federation.Names()); err != nil {
		return wrong("%v", err)
	}
	args := strings.Fields(tail)
	if len(args) == 0 {
		return wrong("no flags after the colon; without any it is --algorithms %s", v.algorithm)
	}
	x, err := newOptions(v.algorithm)
	if err != nil {
		return nil, nil, err
	}
	var sets []string
	err = x.flags.ParseAll(args, func(f *pflag.Flag, value string) error {
		if instead[f.Name] != "" || f.Name == "out" || x.groupOf(f.Name) == dataGroup {
			return fmt.Errorf("--%s is the same for all runs of a comparison", f.Name)
		}
		sets = append(sets, shortFlag(v.algorithm, f.Name)+"="+value)
		return nil
	})
	if err != nil {
		return wrong("%v", x.explain(err))
	}
	if x.flags.NArg() > 0 {
		return wrong("unexpected %q; flags start with --", x.flags.Arg(0))
	}
	if !named {
		v.name = v.algorithm + " " + strings.Join(sets, " ")
	}
	if slug(v.name) == "" || strings.ContainsFunc(v.name, func(r rune) bool { return r < ' ' }) || len(v.name) > 100 {
		return wrong("use a name of letters and digits with at most 100 bytes")
	}
	return v, args, nil
}

// shortFlag removes the algorithm's prefix from the name of a flag: --feddag-sources of feddag-star becomes sources.
func shortFlag(algorithm, flag string) string {
	n := 0
	for i := 0; i < len(flag) && i <= len(algorithm) && flag[i] == (algorithm + "-")[i]; i++ {
		if flag[i] == '-' {
			n = i + 1
		}
	}
	return flag[n:]
}

// slug returns the name of a directory for the name of a variant.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' {
			b.WriteRune(r)
		} else if s := b.String(); s != "" && !strings.HasSuffix(s, "-") {
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-.")
}
