package groups

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"feddag/internal/stream"
)

const (
	cloudFolds   = 5    // number of parts of the clients; each part is projected on an axis that the others determine
	cloudWork    = 200  // smallest total number of clients that are projected, in several divisions into parts
	cloudRepeats = 5    // largest number of these divisions
	cloudFewest  = 8    // fewer clients are one cloud if they shatter
	cloudSure    = 20   // fewer clients are two groups without further tests unless they shatter
	cloudMost    = 400  // largest number of clients that are simulated
	cloudDraws   = 999  // number of simulated clouds
	cloudLevel   = 0.01 // share of clouds that count as two groups, in each of three views
)

// shatters reports whether more than a quarter of some clients end up alone if the clients are divided as long as the test alone
// rejects. Then the clients differ individually. Groups whose members are alike do not shatter. With few clients, this
// distinguishes groups from a cloud better than [finder.oneCloud], which learns its axis from even fewer clients.
func (f *finder) shatters(who []int) bool {
	alone := 0
	for todo := [][]int{who}; len(todo) > 0; {
		g := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		best := slices.MinFunc(f.test(g), func(a, b rejection) int { return cmp.Compare(a.p, b.p) })
		if best.p > f.level(g) {
			if len(g) == 1 {
				alone++
			}
			continue
		}
		label, _ := split(f.white.pick(g), best.view, nil)
		var sides [2][]int
		for k, i := range g {
			sides[label[k]] = append(sides[label[k]], i)
		}
		if len(sides[0]) > 0 && len(sides[1]) > 0 {
			todo = append(todo, sides[0], sides[1])
		}
	}
	return 4*alone > len(who)
}

// oneCloud reports whether some clients can be one cloud of individual effects, for example because every camera is slightly
// different, instead of two groups. With many images every client differs from every other, so the test alone would divide such
// clients again and again.
//
// Each fifth of the clients is projected on the axis that the other four fifths determine, once with each half of their images.
// So each client has two positions. The clients are cut in two where the cut explains most. For one Gaussian cloud of any shape,
// a share of about 1 - 2/π = 0.36 of the covariance of the two positions remains inside the two sides; for two groups almost
// nothing remains. The share is compared with the shares of simulated clouds with the same number of clients (see [cloud]). The
// clients are two groups only if at most one cloud in a hundred has a smaller share. With few clients, the share is computed from
// the sums over several random divisions into fifths.
//
// With several groups side by side, a large share remains inside two sides, but almost nothing inside four parts. So each side is
// cut again, and either share may indicate the groups, at half of the level.
//
// Noise in the positions lowers the share, because the cut follows the noise. If noise and effects are of similar size, a cloud
// and two groups cannot be distinguished. Then the decision depends on what is known about the federation. While no styles are
// known, the simulated clouds have no noise, so two groups are found even from few images. Once styles are known, the clouds have
// the noise of the positions.
func (f *finder) oneCloud(who []int, view View) bool {
	if len(who) < cloudFewest {
		return true
	}
	keys := make([]uint64, len(who))
	for k, i := range who {
		keys[k] = uint64(i)
	}
	random := stream.New(f.seed, "groups: one cloud", keys...)
	two, four, total := 0., 0., 0.
	var first *cloud
	side, whole := split(f.white.pick(who), view, nil)
	for range min(1+cloudWork/len(who), cloudRepeats) {
		c := f.placeTwice(who, view, side, whole, random.Perm(len(who)))
		inTwo, inFour, all := c.cut()
		two, four, total = two+inTwo, four+inFour, total+all
		if first == nil {
			first = c
		}
	}
	if total <= 0 { // the halves of the images contradict each other, which does not happen with two groups
		return true
	}
	if len(first.weight) < cloudFewest { // too many clients have no images in one of the halves
		return true
	}
	if !f.styles {
		first.kappa = 0
	}
	return !first.undercuts(two/total, four/total, random)
}

// cloud holds the positions of clients by each half of their images,
//
//	x_ih = b_i + e_ih,    b_i ~ N(0, tau^2) if they are one cloud,    e_ih ~ N(0, kappa / v_ih)
type cloud struct {
	at, v      [Halves][]float64
	kappa, tau float64
	weight     []float64 // prod_h tau^2 / (tau^2 + kappa / v_ih): the variance of x_i0 x_i1 is tau^4 divided by this
}

// placeTwice returns the positions of clients by each half of their images, see [finder.oneCloud]. Client order[k] is in part
// k mod 5.
//
//	x_ih = sum_c n_ihc <m_ihc - mu_c, a_c> / sum_c n_ihc |a_c|^2 * unit,    v_ih = sum_c n_ihc |a_c|^2 / unit^2
//
// Axes a of different parts have different lengths, and can point in opposite directions. So the positions are in units of the
// axis w of all clients: unit = <a, w> / <w, w>. Clients without a position by one of the halves are left out.
//
// side and w are the split of all clients. The splits of the parts start from it, so that all find the same two groups.
func (f *finder) placeTwice(who []int, view View, side []int, whole axis, order []int) *cloud {
	all := f.white.pick(who)
	var x, v [Halves][]float64
	var halves [Halves]*table
	for h := range x {
		x[h], v[h], halves[h] = make([]float64, len(who)), make([]float64, len(who)), f.whiteHalves[h].pick(who)
		if view == Concept {
			halves[h] = halves[h].withoutStyle()
		}
	}
	for part := range cloudFolds {
		var placed, others, sides []int
		for k, o := range order {
			if k%cloudFolds == part {
				placed = append(placed, o)
			} else {
				others, sides = append(others, o), append(sides, side[o])
			}
		}
		_, a := split(all.pick(others), view, sides)
		unit := dot(a.a, whole.a) / max(dot(whole.a, whole.a), 1e-30)
		for h := range x {
			mu := halves[h].centre()
			for _, i := range placed {
				above, below := 0., 0.
				for c, n := range halves[h].weights(i) {
					if n > 0 {
						above += n * (dot(halves[h].mean(i, c), a.class(c)) - dot(mu.mean(0, c), a.class(c)))
						below += n * a.square(c)
					}
				}
				x[h][i], v[h][i] = above/max(below, 1e-30)*unit, below/max(unit*unit, 1e-30)
			}
		}
	}
	c := &cloud{}
	for i := range who {
		if v[0][i] > 0 && v[1][i] > 0 {
			for h := range x {
				c.at[h], c.v[h] = append(c.at[h], x[h][i]), append(c.v[h], v[h][i])
			}
		}
	}
	c.measure()
	return c
}

