package internal

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// module is the path of the module, which precedes the path of each of its packages.
const module = "feddag"

// gotorch is the module of libtorch's bindings that torch builds on.
const gotorch = "github.com/wangkuiyi/gotorch"

// room is a part of the program: a package, with the packages below it that are not themselves rooms.
type room struct {
	imports []string // rooms that its packages may import; internal is open to all
	tests   []string // rooms that its tests may import beside those
	cgo     bool     // whether it may import "C"
	gotorch bool     // whether it may import gotorch
}

// rooms has every room by its path below the module. It may list rooms that do not exist. An import without an arrow in this
// table is an error; docs/architecture.md describes the purpose of each room.
var rooms = map[string]room{
	"": {imports: []string{"cli"}},
	"cli": {imports: []string{"benchmarks", "federation", "federation/algorithm", "federation/corruption", "federation/data",
		"federation/partition", "models", "report", "similarity", "torch"}},
	"federation/algorithm": {imports: []string{"federation", "federation/data", "federation/partition", "models", "similarity", "torch"},
		tests: []string{"federation/corruption"}},
	"federation": {imports: []string{"federation/corruption", "federation/data", "federation/partition", "models", "similarity", "torch"},
		tests: []string{"federation/algorithm"}},
	"federation/partition":  {imports: []string{"federation/corruption", "federation/data"}},
	"federation/data":       {},
	"federation/corruption": {},
	"report":                {imports: []string{"federation", "federation/data", "federation/partition", "similarity", "torch"}},
	"similarity":            {},
	"models":                {imports: []string{"torch"}, gotorch: true},
	"torch":                 {tests: []string{"models"}, cgo: true, gotorch: true},
	"internal":              {},
	"scripts":               {},
	"benchmarks":            {imports: []string{"federation/data", "federation/partition", "similarity"}},
}

// listed is a package as "go list -json" prints it.
type listed struct {
	ImportPath   string
	Standard     bool
	CgoFiles     []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// goList returns the packages of the module and all of their dependencies.
func goList(t *testing.T) []listed {
	t.Helper()
	program, err := exec.LookPath("go")
	if err != nil {
		t.Skip("the go command lists the imports, and it is not here: ", err)
	}
	command := exec.Command(program, "list", "-deps", "-json=ImportPath,Standard,CgoFiles,Imports,TestImports,XTestImports", module+"/...")
	command.Dir = ".."
	command.Env = append(command.Environ(), "CGO_ENABLED=1") // without it, files that import "C" are not listed
	var problems strings.Builder
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", command, err, &problems)
	}
	var packages []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("%v: %v", command, err)
		}
		packages = append(packages, p)
	}
}

// within reports whether a path is a package or is below it.
func within(path, of string) bool { return path == of || strings.HasPrefix(path, of+"/") }

// roomOf returns the room of a package of the module. ok is false for a package that is in no room.
func roomOf(path string) (name string, ok bool) {
	below := strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
	for name = below; ; {
		if _, ok := rooms[name]; ok {
			return name, name != "" || below == ""
		}
		name = name[:max(strings.LastIndexByte(name, '/'), 0)]
	}
}

// offences returns a sentence for each import of a package that its room does not allow.
func offences(p listed) (sentences []string) {
	name, ok := roomOf(p.ImportPath)
	if !ok {
		return []string{p.ImportPath + " is in no room: add it to the table of rooms, with what it may import"}
	}
	own := rooms[name]
	check := func(imports, allowed []string, who string) {
		for _, path := range imports {
			switch {
			case path == "C" && !own.cgo:
				sentences = append(sentences, who+" imports \"C\", which torch alone may do")
			case within(path, gotorch) && !own.gotorch:
				sentences = append(sentences, who+" imports "+path+", which torch and models alone may do")
			case within(path, module):
				to, known := roomOf(path)
				if known && to != name && to != "internal" && !slices.Contains(allowed, to) {
					sentences = append(sentences, who+" imports "+path+", but its room may import "+list(allowed))
				}
			}
		}
	}
	check(p.Imports, own.imports, p.ImportPath)
	check(slices.Concat(p.TestImports, p.XTestImports), slices.Concat(own.imports, own.tests), "a test of "+p.ImportPath)
	return sentences
}

