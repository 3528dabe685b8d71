package numfmt

import (
	"math"
	"testing"
)

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Thousands(0), "0"}, {Thousands(999), "999"}, {Thousands(1234567), "1,234,567"}, {Thousands(-123456), "-123,456"},
		{Thousands(math.NaN()), Missing}, {Thousands(math.Inf(1)), Missing},
		{Decimal(1.25, 1), "1.2"}, {Decimal(-3, 2), "-3.00"}, {Decimal(math.Inf(-1), 1), Missing},
		{Count(1, "client"), "1 client"}, {Count(0, "client"), "0 clients"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
