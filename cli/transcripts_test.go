package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"feddag/report"
)

// TestTranscripts runs the commands of the transcripts in testdata/transcripts and compares their output character by
// character. With FEDDAG_TRANSCRIPTS=write, it writes the transcripts. A line that begins with "$ feddag" is a command.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d transcripts, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { transcribe(t, file, maskMachine) })
	}
}

// TestRunTranscripts does the same for commands that read data and train, in a folder with the small MNIST of mnist and its
// test images as files. Text that varies between machines is masked.
func TestRunTranscripts(t *testing.T) {
	file, err := filepath.Abs("testdata/transcripts/runs/session.txt")
	if err != nil {
		t.Fatal(err)
	}
	work, data := t.TempDir(), mnist(t)
	rename(t, filepath.Dir(testPictures(t, data)[0]), filepath.Join(work, "pictures"))
	rename(t, filepath.Dir(data), filepath.Join(work, "sets"))
	t.Chdir(work)
	t.Setenv("HOME", work)
	t.Setenv("FEDDAG_DATA_DIR", "")
	t.Setenv("FEDDAG_TEST_PROGRAM", "1") // for the runs of compare
	processor := report.NewEnv().CPU
	transcribe(t, file, func(text string) string {
		return maskResults(strings.NewReplacer(work, "WORK", processor, "PROCESSOR").Replace(text))
	})
}

// transcribe runs the commands of a transcript and compares their output, after mask has replaced text that may vary.
func transcribe(t *testing.T, file string, mask func(string) string) {
	t.Helper()
	const prompt = "$ feddag"
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, block := range strings.Split("\n"+string(was), "\n"+prompt)[1:] {
		command, printed, _ := strings.Cut(strings.TrimSuffix(block, "\n"), "\n")
		args, err := splitList(command)
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		code, out, log := feddag(args...)
		is := mask(out + log)
		if code != exitDone {
			is += fmt.Sprintf("[exit code %d]\n", code)
		}
		is = strings.TrimSuffix(is, "\n")
		if is != printed && os.Getenv("FEDDAG_TRANSCRIPTS") != "write" {
			t.Errorf("feddag%s printed\n%s\nand prints\n%s\nif that is right: FEDDAG_TRANSCRIPTS=write go test ./cli -run Transcripts", command, printed, is)
		}
		fmt.Fprintf(&all, "%s%s\n", prompt, command)
		if is != "" {
			fmt.Fprintln(&all, is)
		}
	}
	if os.Getenv("FEDDAG_TRANSCRIPTS") == "write" {
		write(t, file, []byte(all.String()))
	}
}

// machineMasks replace what commands print about the machine and the program's build.
var machineMasks = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`(--workers int [^-]*\(default )[1-9]\d*\)`), "${1}CORES)"},
	{regexp.MustCompile(`(?m)^feddag \S+ \(go\S+, libtorch \S+, \w+/\w+\)$`), "feddag COMMIT (goVERSION, libtorch VERSION, OS/PROCESSOR)"},
	{regexp.MustCompile(`(?m)^CUDA \S.*$`), "CUDA VERSION"},
}

// maskMachine applies machineMasks.
func maskMachine(text string) string {
	for _, m := range machineMasks {
		text = m.pattern.ReplaceAllString(text, m.by)
	}
	return text
}

// masks replace text that varies between machines and from run to run, in this order.
var masks = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`(?m)^.*( so far|: done in |: \d+%).*\n`), ""},                // lines of slow work
	{regexp.MustCompile(`(?m)^(feddag|libtorch|BLAS|SIMD|CUDA|device)  .*$`), "$1 #"}, // lines of doctor
	{regexp.MustCompile(`(?m)^time .*$`), "time #"},
	{regexp.MustCompile(`(?m)^data +\S+: /usr/.*\n`), ""}, // data sets of the machine
	{regexp.MustCompile(`(?m)^data +not found: .*$`), "data not found: #"},
	{regexp.MustCompile(`[0-9a-f]{64}`), "HASH"},
	{regexp.MustCompile(`"seconds":\{[^}]*\}`), `"seconds":#`},
	{regexp.MustCompile(`("(?:mean|std|low|high|swing|(?:balanced_)?accuracy|\w*bytes\w*|\w+_per_second|seconds\w+|libtorch)":)("[^"]*"|-?[\d.e+-]+)`), "$1#"},
	{regexp.MustCompile(`\b(\d+h)?(\d+m)?\d+(\.\d+)? ?(h|min|s|ms|µs|B|kB|MB|GB)\b`), "#"},
	{regexp.MustCompile(`[\d,]+ ((training )?samples per second|samples/s)`), "# $1"},
	{regexp.MustCompile(`[+−-]?\b\d+(\.\d+(e[-+]?\d+)?|e[-+]?\d+)\b\*?`), "#"},
	{regexp.MustCompile(`[ \t]+`), " "},
	{regexp.MustCompile(`(?m)# [\d,]+$`), "# #"}, // samples/s, the last column of a table
}

// maskResults applies masks.
func maskResults(text string) string {
	for _, m := range masks {
		text = m.pattern.ReplaceAllString(text, m.by)
	}
	return text
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