func list(names []string) string {
	if len(names) == 0 {
		return "internal alone"
	}
	return "internal, " + strings.Join(names, ", ") + " alone"
}

// TestImportArrows checks that every import of the program follows an arrow in the table, and that the arrows have no cycle.
func TestImportArrows(t *testing.T) {
	for _, p := range goList(t) {
		if within(p.ImportPath, module) {
			for _, sentence := range offences(p) {
				t.Error(sentence)
			}
		} else if len(p.CgoFiles) > 0 && !p.Standard && !within(p.ImportPath, gotorch) {
			t.Errorf("the program depends on %s, which needs cgo: torch and gotorch alone may", p.ImportPath)
		}
	}
	var visit func(name string, path []string)
	visit = func(name string, path []string) {
		if slices.Contains(path, name) {
			t.Fatalf("the arrows of the table turn back: %s", strings.Join(append(path, name), " -> "))
		}
		for _, to := range rooms[name].imports {
			if _, ok := rooms[to]; !ok {
				t.Fatalf("%q may import %q, which is not a room", name, to)
			}
			visit(to, append(path, name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rooms)) {
		visit(name, nil)
	}
}

// TestOffences checks that the rules find violations.
func TestOffences(t *testing.T) {
	for _, c := range []struct {
		of   listed
		want string
	}{
		{listed{ImportPath: "feddag/federation/data", Imports: []string{"feddag/torch"}}, "feddag/federation/data imports feddag/torch, but its room may import internal alone"},
		{listed{ImportPath: "feddag/federation/corruption", Imports: []string{"feddag/federation/data"}}, "feddag/federation/corruption imports feddag/federation/data"},
		{listed{ImportPath: "feddag/similarity", Imports: []string{"feddag/federation"}}, "feddag/similarity imports feddag/federation"},
		{listed{ImportPath: "feddag/similarity", XTestImports: []string{"feddag/torch"}}, "a test of feddag/similarity imports feddag/torch"},
		{listed{ImportPath: "feddag/federation", Imports: []string{"feddag/federation/algorithm"}}, "feddag/federation imports feddag/federation/algorithm"},
		{listed{ImportPath: "feddag/federation", Imports: []string{"feddag/federation/algorithm/feddag"}}, "feddag/federation imports feddag/federation/algorithm/feddag"},
		{listed{ImportPath: "feddag/federation/algorithm/feddag", Imports: []string{"feddag/report"}}, "feddag/federation/algorithm/feddag imports feddag/report"},
		{listed{ImportPath: "feddag/report", Imports: []string{"feddag/cli"}}, "feddag/report imports feddag/cli"},
		{listed{ImportPath: "feddag/internal/npy", Imports: []string{"feddag/similarity"}}, "feddag/internal/npy imports feddag/similarity"},
		{listed{ImportPath: "feddag", Imports: []string{"feddag/torch"}}, "feddag imports feddag/torch"},
		{listed{ImportPath: "feddag/torch", Imports: []string{"feddag/models"}}, "feddag/torch imports feddag/models"},
		{listed{ImportPath: "feddag/models", Imports: []string{"C"}}, "feddag/models imports \"C\""},
		{listed{ImportPath: "feddag/federation", Imports: []string{gotorch + "/nn"}}, "feddag/federation imports " + gotorch + "/nn"},
		{listed{ImportPath: "feddag/attic"}, "feddag/attic is in no room"},
	} {
		if got := offences(c.of); len(got) != 1 || !strings.HasPrefix(got[0], c.want) {
			t.Errorf("%+v: %q, want %q", c.of, got, c.want)
		}
	}
	for _, good := range []listed{
		{ImportPath: "feddag", Imports: []string{"feddag/cli", "os"}},
		{ImportPath: "feddag/federation/algorithm/feddag", Imports: []string{"feddag/federation", "feddag/federation/algorithm", "feddag/internal/stream"}},
		{ImportPath: "feddag/federation/algorithm", Imports: []string{"feddag/federation/algorithm/feddag", "feddag/torch"}},
		{ImportPath: "feddag/report", Imports: []string{"feddag/federation"}},
		{ImportPath: "feddag/torch", Imports: []string{"C", gotorch, "feddag/torch/preload"}, XTestImports: []string{"feddag/models"}},
	} {
		if got := offences(good); len(got) > 0 {
			t.Errorf("%+v: %q", good, got)
		}
	}
}
