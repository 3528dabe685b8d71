package cli

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/internal/docblock"

	"github.com/spf13/pflag"
)

// TestCommandsOfPages checks the commands of feddag that the Markdown pages print, in blocks and between backquotes: that the
// command exists and has the flags, and in blocks that the flags have values that train, cluster and compare accept. It runs
// nothing; scripts/check_docs.sh does.
func TestCommandsOfPages(t *testing.T) {
	pages, err := docblock.Pages("..")
	if err != nil {
		t.Fatal(err)
	}
	known := flagsOfCommands()
	commands := 0
	for _, page := range pages {
		text := readPage(t, filepath.Join("..", page))
		blocks, err := docblock.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", page, err)
		}
		lines := strings.Split(text, "\n")
		for _, b := range blocks {
			for i := range b.Code {
				lines[b.Line-1+i] = ""
			}
			if b.Mark.Kind == docblock.Output || b.Mark.Kind == docblock.Unmarked {
				continue
			}
			for _, args := range feddagCommands(strings.Join(b.Code, "\n")) {
				commands++
				if err := checkCommand(args, known); err != nil {
					t.Errorf("%s, block in line %d: feddag %s: %v", page, b.Line, strings.Join(args, " "), err)
				} else if err := parsesCommand(args); err != nil && !addsToProgram(b) {
					t.Errorf("%s, block in line %d: feddag %s: %v", page, b.Line, strings.Join(args, " "), err)
				}
			}
		}
		for i, line := range lines {
			for _, span := range codeSpan.FindAllStringSubmatch(line, -1) {
				if err := checkSpan(span[1], known); err != nil {
					t.Errorf("%s:%d: `%s`: %v", page, i+1, span[1], err)
				}
			}
		}
	}
	if commands == 0 {
		t.Error("no page has a command")
	}
}

// TestCheckCommandFindsMistakes checks that the checks of the pages find mistakes.
func TestCheckCommandFindsMistakes(t *testing.T) {
	known := flagsOfCommands()
	for _, line := range []string{
		"./feddag train --round 3",
		"cd x && ./feddag train --epochs=2 --roundss 3 | tail",
		"docker run --rm feddag trian",
		"./feddag data lists",
		"./feddag train \\\n  --partition iid \\\n  --groups 3",
		"./feddag compare --algorithms feddag --with 'feddag as x: --feddag-sauces sum'",
		"./feddag compare --algorithms fedavg,ifka",
		"./feddag train --algorithm fedavg --feddag-top-k 2",
	} {
		found := feddagCommands(line)
		if len(found) != 1 {
			t.Fatalf("%s: %d commands", line, len(found))
		}
		if checkCommand(found[0], known) == nil && parsesCommand(found[0]) == nil {
			t.Errorf("%s: no mistake is found", line)
		}
	}
	for _, span := range []string{"--roundss 3", "feddag trian", "./feddag data list --all-of-it"} {
		if checkSpan(span, known) == nil {
			t.Errorf("`%s`: no mistake is found", span)
		}
	}
	if got := feddagCommands("A=1 ./feddag train --label 'a; b' --seed 2 # --c\nfeddag doctor >x; docker build -t feddag ."); fmt.Sprint(got) !=
		"[[train --label a; b --seed 2] [doctor]]" {
		t.Errorf("commands are %q", got)
	}
}

// codeSpan matches code within a line of Markdown.
var codeSpan = regexp.MustCompile("`([^`]+)`")

// othersFlags are flags of other programs that occur on the pages.
var othersFlags = []string{
	"user",                                                   // docker
	"max-restarts",                                           // torchrun
	"bound", "kinds", "ours-only", "runs", "size", "vectors", // benchmarks/
}

// addsToProgram reports whether a block first adds a file to the program, which the program of this test does not have.
func addsToProgram(b docblock.Block) bool {
	return slices.ContainsFunc(b.Code, func(line string) bool { return strings.HasPrefix(line, "git mv ") })
}

// flagsOfCommands returns the names of the flags of each command, including the flags of all algorithms.
func flagsOfCommands() map[string][]string {
	known := map[string][]string{}
	for _, name := range commandNames() {
		for _, g := range pageOf(name).groups {
			g.flags.VisitAll(func(f *pflag.Flag) { known[name] = append(known[name], f.Name) })
		}
	}
	for _, algorithm := range federation.Names() {
		x, err := newOptions(algorithm)
		if err != nil {
			continue
		}
		x.flags.VisitAll(func(f *pflag.Flag) {
			known["compare"] = append(known["compare"], f.Name)
			known["cluster"] = append(known["cluster"], f.Name)
			known["train"] = append(known["train"], f.Name)
		})
	}
	known["reproduce"] = append(known["reproduce"], known["compare"]...) // with --table
	return known
}

