package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"feddag/internal/spelling"

	"github.com/spf13/pflag"
)

func init() {
	register("completion", "print a script that completes commands and flags in bash, zsh or fish", completion)
	pages["completion"] = func() page { return page{intro: completionIntro, words: shellNames()} }
}

const completionIntro = `Prints a script that completes commands, flags and their values in a shell.

Usage: feddag completion bash|zsh|fish

    bash   source <(feddag completion bash)                                        # in ~/.bashrc
    zsh    feddag completion zsh >~/.zfunc/_feddag                                 # a folder of $fpath
    fish   feddag completion fish >~/.config/fish/completions/feddag.fish
`

// shells are the functions that write the scripts, by shell.
var shells = map[string]func(w io.Writer){"bash": completeBash, "zsh": completeZsh, "fish": completeFish}

func shellNames() []string { return slices.Sorted(maps.Keys(shells)) }

func completion(_ context.Context, args []string, out, _ io.Writer) error {
	fs := newFlagSet()
	if helped, err := parseCommand("completion", completionIntro, fs, args, out); helped || err != nil {
		return err
	}
	if fs.NArg() != 1 {
		return usagef("completion: name one shell: %s", strings.Join(shellNames(), ", "))
	}
	if err := spelling.OneOf("shell", fs.Arg(0), shellNames()); err != nil {
		return usageError{err}
	}
	shells[fs.Arg(0)](out)
	return nil
}

// completeBash writes the script for bash. The script contains the words, so that a completion does not start the program.
func completeBash(w io.Writer) {
	fmt.Fprintf(w, "# bash completion for feddag\n_feddag() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} flags words\n")
	fmt.Fprintf(w, "\tif [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi # bash splits at =\n")
	fmt.Fprintf(w, "\tif ((COMP_CWORD == 1)); then\n\t\tCOMPREPLY=($(compgen -W %s -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase $prev in\n", quote(commandNames()))
	values := map[string][]string{}
	for _, name := range commandNames() {
		pageOf(name).eachFlag(func(f *pflag.Flag) {
			if list := flagValues(f.Name); list != nil {
				values[f.Name] = list
			}
		})
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(w, "\t--%s)\n\t\tCOMPREPLY=($(compgen -W %s -- \"$cur\"))\n\t\treturn\n\t\t;;\n", name, quote(values[name]))
	}
	fmt.Fprintf(w, "\tesac\n\tcase ${COMP_WORDS[1]} in\n")
	for _, name := range commandNames() {
		p, flags := pageOf(name), []string{"--help"}
		p.eachFlag(func(f *pflag.Flag) { flags = append(flags, "--"+f.Name) })
		fmt.Fprintf(w, "\t%s) flags=%s words=%s ;;\n", name, quote(flags), quote(p.words))
	}
	fmt.Fprintf(w, "\tesac\n\tif [[ $cur == -* ]]; then\n\t\tCOMPREPLY=($(compgen -W \"$flags\" -- \"$cur\"))\n\telif ((COMP_CWORD == 2)) && [[ $words ]]; then\n"+
		"\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n\tfi\n}\ncomplete -o default -F _feddag feddag\n")
}

// quote joins words with blanks and quotes the result as one word of a shell.
func quote(words []string) string {
	return "'" + strings.ReplaceAll(strings.Join(words, " "), "'", `'\''`) + "'"
}

// completeZsh writes the script for zsh.
func completeZsh(w io.Writer) {
	plain := strings.NewReplacer("'", `'\''`, "[", `\[`, "]", `\]`, ":", `\:`, "\\", `\\`, "`", "")
	fmt.Fprintf(w, "#compdef feddag\n# zsh completion for feddag\n_feddag() {\n\tlocal -a commands\n\tcommands=(\n")
	for _, name := range commandNames() {
		fmt.Fprintf(w, "\t\t'%s:%s'\n", name, plain.Replace(commands[name].summary))
	}
	fmt.Fprintf(w, "\t)\n\tif ((CURRENT == 2)); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n\tlocal command=$words[2]\n\tshift words\n\t((CURRENT--))\n\tcase $command in\n")
	for _, name := range commandNames() {
		p := pageOf(name)
		fmt.Fprintf(w, "\t%s)\n\t\t_arguments '--help[explain the flags]'", name)
		p.eachFlag(func(f *pflag.Flag) {
			fmt.Fprintf(w, " \\\n\t\t\t'--%s", f.Name)
			if takesValue(f) {
				fmt.Fprint(w, "=")
			}
			fmt.Fprintf(w, "[%s]", plain.Replace(brief(f.Usage)))
			if takesValue(f) {
				action := "_files"
				if list := flagValues(f.Name); list != nil {
					action = "(" + strings.Join(list, " ") + ")"
				}
				fmt.Fprintf(w, ":%s:%s", f.Name, action)
			}
			fmt.Fprint(w, "'")
		})
		if p.words != nil {
			fmt.Fprintf(w, " \\\n\t\t\t'1:what:(%s)'", strings.Join(p.words, " "))
		}
		fmt.Fprintf(w, " \\\n\t\t\t'*:file:_files'\n\t\t;;\n")
	}
	fmt.Fprintf(w, "\tesac\n}\nif [[ $funcstack[1] == _feddag ]]; then _feddag \"$@\"; else compdef _feddag feddag; fi\n")
}

// completeFish writes the script for fish.
func completeFish(w io.Writer) {
	plain := strings.NewReplacer(`\`, `\\`, "'", `\'`)
	fmt.Fprintf(w, "# fish completion for feddag\n")
	for _, name := range commandNames() {
		fmt.Fprintf(w, "complete -c feddag -n __fish_use_subcommand -f -a %s -d '%s'\n", name, plain.Replace(commands[name].summary))
	}
	for _, name := range commandNames() {
		p := pageOf(name)
		here := "'__fish_seen_subcommand_from " + name + "'"
		p.eachFlag(func(f *pflag.Flag) {
			fmt.Fprintf(w, "complete -c feddag -n %s -l %s", here, f.Name)
			if list := flagValues(f.Name); list != nil {
				fmt.Fprintf(w, " -x -a '%s'", strings.Join(list, " "))
			} else if takesValue(f) {
				fmt.Fprint(w, " -r")
			}
			fmt.Fprintf(w, " -d '%s'\n", plain.Replace(brief(f.Usage)))
		})
		if p.words != nil {
			fmt.Fprintf(w, "complete -c feddag -n %s -f -a '%s'\n", here, strings.Join(p.words, " "))
		}
	}
}
