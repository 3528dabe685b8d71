package groups

import (
	"reflect"
	"testing"

	"feddag/internal/stream"
)

// TestUniteQuotas checks that clients which lack a class because they had their share before are united with the others, and that
// groups which hold other classes, as many images, or the classes in other shares stay apart.
func TestUniteQuotas(t *testing.T) {
	random := stream.New(1, "test")
	full := func() []float64 {
		return []float64{float64(20 + random.IntN(10)), float64(20 + random.IntN(10)), float64(20 + random.IntN(10))}
	}
	for name, x := range map[string]struct {
		other  func() []float64 // the counts of a client of the second cluster
		united bool
	}{
		"quota":        {func() []float64 { return []float64{float64(40 + random.IntN(10)), float64(40 + random.IntN(10)), 0} }, true},
		"few images":   {func() []float64 { return []float64{float64(20 + random.IntN(10)), float64(20 + random.IntN(10)), 0} }, false},
		"other shares": {func() []float64 { return []float64{float64(5 + random.IntN(2)), float64(90 + random.IntN(10)), 0} }, false},
		"other class":  {func() []float64 { return []float64{float64(40 + random.IntN(10)), 0, 0} }, false},
	} {
		var counts [][]float64
		clusters := make([][]int, 2)
		for i := range 40 {
			row := full()
			if i%2 == 1 {
				row = x.other()
			}
			if name == "other class" && i%2 == 0 {
				row[0] = 0
			}
			counts, clusters[i%2] = append(counts, row), append(clusters[i%2], i)
		}
		want := clusters
		if x.united {
			want = [][]int{sequence(40)}
		}
		for _, order := range [][][]int{clusters, {clusters[1], clusters[0]}} {
			if got := uniteQuotas(counts, order); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: the clusters are %v, want %v", name, got, want)
			}
		}
	}
}

// TestSharePairsAbove checks a share by hand: 3 is above 1 and equal to 3, 5 is above all.
func TestSharePairsAbove(t *testing.T) {
	a, b := [][]float64{{1, 2}, {5, 0}}, [][]float64{{1, 0}, {0, 3}, {4, 0}}
	if got, want := sharePairsAbove(a, b), (1+0.5+3)/6; got != want {
		t.Errorf("the share is %g, want %g", got, want)
	}
}
