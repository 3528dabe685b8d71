package numfmt

import "testing"

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.00 kB", 12_345_678: "12.3 MB", 999_999: "1.00 MB", 370_000_000: "370 MB", 5_000_000_000: "5.00 GB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
