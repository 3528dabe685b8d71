package scripts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestImageFiles checks that image_files.sh collects a program, its own libraries and the libraries that these load, without
// the C library, each with the links that lead to it and with its license.
func TestImageFiles(t *testing.T) {
	if out, err := run("..", nil, "scripts/find_libtorch.sh && command -v ldd"); err != nil {
		t.Skipf("no libtorch or no ldd: %s", out)
	}
	listed, err := run("/", nil, `ldd "$(command -v ls)" | awk '/libselinux/ {print $3}'`)
	library := strings.TrimSpace(listed)
	if err != nil || library == "" {
		t.Skip("ls does not load libselinux here")
	}
	root := filepath.Join(t.TempDir(), "a checkout")
	prepare := `mkdir -p %/scripts %/build/of/lib && cp LICENSE % && cp "$(command -v ls)" %/feddag && cp -L ` + library + ` %/build/of/lib/libown.so && ln -s of/lib %/build/lib`
	if out, err := run("..", nil, strings.ReplaceAll(prepare, "%", quote(root))); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"find_libtorch.sh", "image_files.sh"} { // read here so that go test notices changes of these files
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "scripts", name), raw, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	image := filepath.Join(t.TempDir(), "image")
	// The libtorch of the system has no CUDA, whose libraries the test does not want to copy.
	env := []string{"LIBTORCH=", "LIBTORCH_USE_PYTORCH="}
	if out, err := run(root, env, "scripts/image_files.sh "+quote(image)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, file := range []string{"feddag", "LICENSE", "build/of/lib/libown.so"} {
		if info, err := os.Stat(filepath.Join(image, root, file)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
	var names, libraries []string
	if err := filepath.WalkDir(image, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, strings.TrimPrefix(path, image))
			if strings.Contains(entry.Name(), ".so") {
				libraries = append(libraries, entry.Name())
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(libraries, " ")
	if !strings.Contains(all, "libselinux.so") || !strings.Contains(all, "libpcre2-8.so") {
		t.Errorf("the libraries of ls are not there: %s", all)
	}
	if strings.Contains(all, "libc.so") || strings.Contains(all, "ld-linux") {
		t.Errorf("the C library is there: %s", all)
	}
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(image, name)); err != nil { // through links, all of which are relative here
			t.Error(err)
		}
		if strings.HasPrefix(name, "/lib/") {
			t.Errorf("%s would replace the link /lib", name)
		}
	}
	if _, err := os.Stat("/var/lib/dpkg"); err == nil && !strings.Contains(strings.Join(names, " "), "/usr/share/doc/libselinux1/copyright") {
		t.Errorf("no license of libselinux: %q", names)
	}

	for _, c := range []struct{ command, want string }{
		{"scripts/image_files.sh " + quote(image), "is not empty"},
		{"scripts/image_files.sh", "usage: "},
		{"rm feddag; scripts/image_files.sh " + quote(t.TempDir()), "make build"},
	} {
		if out, err := run(root, env, c.command); err == nil || !strings.Contains(out, c.want) || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: %v, %s", c.command, err, out)
		}
	}
}
