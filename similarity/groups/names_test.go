package groups

import "testing"

// TestSameNames checks that clusters whose images differ in style name the classes alike, and that clusters of other concepts do not,
// whether their images differ in style or not. If the classes cannot be distinguished, there is no evidence for the names.
func TestSameNames(t *testing.T) {
	domains := federations["two domains"]
	noisy := domains
	noisy.noisy = 0.5
	swapped := federations["three concepts"]
	both := swapped
	both.domain = 3
	two := domains
	two.swap = true
	unclear := domains
	unclear.gap = 0
	for _, x := range []struct {
		name string
		p    planted
		want bool
	}{
		{"domains", domains, true},
		{"domains of other noise", noisy, true},
		{"concepts", swapped, false},
		{"concepts and domains", both, false},
		{"domains, and two classes exchanged", two, false},
		{"domains without classes", unclear, false},
	} {
		for seed := range uint64(20) {
			r := newWorld(x.p, seed).roster(t, DefaultOptions())
			same := r.SameNames()
			for a := range r.Clusters {
				for b := range r.Clusters {
					if a != b && same(a, b) != x.want {
						t.Errorf("%s, seed %d: clusters %d and %d name the classes alike: %t", x.name, seed, a, b, !x.want)
					}
				}
			}
		}
	}
}
