package docblock

import "testing"

func TestMissing(t *testing.T) {
	printed := "round 1/30 loss 2.31\nround 2/30 loss 1.07\n3 clusters of  30 clients\np = 3.8e-33\n"
	for _, c := range []struct {
		page []string
		want string
	}{
		{[]string{"round 1/30 loss 2.31"}, ""},
		{[]string{"round 7/20  loss", "  0.5"}, ""},
		{[]string{"round 1/30", "...", "clusters of 30 clients", "p = 1e-5"}, ""},
		{[]string{"round 1/30 ... clients"}, ""},
		{[]string{"3 clusters", "...", "round 1/30"}, "round 1/30"},
		{[]string{"round 1/30 accuracy 3"}, "round 1/30 accuracy 3"},
	} {
		if got := Missing(printed, c.page); got != c.want {
			t.Errorf("%q: %q is missing, want %q", c.page, got, c.want)
		}
	}
}
