package indexmap

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"feddag/internal/errtest"
)

func read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// listsOf returns the lists of client c as in make_maps.py.
func listsOf(c int, val bool) (train, vals, test []int32) {
	for k, i := 0, c; i < 50; k, i = k+1, i+4 {
		switch {
		case k%5 == 0:
			test = append(test, int32(i))
		case k%5 == 1 && val:
			vals = append(vals, int32(i))
		default:
			train = append(train, int32(i))
		}
	}
	return train, vals, test
}

func TestRead(t *testing.T) {
	for file, val := range map[string]bool{"partition.pkl": false, "iid.pkl": false, "partition.json": false, "older.pkl": true, "val.pkl": true} {
		b := read(t, file)
		m, err := Read(b)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if len(m.Clients) != 4 || !m.Pooled || !Is(b[:20]) {
			t.Errorf("%s: %+v, an index map: %v", file, m, Is(b[:20]))
		}
		for c, got := range m.Clients {
			train, vals, test := listsOf(c, val)
			if got.Name != strconv.Itoa(c) || !slices.Equal(got.Train, train) || !slices.Equal(got.Val, vals) || !slices.Equal(got.Test, test) {
				t.Errorf("%s: client %d is %+v", file, c, got)
			}
		}
	}
	for _, file := range []string{"map.json", "map.pkl"} {
		m, err := Read(read(t, file))
		if err != nil || len(m.Clients) != 12 || m.Pooled {
			t.Fatalf("%s: %+v, %v", file, m, err)
		}
		for c, got := range m.Clients { // 2 before 10
			if got.Name != strconv.Itoa(c) || got.Train[0] != int32(c) || got.Train[1] != int32(c+12) || got.Test != nil {
				t.Errorf("%s: client %d is %+v", file, c, got)
			}
		}
	}
	m, err := Read([]byte(`{"b": {"train": [1], "test": []}, "a": [0]}`))
	if err != nil || m.Clients[0].Name != "a" || m.Clients[1].Train[0] != 1 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestIs(t *testing.T) {
	for text, want := range map[string]bool{
		"{\"0\": [1]}": true, " {\n \"17\" : ": true, `{"data_indices": `: true, "\x80\x04\x95": true, "\x80\x63": false, "\x80": false,
		`{"version": 1`: false, "[[0], [1]]": false, `{"0`: false, "{0: ": false, "": false, "PK": false,
	} {
		if Is([]byte(text)) != want {
			t.Errorf("Is(%q) = %v", text, !want)
		}
	}
}

func TestBadMaps(t *testing.T) {
	for text, words := range map[string]string{
		`{`: "truncated", `{"0": [1`: "truncated", `{"0": [1,]}`: "byte", "{\"0\": [1]}\n{}": "more follows", `{}`: "no clients", "": "truncated",
		`{"0": [1], "0": [2]}`: `"0" occurs twice`, `{"0": {"train": [1], "train": [2]}}`: `"train" occurs twice`,
		`{"0": [1, null]}`: "client 0: entry 1 is not an index", `{"0": [-1]}`: "client 0: entry 0", `{"0": [1.5]}`: "client 0: entry 0",
		`{"0": [4294967296]}`: "client 0: entry 0", `{"0": [[1]]}`: "client 0: entry 0", `{"0": ["1"]}`: "client 0: entry 0",
		`{"0": 1}`: "client 0: neither", `{"a\nb": 1}`: `client "a\nb"`, `{"0": {"traín": [1]}}`: `client 0: "traín": the key is unknown`,
		`{"0": {"test": 3}}`: `client 0: "test": no list`, `{"val": [1], "0": [1]}`: `"val" is not a client`,
		`{"data_indices": 3}`: "data_indices is not a list", `{"data_indices": [[1]], "0": [2]}`: `"0" is unknown beside data_indices`,
		`{"data_indices": []}`: "no clients", `[1]`: "no object",
		"\x80\x02N.": "no dictionary", "\x80\x02}.": "no clients", "\x80\x02}K\x00Ns.": "client 0: \"train\": no list", "\x80\x02}K\x00]Nas.": "entry 0 is not an index",
		"\x80\x02}U\x0cdata_indicesNs.": "not a list of clients", "\x80\x02}(U\x0cdata_indices]U\x01xNu.": `"x" is unknown`,
		"\x80\x02}U\x01a}U\x01bNss.": `client "a": "b": the key is unknown`, "\x80\x02cos\nsystem\n.": `"system" of module "os"`, "\x80\x02": "truncated",
	} {
		_, err := Read([]byte(text))
		errtest.Want(t, err, words)
	}
}

func FuzzRead(f *testing.F) {
	for _, pattern := range []string{"testdata/*.pkl", "testdata/*.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			f.Add(read(f, filepath.Base(file)))
		}
	}
	f.Add([]byte(`{"0": {"train": [1], "val": [], "test": [2]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := Read(b)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(1<<20+1000*len(b)) {
			t.Errorf("%d bytes made it allocate %d", len(b), n)
		}
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("error of several lines: %v", err)
			}
			return
		}
		for _, c := range m.Clients {
			for _, i := range slices.Concat(c.Train, c.Val, c.Test) {
				if i < 0 {
					t.Errorf("client %s has index %d", c.Name, i)
				}
			}
		}
	})
}