// measure estimates kappa from the differences of the two positions,
//
//	kappa = mean_i (x_i0 - x_i1)^2 / (1 / v_i0 + 1 / v_i1)
//
// tau^2 from their weighted covariance, and then the weights. It does this three times, starting from weights v_i0 + v_i1.
func (c *cloud) measure() {
	n := len(c.at[0])
	c.weight = make([]float64, n)
	for i := range n {
		gap := c.at[0][i] - c.at[1][i]
		c.kappa += gap * gap / (1/c.v[0][i] + 1/c.v[1][i]) / float64(n)
		c.weight[i] = c.v[0][i] + c.v[1][i]
	}
	for range 3 {
		c.tau = math.Sqrt(max(weightedCovariance(c.at[0], c.at[1], c.weight), 0) / max(sumOf(c.weight), 1e-30))
		for i := range n {
			t := c.tau * c.tau
			c.weight[i] = t / max(t+c.kappa/c.v[0][i], 1e-30) * t / max(t+c.kappa/c.v[1][i], 1e-30)
		}
	}
}

// undercuts reports whether one of the shares inside two and four parts is smaller than the share of nearly all simulated clouds.
func (c *cloud) undercuts(two, four float64, random *rand.Rand) bool {
	n := len(c.weight)
	s := *c
	if n > cloudMost { // only cloudMost clients, evenly spaced
		s.v, s.weight = [Halves][]float64{}, nil
		for k := range cloudMost {
			i := k * n / cloudMost
			s.v[0], s.v[1], s.weight = append(s.v[0], c.v[0][i]), append(s.v[1], c.v[1][i]), append(s.weight, c.weight[i])
		}
		n = cloudMost
	}
	s.at = [Halves][]float64{make([]float64, n), make([]float64, n)}
	most := int(math.Floor(cloudLevel/2*(cloudDraws+1))) - 1 // largest number of shares that may be as small
	below := [2]int{}
	for range cloudDraws {
		for i := range n {
			b := s.tau * random.NormFloat64()
			for h := range s.at {
				s.at[h][i] = b + math.Sqrt(s.kappa/s.v[h][i])*random.NormFloat64()
			}
		}
		inTwo, inFour, total := s.cut()
		if !(inTwo > two*total) {
			below[0]++
		}
		if !(inFour > four*total) {
			below[1]++
		}
		if min(below[0], below[1]) > most {
			return false
		}
	}
	return true
}

// cut cuts clients in two where the sides explain most of the variance of the mean of their two positions, weighted by v and by
// the clients' weights, and cuts each side in two again. It returns the weighted covariance of the two positions inside the two
// sides, inside the four parts, and over all clients, as sums over the clients.
func (c *cloud) cut() (two, four, total float64) {
	n := len(c.weight)
	if n < 2 {
		return 0, 0, 0
	}
	type client struct {
		i    int
		mean float64
	}
	order := make([]client, n)
	for i := range order {
		order[i] = client{i, (c.v[0][i]*c.at[0][i] + c.v[1][i]*c.at[1][i]) / (c.v[0][i] + c.v[1][i])}
	}
	slices.SortFunc(order, func(a, b client) int { return cmp.Or(cmp.Compare(a.mean, b.mean), a.i-b.i) })
	var places [Halves][]float64
	for h := range places {
		places[h] = make([]float64, n)
	}
	weight := make([]float64, n)
	for k, x := range order {
		places[0][k], places[1][k], weight[k] = c.at[0][x.i], c.at[1][x.i], c.weight[x.i]
	}
	best := func(low, high int) int {
		whole, sum := 0., 0.
		for k := low; k < high; k++ {
			whole, sum = whole+weight[k], sum+weight[k]*order[k].mean
		}
		at, most, w, z := min(low+1, high), math.Inf(-1), 0., 0.
		for k := low + 1; k < high; k++ {
			w, z = w+weight[k-1], z+weight[k-1]*(order[k-1].mean-sum/max(whole, 1e-30))
			if explained := z * z / max(w*(whole-w), 1e-30); explained > most {
				at, most = k, explained
			}
		}
		return at
	}
	inside := func(low, high int) float64 {
		return weightedCovariance(places[0][low:high], places[1][low:high], weight[low:high])
	}
	middle := best(0, n)
	lower, upper := best(0, middle), best(middle, n)
	two = inside(0, middle) + inside(middle, n)
	four = inside(0, lower) + inside(lower, middle) + inside(middle, upper) + inside(upper, n)
	return two, four, inside(0, n)
}

// weightedCovariance returns sum_i w_i (x_i - mean x) (y_i - mean y), with weighted means.
func weightedCovariance(x, y, w []float64) float64 {
	whole := max(sumOf(w), 1e-30)
	mx, my, sum := dot(w, x)/whole, dot(w, y)/whole, 0.
	for i := range x {
		sum += w[i] * (x[i] - mx) * (y[i] - my)
	}
	return sum
}