// checkSpan checks a piece of code that begins with a command or a flag. It ignores other code.
func checkSpan(span string, known map[string][]string) error {
	for _, args := range feddagCommands(span) {
		if strings.ContainsAny(args[0], ".ABCDEFGHIJKLMNOPQRSTUVWXYZ") { // feddag COMMAND
			continue
		}
		if err := checkCommand(args, known); err != nil {
			return err
		}
	}
	if !strings.HasPrefix(span, "--") {
		return nil
	}
	for word := range strings.FieldsSeq(span) {
		name, isFlag := strings.CutPrefix(word, "--")
		name, _, _ = strings.Cut(strings.TrimRight(name, ",.;:…"), "=")
		if !isFlag || name == "help" || strings.HasSuffix(name, "-") || slices.Contains(othersFlags, name) {
			continue
		}
		found := false
		for _, flags := range known {
			found = found || slices.Contains(flags, name)
		}
		if !found {
			return fmt.Errorf("no command has the flag --%s", name)
		}
	}
	return nil
}

// checkCommand checks that a command exists and has the flags of the arguments.
func checkCommand(args []string, known map[string][]string) error {
	if !slices.Contains(commandNames(), args[0]) {
		return unknownCommand(args[0])
	}
	if verbs := pageOf(args[0]).words; args[0] == "data" && (len(args) < 2 || !slices.Contains(verbs, args[1])) {
		return fmt.Errorf("data needs one of %s", strings.Join(verbs, ", "))
	}
	for _, arg := range args {
		name, isFlag := strings.CutPrefix(arg, "--")
		name, _, _ = strings.Cut(name, "=")
		if isFlag && name != "" && name != "help" && !slices.Contains(known[args[0]], flagName(name)) {
			return fmt.Errorf("%s has no flag --%s", args[0], name)
		}
	}
	return nil
}

// parsesCommand parses the arguments of train, cluster and compare as these commands do, up to where they would read a file.
// Arguments with variables of the shell are not parsed.
func parsesCommand(args []string) error {
	has := func(names ...string) bool {
		return slices.ContainsFunc(args, func(arg string) bool {
			name, _, _ := strings.Cut(arg, "=")
			return slices.Contains(names, name)
		})
	}
	if has("--resume", "--config", "--read", "--help") || slices.ContainsFunc(args, func(a string) bool { return strings.ContainsAny(a, "${") }) {
		return nil
	}
	switch args[0] {
	case "train":
		_, err := parse(args[1:], func(o *options) { o.flags.BoolVar(&o.dryRun, dryRunFlag, false, dryRunUsage) })
		return err
	case "cluster":
		_, err := parse(args[1:], new(clusterOptions).flags)
		return err
	case "compare":
		o := newCompareOptions()
		shared, err := o.parse(args[1:])
		if err != nil {
			return err
		}
		p := &plan{o: o}
		if err := o.variants(p, shared); err != nil {
			return err
		}
		for _, v := range p.variants {
			if _, err := parse(v.args); err != nil {
				return inVariant(v, err)
			}
		}
	}
	return nil
}

// feddagCommands returns the arguments of each command of feddag in lines of a shell, including commands that another program
// starts.
func feddagCommands(script string) (all [][]string) {
	for _, words := range shellCommands(script) {
		for i, word := range words {
			program := word == "feddag" || word == "./feddag" || strings.HasPrefix(word, "feddag:")
			if program && i+1 < len(words) && (i == 0 || !slices.Contains([]string{"-t", "in"}, words[i-1])) { // docker -t NAME, for x in LIST
				all = append(all, words[i+1:])
				break
			}
		}
	}
	return all
}

// shellCommands splits lines of a shell into commands and their words. It supports quotation marks, backslashes, comments and
// the characters that end a command, but no substitutions.
func shellCommands(script string) (all [][]string) {
	var words []string
	var word strings.Builder
	inWord, quote := false, rune(0)
	endWord := func() {
		if inWord {
			words = append(words, word.String())
		}
		word.Reset()
		inWord = false
	}
	end := func() {
		endWord()
		if len(words) > 0 {
			all = append(all, words)
		}
		words = nil
	}
	runes := []rune(strings.ReplaceAll(script, "\\\n", " "))
	for i := 0; i < len(runes); i++ {
		r := runes[i]
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\t':
			endWord()
		case r == '#' && !inWord:
			for i+1 < len(runes) && runes[i+1] != '\n' {
				i++
			}
		case strings.ContainsRune("\n;|&<>()", r):
			end()
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	end()
	return all
}
