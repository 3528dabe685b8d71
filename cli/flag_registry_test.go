package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// flagTests has, for each command, the tests that fail if a flag has no effect, and the flags that each of them is for. A test is
// named by the folder of its package, unless that is cli, and its function.
var flagTests = map[string]map[string]string{
	"bench": {
		"TestBench":                  "write",
		"TestBenchFlagsHaveAnEffect": flagsOf(benchEffects),
		"TestBenchWorkersAreThreads": "workers",
		"TestDeterministic":          "deterministic",
		"TestBenchDevice":            "device",
		"TestWrongUsage":             "general-kernels fused-kernels", // the flags are refused without a GPU
	},
	"cluster": {
		"TestClusterFromSketches": "sketches save-sketches compare stability",
	},
	"compare": {
		"TestCompareDifferentRounds":       "different-rounds",
		"TestCompareReadFlagsHaveAnEffect": "algorithms seeds reference confidence uncorrected target beside out keep plots rounds",
		"TestCompare":                      "with read",
		"TestCompareBadInput":              "except",
		"TestSweep":                        "shard wait",
	},
	"data": {
		"TestDataCommand":           "data-dir sheet mirror quiet",
		"TestDataFlagsHaveAnEffect": "columns dataset-option",
	},
	"doctor": {
		"TestDoctorFlagsHaveAnEffect": "data-dir device",
	},
	"evaluate": {
		"TestEvaluateOfOtherRuns":       "run split client images",
		"TestEvaluateFlagsHaveAnEffect": "dataset data-dir dataset-option device workers quiet",
	},
	"partition": {
		"TestPartitionFlagsHaveAnEffect": "dataset data-dir dataset-option " + flagsOf(partitionEffects),
		"TestPartitionCommand":           "partition-file save out plots rows quiet",
	},
	"predict": {
		"TestPredictAgreesWithTheRun": "run client",
		"TestPredictErrors":           "resize",
	},
	"reproduce": {
		"TestReproduceFlagsHaveAnEffect": "out data-dir workers quiet preset",
		"TestReproduceRefuses":           "table dataset",
	},
	"serve": {
		"TestServeCommand": "listen",
	},
	"train": {
		"TestTrainFlagsHaveAnEffect":   flagsOf(trainEffects, partitionEffects),
		"TestConfigOfARun":             "config",
		"TestPaperAndPrototype":        "preset",
		"TestInitialWeights":           "initial-weights",
		"TestTrainOnAFolder":           "dataset dataset-option",
		"TestDataDirOfTraining":        "data-dir",
		"TestTrainLeavesARunDirectory": "partition-file out plots",
		"TestScenarioRun":              "scenario",
		"TestNoCUDA":                   "device",
		"TestWorkersAreThreads":        "workers",
		"TestDryRunAndMemory":          "engine memory dry-run",
		"TestDeterministic":            "deterministic",
		"TestMLflow":                   "label",
		"TestSignalsAndResume":         "resume",
		"TestDivergence":               "on-divergence",
		"TestCheckpointEvery":          "checkpoint-every",
		"TestDistributedOff":           "distributed",
		"TestQuietTraining":            "quiet",
	},
}

// flagsOf returns the flags of tables of effects, separated by blanks.
func flagsOf(tables ...map[string]flagEffect) string {
	var flags []string
	for _, effects := range tables {
		flags = slices.AppendSeq(flags, maps.Keys(effects))
	}
	return strings.Join(flags, " ")
}

// methodFlags is the test of the flags of all methods. It fails if a flag is not in its table.
const methodFlags = "federation/algorithm.TestFlagsHaveAnEffect"

// TestEveryFlagHasATest checks that each flag of each command has a test of its effect, that the test exists, and that its file names
// the flag.
func TestEveryFlagHasATest(t *testing.T) {
	sources := map[string]map[string]string{} // sources of test functions, by folder and name
	for _, command := range commandNames() {
		tests := map[string]string{} // tests by flag
		for test, flags := range flagTests[command] {
			for _, flag := range strings.Fields(flags) {
				tests[flag] = test
			}
		}
		unknown := maps.Clone(tests)
		for _, g := range pageOf(command).groups {
			if command == "cluster" && !g.own {
				continue // the flags of train
			}
			g.flags.VisitAll(func(f *pflag.Flag) {
				delete(unknown, f.Name)
				test := tests[f.Name]
				if command == "train" && strings.HasPrefix(g.title, "Of ") {
					test = methodFlags
				}
				if test == "" {
					t.Errorf("%s --%s: no test of its effect; write one, and add it to flagTests", command, f.Name)
					return
				}
				folder, name := ".", test
				if dir, function, ok := strings.Cut(test, "."); ok {
					folder, name = filepath.Join("..", dir), function
				}
				if sources[folder] == nil {
					sources[folder] = testSources(t, folder)
				}
				source, ok := sources[folder][name]
				if !ok {
					t.Errorf("%s --%s: there is no test %s", command, f.Name, test)
				} else if !regexp.MustCompile(`\b` + f.Name + `\b`).MatchString(source) {
					t.Errorf("%s --%s: the file of %s does not name the flag", command, f.Name, test)
				}
			})
		}
		for _, flag := range slices.Sorted(maps.Keys(unknown)) {
			t.Errorf("flagTests has --%s of %s, which has no such flag", flag, command)
		}
	}
}

// testSources returns the text of the files of a folder's test functions, by function.
func testSources(t *testing.T, folder string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d test files, %v", folder, len(files), err)
	}
	sources := map[string]string{}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				sources[f.Name.Name] = string(text)
			}
		}
	}
	return sources
}
