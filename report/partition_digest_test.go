package report

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// digestOf returns the digest of a partition.json with two clients of a data set with the given name and hash. first is the
// first index of the first client.
func digestOf(t *testing.T, name, hash string, first int) PartitionDigest {
	t.Helper()
	var file map[string]json.RawMessage
	text := fmt.Sprintf(`{"version":1,"kind":"iid","seed":0,"params":{},"data_set":%q,"data_hash":%q,"clients":[{"train":[%d]},{"train":[5]}]}`, name, hash, first)
	if err := json.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	p, err := newPartitionDigest(file)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDigestsGoByTheContent(t *testing.T) {
	content := func(digit string) string { return "content-sha256:" + strings.Repeat(digit, 64) }
	labels := func(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }
	for _, c := range []struct {
		name        string
		a, b        PartitionDigest
		data        string // words of the error of SameData; "" for none
		sameHolders bool
	}{
		{"one set", digestOf(t, "x", content("a"), 1), digestOf(t, "x", content("a"), 1), "", true},
		{"in two places", digestOf(t, "folder:/a", content("a"), 1), digestOf(t, "folder:/b", content("a"), 1), "", true},
		{"in two places, others hold it", digestOf(t, "folder:/a", content("a"), 1), digestOf(t, "folder:/b", content("a"), 2), "", false},
		{"other content under one name", digestOf(t, "x", content("a"), 1), digestOf(t, "x", content("b"), 1), "aaaaaaaaaaaa, that of x has bbbbbbbbbbbb", true},
		{"earlier and now", digestOf(t, "x", labels("a"), 1), digestOf(t, "x", content("b"), 1), "", true},
		{"earlier and now, other names", digestOf(t, "x", labels("a"), 1), digestOf(t, "y", content("b"), 1), "one is x, the other y", false},
		{"earlier", digestOf(t, "x", labels("a"), 1), digestOf(t, "x", labels("a"), 1), "", true},
		{"earlier, other labels", digestOf(t, "x", labels("a"), 1), digestOf(t, "x", labels("b"), 1), "different copies of x", true},
		{"nothing known", digestOf(t, "x", "", 1), digestOf(t, "x", content("b"), 1), "", true},
	} {
		for _, pair := range [][2]PartitionDigest{{c.a, c.b}, {c.b, c.a}} {
			err := pair[0].SameData(pair[1])
			if (err == nil) != (c.data == "") || err != nil && pair[0].DataHash == c.a.DataHash && !strings.Contains(err.Error(), c.data) && pair[0].Dataset == c.a.Dataset {
				t.Errorf("%s: SameData says %v, must have %q", c.name, err, c.data)
			}
			if got := pair[0].SameHolders(pair[1]); got != c.sameHolders {
				t.Errorf("%s: SameHolders is %v", c.name, got)
			}
		}
	}
}

// TestDigestOfEarlierVersion compares with a digest of an earlier version, which has no Holders.
func TestDigestOfEarlierVersion(t *testing.T) {
	now := digestOf(t, "x", "content-sha256:"+strings.Repeat("a", 64), 1)
	kept := now
	kept.DataHash, kept.Holders = "sha256:"+strings.Repeat("b", 64), ""
	other := digestOf(t, "x", now.DataHash, 2)
	if !now.SameHolders(kept) || !kept.SameHolders(now) || other.SameHolders(kept) {
		t.Error("a digest without Holders is not compared by its hash")
	}
}
