package algorithm_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
)

// TestUnreadFlags checks that a flag which an algorithm declares as unread with some options changes no model there, and that
// it is read with others.
func TestUnreadFlags(t *testing.T) {
	for _, c := range []struct{ algorithm, unread, read, flag string }{
		{"per-fedavg", "--per-fedavg-second-order=false", "--per-fedavg-second-order", "--per-fedavg-delta=0.1"},
		{"cfl --cfl-from=1", "--cfl-calibrate", "--cfl-calibrate=false", "--cfl-eps1=0.001"},
		{"cfl --cfl-from=1", "--cfl-calibrate", "--cfl-eps1=0", "--cfl-eps2=0.001"},
		{"fedsoft --fedsoft-clusters=2", "--fedsoft-everyone", "--fedsoft-everyone=false", "--fedsoft-per-centre=1"},
		{"feddag --feddag-clustering=similarity", "--feddag-rules=prototype", "--feddag-rules=paper", "--feddag-delta=0.1"},
		{"feddag --feddag-clustering=similarity", "--feddag-rules=prototype", "--feddag-rules=paper", "--feddag-epsilon=2"},
		{"feddag --feddag-clustering=similarity", "--feddag-method=spectral", "--feddag-method=linkage", "--feddag-linkage=single"},
		{"feddag --feddag-clustering=similarity", "--feddag-method=spectral", "--feddag-method=linkage", "--feddag-concepts=false"},
		{"feddag --feddag-clustering=similarity", "--feddag-method=linkage", "--feddag-method=spectral", "--feddag-scaling=global"},
		{"feddag --feddag-clustering=similarity", "--feddag-choose=count:3", "--feddag-choose=bend", "--feddag-concepts=false"},
		{"feddag --feddag-clustering=similarity", "--feddag-choose=fixed:0.3", "--feddag-choose=loss", "--feddag-concepts=false"},
		{"feddag", "--feddag-clustering=test", "--feddag-clustering=similarity", "--feddag-choose=count:3"},
		{"feddag", "--feddag-clustering=test", "--feddag-clustering=similarity", "--feddag-alignment=false"},
		{"feddag", "--feddag-clustering=test", "--feddag-clustering=similarity", "--feddag-mask=0.5"},
		{"feddag", "--feddag-clustering=test", "--feddag-clustering=similarity", "--feddag-principal-vectors=3"},
		{"feddag", "--feddag-clustering=test", "--feddag-clustering=similarity", "--feddag-shift=3"},
		{"feddag", "--feddag-warmup-rounds=0", "--feddag-warmup-rounds=1", "--feddag-primary-init=common"},
		{"feddag-star", "--feddag-primary-init=common", "--feddag-primary-init=warm", "--feddag-warmup-rounds=1"},
	} {
		name, _, _ := strings.Cut(strings.TrimPrefix(c.flag, "--"), "=")
		unread := func(options string) bool {
			a := federationtest.Algorithm(t, c.algorithm+" "+options).(federation.Unreader)
			return slices.ContainsFunc(a.Unread(), func(u federation.UnreadFlag) bool { return u.Name == name })
		}
		if !unread(c.unread) || unread(c.read) {
			t.Errorf("%s: --%s is unread with %s: %t, with %s: %t", c.algorithm, name, c.unread, unread(c.unread), c.read, unread(c.read))
		}
		line := c.algorithm + " " + c.unread
		plain, _ := federationtest.Finished(t, line, 2, nil)
		if got, _ := federationtest.Finished(t, line+" "+c.flag, 2, nil); !reflect.DeepEqual(got, plain) {
			t.Errorf("%s: %s has an effect", line, c.flag)
		}
	}
}
