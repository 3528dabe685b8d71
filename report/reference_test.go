package report

import (
	"bytes"
	"encoding/csv"
	"os"
	"reflect"
	"strings"
	"testing"
)

// jsonKeys returns the keys of a type's fields in JSON, nested ones too.
func jsonKeys(typ reflect.Type) (keys []string) {
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice:
		return jsonKeys(typ.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	for i := range typ.NumField() {
		field := typ.Field(i)
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			keys = append(keys, name)
			if field.Type != reflect.SliceOf(typ) { // a list of the same type, such as the body of a torch.Call
				keys = append(keys, jsonKeys(field.Type)...)
			}
		}
	}
	return keys
}

// TestReference checks that docs/metrics.md describes every key of the files for which it is the reference.
func TestReference(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{"mean", "std"} // keys of Stat, which has its own MarshalJSON
	for _, x := range []any{Round{}, Summary{}, Assignment{}, Models{}} {
		keys = append(keys, jsonKeys(reflect.TypeOf(x))...)
	}
	dir, err := Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.WriteClients([]Client{{}}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(dir.Path(ClientsFile))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range append(keys, rows[0]...) {
		if !strings.Contains(string(page), "`"+key+"`") {
			t.Errorf("docs/metrics.md does not describe %q", key)
		}
	}
	if len(keys) < 50 {
		t.Errorf("only %d keys were found", len(keys))
	}
}
