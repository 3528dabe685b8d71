// Package scripts tests Dockerfile.cuda without building an image, which scripts/check_image.sh does, and the scripts that
// the Dockerfile calls.
package scripts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// image is the folder of a build stage whose content becomes the image.
const image = "/image"

// instruction is a line of the Dockerfile, joined with its continuation lines.
type instruction struct {
	stage, word, rest string
}

func dockerfile(t *testing.T) []instruction {
	t.Helper()
	raw, err := os.ReadFile("../Dockerfile.cuda")
	if err != nil {
		t.Fatal(err)
	}
	var all []instruction
	stage := ""
	for line := range strings.SplitSeq(strings.ReplaceAll(string(raw), "\\\n", " "), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if word == "FROM" {
			_, stage, _ = strings.Cut(rest, " AS ")
		}
		all = append(all, instruction{stage, word, strings.TrimSpace(rest)})
	}
	return all
}

// variables returns the defaults of the ARGs in the whole file.
func variables(all []instruction) func(string) string {
	values := map[string]string{}
	for _, i := range all {
		if name, value, ok := strings.Cut(i.rest, "="); ok && i.word == "ARG" {
			values[name] = value
		}
	}
	return func(text string) string { return os.Expand(text, func(name string) string { return values[name] }) }
}

func run(dir string, env []string, command string) (string, error) {
	cmd := exec.Command("bash", "-euc", command)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestDockerfileHoldsTogether checks that stages are built before they are used, and that every RUN is valid shell.
func TestDockerfileHoldsTogether(t *testing.T) {
	all := dockerfile(t)
	expand := variables(all)
	var stages []string
	collects := map[string]bool{} // the stages that call image_files.sh
	for _, i := range all {
		switch i.word {
		case "FROM":
			base, _, _ := strings.Cut(expand(i.rest), " ")
			if !strings.Contains(base, ":") && !slices.Contains(stages, base) {
				t.Errorf("FROM %s: no such stage before it", base)
			}
			if strings.HasSuffix(base, ":") || strings.Contains(base, ":-") {
				t.Errorf("FROM %s: a version has no default", base)
			}
			stages = append(stages, i.stage)
		case "COPY":
			if from, ok := strings.CutPrefix(i.rest, "--from="); ok {
				from, paths, _ := strings.Cut(from, " ")
				if !slices.Contains(stages, from) {
					t.Errorf("COPY %s: no stage %s before it", paths, from)
				}
				// The rpaths contain the paths of the build, which image_files.sh keeps below its folder.
				if paths != image+" /" || !collects[from] {
					t.Errorf("COPY --from=%s %s: want the folder %s of scripts/image_files.sh, over the root", from, paths, image)
				}
			}
		case "RUN":
			collects[i.stage] = collects[i.stage] || strings.HasSuffix(i.rest, "scripts/image_files.sh "+image)
			if out, err := run(".", nil, "bash -n -c "+quote(expand(i.rest))); err != nil {
				t.Errorf("RUN %s: %v\n%s", i.rest, err, out)
			}
		}
	}
	for _, want := range []string{"base", "build-cpu", "cpu", "build-cuda", "cuda"} {
		if !slices.Contains(stages, want) {
			t.Errorf("no stage %s", want)
		}
	}
	if stages[len(stages)-1] != "cuda" {
		t.Errorf("without --target the image is %s, not cuda", stages[len(stages)-1])
	}
	users := map[string]string{}
	for _, i := range all {
		if i.word == "USER" {
			users[i.stage] = i.rest
		}
	}
	if users["cpu"] != "feddag" || users["cuda"] != "feddag" {
		t.Errorf("the images run as %v, not as feddag", users)
	}
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// TestDockerfilePackagesExist checks that every Debian package that a RUN installs is in this machine's package lists.
func TestDockerfilePackagesExist(t *testing.T) {
	if os.Getenv("FEDDAG_LONG") == "" {
		t.Skip("apt-cache may take minutes to read its lists: set FEDDAG_LONG=1")
	}
	if _, err := exec.LookPath("apt-cache"); err != nil {
		t.Skip("no apt-cache on this machine")
	}
	release, _ := os.ReadFile("/etc/os-release")
	all := dockerfile(t)
	expand := variables(all)
	if !strings.Contains(string(release), expand("${DEBIAN}")) {
		t.Skipf("this machine is not Debian %s", expand("${DEBIAN}"))
	}
	if out, err := run(".", nil, "apt-cache policy libgomp1"); err != nil || !strings.Contains(out, "http") {
		t.Skip("no lists of packages on this machine: apt-get update")
	}
	install := regexp.MustCompile(`apt-get install -y --no-install-recommends ([^&]+)`)
	var names []string
	for _, i := range all {
		if m := install.FindStringSubmatch(i.rest); i.word == "RUN" && m != nil {
			names = append(names, strings.Fields(expand(m[1]))...)
		}
	}
	if len(names) == 0 {
		t.Fatal("no RUN installs anything")
	}
	out, err := run(".", nil, "apt-cache policy "+strings.Join(names, " "))
	for _, name := range names {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `:\n.*\n *Candidate: [^(\s]`).MatchString(out) {
			t.Errorf("Debian %s does not have %s (%v)", expand("${DEBIAN}"), name, err)
		}
	}
}

// TestDockerfileBuilds checks that the files that COPY . . copies according to .dockerignore include the scripts of the build
// step. With FEDDAG_LONG=1, it runs this step in a copy of the tree, and then the resulting program. This takes minutes, and
// needs Go modules.
func TestDockerfileBuilds(t *testing.T) {
	src := filepath.Join(t.TempDir(), "src")
	out, err := run("..", nil, fmt.Sprintf("mkdir -p %[1]s && git ls-files -z | tar -c --null -T - | tar -x -C %[1]s", quote(src)))
	if err != nil {
		t.Skipf("no git checkout to copy: %v\n%s", err, out)
	}
	raw, err := os.ReadFile("../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(string(raw)) {
		if err := os.RemoveAll(filepath.Join(src, name)); err != nil {
			t.Fatal(err)
		}
	}
	var step string
	for _, i := range dockerfile(t) {
		if i.stage == "build-cpu" && i.word == "RUN" {
			step = i.rest
		}
	}
	step, ok := strings.CutSuffix(step, image)
	if !ok || !strings.HasPrefix(step, "make clean build") {
		t.Fatalf("the build step is %q", step)
	}
	collected := filepath.Join(t.TempDir(), "image")
	step += quote(collected)
	if out, err := run(src, nil, "make -n clean build && bash -n scripts/*.sh && scripts/find_libtorch.sh"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if os.Getenv("FEDDAG_LONG") == "" {
		t.Skip("compiles everything: set FEDDAG_LONG=1")
	}
	// The build of the image does not have the libraries of this checkout.
	env := []string{"CGO_LDFLAGS=", "CGO_CFLAGS=", "CGO_CXXFLAGS=", "GOFLAGS=", "LIBTORCH=", "LIBTORCH_USE_PYTORCH="}
	if out, err := run(src, env, step); err != nil {
		t.Fatalf("RUN %s: %v\n%s", step, err, out)
	}
	// The environment of the run stage: ENV PATH, WORKDIR / and CMD.
	src = filepath.Join(collected, src)
	if out, err := run("/", []string{"PATH=" + src + ":" + os.Getenv("PATH")}, "feddag --help"); err != nil || !strings.Contains(out, "Usage: feddag COMMAND") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := run("/", []string{"PATH=" + src + ":" + os.Getenv("PATH")}, "feddag doctor || true"); !strings.Contains(out, "libtorch ") || strings.Contains(out, "! libtorch") {
		t.Errorf("%v\n%s", err, out)
	}
}
