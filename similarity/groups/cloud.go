package groups

import (
	"math"
	"math/rand/v2"
	"sort"

	"feddag/internal/stream"
)

const (
	cloudHalvings = 5    // random divisions of the clients into halves
	cloudFewest   = 8    // fewer clients are not asked whether they are one cloud
	cloudDraws    = 4000 // simulated clouds per number of clients
	cloudLevel    = 0.01 // share of clouds that are taken for two groups
	cloudMost     = 400  // clouds of more clients than this are not simulated, but extrapolated
)

// oneCloud reports whether some clients can be one cloud of individual effects, every camera a little different, instead of
// two groups. With many images every client differs from every other, so the test alone would divide such clients again and
// again.
//
// The axis is learnt on one half of the clients. The others are placed on it twice, once by each half of their images, and cut
// where the cut explains most. Then the halves of the clients change roles. The covariance of the two places inside the sides,
// as a share of the whole, is 1 - 2/π = 0.36 for one Gaussian cloud of any shape and whatever the noise; two groups leave
// next to nothing. Only a share below the 1% point for one cloud of that many clients is two groups.
//
// The covariances are summed over several random divisions of the clients into halves. With one division, three groups of eight
// clients, which lie at the corners of a triangle, were taken for one cloud in 8 of 100 cases.
func (f *finder) oneCloud(who []int, view View) bool {
	if len(who) < cloudFewest {
		return false
	}
	keys := make([]uint64, len(who))
	for k, i := range who {
		keys[k] = uint64(i)
	}
	random := stream.New(f.seed, "groups: halves of the clients", keys...)
	inside, total := 0., 0.
	for range cloudHalvings {
		in, all := f.placeTwice(who, view, random.Perm(len(who)))
		inside, total = inside+in, total+all
	}
	if total < 0 { // The halves of the images contradict each other, which two groups do not.
		return true
	}
	return inside > total*f.cloudQuantile(len(who))
}

// placeTwice returns the covariance of the clients' two places inside the sides, and over all, see [finder.oneCloud]. The
// clients at even places of the permutation are one half of the clients, the others are the other half.
func (f *finder) placeTwice(who []int, view View, order []int) (inside, total float64) {
	var parts [2][]int
	for k, o := range order {
		parts[k%2] = append(parts[k%2], who[o])
	}
	for h, learn := range parts {
		_, a := split(f.white.pick(learn), view, nil)
		var at [Halves][]float64
		for half := range at {
			at[half] = placesAlong(f.whiteHalves[half].pick(parts[1-h]), view, a)
		}
		in, all := cutInTwo(at)
		inside, total = inside+in, total+all
	}
	return inside, total
}

// placesAlong returns the place of each client along an axis, sum_c n_ic <m_ic - mu_c, a_c> / sum_c n_ic |a_c|^2.
func placesAlong(t *table, view View, a axis) []float64 {
	if view == Concept {
		t = t.withoutStyle()
	}
	mu := t.centre()
	at := make([]float64, t.rows)
	for i := range at {
		above, below := 0., 0.
		for c, n := range t.weights(i) {
			if n > 0 {
				above += n * (dot(t.mean(i, c), a.class(c)) - dot(mu.mean(0, c), a.class(c)))
				below += n * a.square(c)
			}
		}
		at[i] = above / max(below, 1e-30)
	}
	return at
}

// cutInTwo cuts clients in two where the sum of their two places, in ascending order, is explained best by the sides. It returns
// the covariance of the two places inside the sides, and over all, both as sums over the clients.
func cutInTwo(at [Halves][]float64) (inside, total float64) {
	n := len(at[0])
	if n < 2 {
		return 0, 0
	}
	order := sequence(n)
	sort.SliceStable(order, func(i, j int) bool {
		return at[0][order[i]]+at[1][order[i]] < at[0][order[j]]+at[1][order[j]]
	})
	var places [Halves][]float64
	for h := range places {
		mean := sumOf(at[h]) / float64(n)
		for _, i := range order {
			places[h] = append(places[h], at[h][i]-mean)
		}
	}
	cut, most, z := 1, math.Inf(-1), 0.
	for k := 1; k < n; k++ {
		z += places[0][k-1] + places[1][k-1]
		if explained := z * z / float64(k*(n-k)); explained > most {
			cut, most = k, explained
		}
	}
	return covariance(places[0][:cut], places[1][:cut]) + covariance(places[0][cut:], places[1][cut:]), dot(places[0], places[1])
}

// covariance returns sum_i (x_i - mean x) (y_i - mean y).
func covariance(x, y []float64) float64 {
	mx, my, sum := sumOf(x)/float64(len(x)), sumOf(y)/float64(len(y)), 0.
	for i := range x {
		sum += (x[i] - mx) * (y[i] - my)
	}
	return sum
}

// cloudQuantile returns the share that one Gaussian cloud of n equal clients without noise undercuts in one case of a hundred,
// from 4,000 simulated clouds. Its distance to 1 - 2/π falls as 1/sqrt(n), which extends it to more clients than are worth
// simulating.
func (f *finder) cloudQuantile(n int) float64 {
	if n > cloudMost {
		limit := 1 - 2/math.Pi
		return limit - (limit-f.cloudQuantile(cloudMost))*math.Sqrt(cloudMost/float64(n))
	}
	if q, ok := f.quantiles[n]; ok {
		return q
	}
	random := stream.New(f.seed, "groups: one cloud", uint64(n))
	shares := make([]float64, cloudDraws)
	for k := range shares {
		inA, allA := cutInTwo(gaussian(random, n/2))
		inB, allB := cutInTwo(gaussian(random, n-n/2))
		shares[k] = (inA + inB) / (allA + allB)
	}
	sort.Float64s(shares)
	place := cloudLevel * float64(len(shares)-1)
	k := int(place)
	f.quantiles[n] = shares[k] + (place-float64(k))*(shares[k+1]-shares[k])
	return f.quantiles[n]
}

// gaussian returns the places of n clients of one cloud, the same in both halves.
func gaussian(random *rand.Rand, n int) [Halves][]float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = random.NormFloat64()
	}
	return [Halves][]float64{x, x}
}
