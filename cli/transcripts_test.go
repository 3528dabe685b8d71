package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTranscripts runs the commands of the transcripts in testdata/transcripts and expects what they printed, to the letter. With
// FEDDAG_TRANSCRIPTS=write it writes the transcripts anew. A line that begins with "$ feddag" is a command.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d transcripts, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			was, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var is strings.Builder
			for line := range strings.Lines(string(was)) {
				command, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "$ feddag")
				if !ok {
					continue
				}
				code, out, log := feddag(strings.Fields(command)...)
				fmt.Fprintf(&is, "$ feddag%s\n%s%s", command, out, log)
				if code != exitDone {
					fmt.Fprintf(&is, "[exit code %d]\n", code)
				}
			}
			if os.Getenv("FEDDAG_TRANSCRIPTS") == "write" {
				write(t, file, []byte(is.String()))
			} else if is.String() != string(was) {
				t.Errorf("the transcript was\n%s\nand is\n%s\nif that is right: FEDDAG_TRANSCRIPTS=write go test ./cli -run Transcripts", was, is.String())
			}
		})
	}
}

// TestPages checks that each command that lists flags in its help has them in its page, for the completions and the manual page.
func TestPages(t *testing.T) {
	for _, name := range commandNames() {
		_, out, _ := feddag(name, "--help")
		p := pageOf(name)
		if strings.Contains(out, "\n      --") && len(p.groups) == 0 {
			t.Errorf("%s: its help lists flags, and pages has none", name)
		}
	}
}
