package ranks

import (
	"fmt"
	"strings"
	"testing"
)

// TestListenOn checks the addresses of ranks on one machine and on two, and that the error names a rank whose address others
// cannot reach.
func TestListenOn(t *testing.T) {
	name := func(rank int) string { return fmt.Sprint("rank ", rank) }
	far := hello{Network: "b", Address: "10.0.0.2"}
	for what, c := range map[string]struct {
		peers []hello
		want  []string // by rank
		err   string
	}{
		"one machine":               {[]hello{{Network: "a", Address: "127.0.0.1"}, {Network: "a", Address: "127.0.0.1"}}, []string{"127.0.0.1", "127.0.0.1"}, ""},
		"two machines":              {[]hello{{Network: "a", Address: "10.0.0.1"}, far}, []string{"10.0.0.1", "10.0.0.2"}, ""},
		"MASTER_ADDR is localhost":  {[]hello{{Network: "a", Address: "127.0.0.1", Outward: "10.0.0.1"}, far}, []string{"10.0.0.1", "10.0.0.2"}, ""},
		"no way out":                {[]hello{{Network: "a", Address: "127.0.1.1"}, far}, nil, "rank 0 reaches MASTER_ADDR node by way of 127.0.1.1, where rank 1 cannot"},
		"localhost in another rank": {[]hello{{Network: "a", Address: "10.0.0.1"}, {Network: "b", Address: "::1", Outward: "10.0.0.2"}}, nil, "rank 1 reaches"},
		"an interface is named":     {[]hello{{Network: "a"}, {Network: "b"}}, []string{"", ""}, ""},
	} {
		for rank := range c.peers {
			got, err := listenOn(c.peers, Place{Rank: rank, Host: "node"}, name)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "GLOO_SOCKET_IFNAME") {
					t.Errorf("%s: %v, which lacks %q", what, err, c.err)
				}
			} else if err != nil || got != c.want[rank] {
				t.Errorf("%s: rank %d listens on %q, not %q (%v)", what, rank, got, c.want[rank], err)
			}
		}
	}
}
