package similarity

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// meeting exchanges the data of the processes of a team in a test.
type meeting struct {
	sync.Mutex
	all      sync.Cond
	size     int
	waiting  int
	call     int
	whats    []string
	brought  [][]byte
	gathered [][]byte
	problem  error
	failure  error // error of the last exchange
	longest  int   // largest number of bytes that a process has sent
}

// member is a process of a team in a test. It implements Team.
type member struct {
	*meeting
	rank int
}

func (m member) Rank() int { return m.rank }
func (m member) Size() int { return m.size }

func (m member) Gather(what string, mine []byte, problem error) ([][]byte, error) {
	m.Lock()
	defer m.Unlock()
	m.whats[m.rank], m.brought[m.rank] = what, append([]byte(nil), mine...)
	m.longest = max(m.longest, len(mine))
	m.problem = errors.Join(m.problem, problem)
	if m.waiting++; m.waiting == m.size {
		for _, w := range m.whats {
			if w != m.whats[0] {
				m.problem = errors.Join(m.problem, fmt.Errorf("one process is at %q, another at %q", w, m.whats[0]))
			}
		}
		m.gathered, m.failure = append([][]byte(nil), m.brought...), m.problem
		m.waiting, m.problem = 0, nil
		m.call++
		m.all.Broadcast()
	} else {
		for call := m.call; call == m.call; {
			m.all.Wait()
		}
	}
	return m.gathered, m.failure
}

// together calls do for each process of a team.
func together(size int, do func(t Team) (*Result, error)) ([]*Result, []error, *meeting) {
	m := &meeting{size: size, whats: make([]string, size), brought: make([][]byte, size)}
	m.all.L = m
	results, errs := make([]*Result, size), make([]error, size)
	var running sync.WaitGroup
	for rank := range size {
		running.Go(func() { results[rank], errs[rank] = do(member{m, rank}) })
	}
	running.Wait()
	return results, errs, m
}

// manyClients returns sketches of n clients in three groups, each with up to three of four classes, and of one client without
// samples.
func manyClients(n, pixels int) []Sketch {
	random := rand.New(rand.NewPCG(1, 2))
	const classes = 4
	centre := make([][]float64, 3*classes)
	for k := range centre {
		for range pixels {
			centre[k] = append(centre[k], random.NormFloat64())
		}
	}
	sketches := make([]Sketch, n)
	for i := range sketches {
		s := Sketch{Counts: make([]int, classes), Bases: make([]*mat.Dense, classes)}
		for c := range classes {
			if (i+c)%classes == 0 || i == n/2 {
				continue
			}
			s.Counts[c] = 1 + random.IntN(30)
			var svd mat.QR
			x := mat.NewDense(pixels, 2, nil)
			for f := range pixels {
				x.Set(f, 0, centre[i%3*classes+c][f]+0.3*random.NormFloat64())
				x.Set(f, 1, random.NormFloat64())
			}
			svd.Factorize(x)
			var q mat.Dense
			svd.QTo(&q)
			s.Bases[c] = mat.DenseCopyOf(q.Slice(0, pixels, 0, 1+i%2))
		}
		for k := range 6 {
			s.Update = append(s.Update, float64(float32(random.NormFloat64()+2*float64(i%3*k%4))))
		}
		sketches[i] = s
	}
	return sketches
}

// TestSharedIsCluster compares the result of two and three processes, each with the vectors of some clients, with the result of
// one process that has all vectors. There are two or three bands of clients. With three bands, there are so many vectors that
// they are projected.
func TestSharedIsCluster(t *testing.T) {
	for name, c := range map[string]struct {
		n, pixels int
		change    func(*Options)
	}{
		"defaults":                 {BandRows + 50, 12, func(*Options) {}},
		"paper":                    {BandRows + 50, 12, func(o *Options) { *o = PaperOptions() }},
		"subspaces":                {BandRows + 50, 12, func(o *Options) { o.Angle, o.Fusion = "principal", "fixed:0.5" }},
		"projected, data alone":    {2*BandRows + 50, 130, func(o *Options) { o.Fusion = "fixed:0" }},
		"a single band of clients": {100, 12, func(o *Options) { o.Fusion = "direct" }},
	} {
		sketches, o := manyClients(c.n, c.pixels), DefaultOptions()
		c.change(&o)
		o.MaxClusters = 6
		want, err := Cluster(sketches, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		want.Gradient, want.Data, want.GradientScaled, want.DataScaled = nil, nil, nil, nil
		for _, size := range []int{2, 3} {
			results, errs, m := together(size, func(team Team) (*Result, error) { return sharedBy(team, sketches).Cluster(o, nil) })
			if err := errors.Join(errs...); err != nil {
				t.Fatalf("%s, %d processes: %v", name, size, err)
			}
			if !reflect.DeepEqual(results[0], want) {
				t.Errorf("%s: %d processes have found other things than one", name, size)
			}
			for rank, r := range results[1:] {
				if r != nil {
					t.Errorf("%s: process %d has a result", name, rank+1)
				}
			}
			if m.longest > pieceBytes {
				t.Errorf("%s: a process has sent %d bytes at once", name, m.longest)
			}
		}
	}
}

// sharedBy returns the sketches of a process of a team.
func sharedBy(team Team, sketches []Sketch) *Shared {
	s := &Shared{Team: team}
	for i, x := range sketches {
		s.Counts = append(s.Counts, x.Counts)
		var update []float32
		for _, u := range x.Update {
			update = append(update, float32(u))
		}
		s.Updates = append(s.Updates, update)
		if i*7%team.Size() == team.Rank() {
			s.Bases = append(s.Bases, x.Bases)
		} else {
			s.Bases = append(s.Bases, make([]*mat.Dense, len(x.Bases)))
		}
	}
	return s
}

// TestSharedBands checks that the bands cover all rows once and that the processes have about the same number of pairs.
func TestSharedBands(t *testing.T) {
	for _, n := range []int{1, BandRows, BandRows + 1, 10000} {
		for size := 1; size <= 3; size++ {
			rows, pairs := make([]int, n), make([]int, size)
			for rank := range size {
				share := newBands(member{&meeting{size: size}, rank}, n)
				for i, row := range newTriangle(share) {
					if row != nil || i == n-1 && share.mine(share.count()-1) {
						rows[i]++
						pairs[rank] += len(row)
					}
				}
			}
			for i, k := range rows {
				if k != 1 {
					t.Fatalf("%d rows, %d processes: row %d is there %d times", n, size, i, k)
				}
			}
			for rank, k := range pairs {
				if n == 10000 && (k > 11*n*n/20/size || k < 9*n*n/20/size) {
					t.Errorf("process %d of %d has %d pairs of %d", rank, size, k, n*(n-1)/2)
				}
			}
		}
	}
}

// TestSharedBadInput checks that all processes end if one of them has inconsistent sketches.
func TestSharedBadInput(t *testing.T) {
	for want, change := range map[string]func(*Shared){
		"client 3: coordinate 0 of its update is NaN": func(s *Shared) { s.Updates[3][0] = float32(nan()) },
		"1 samples and 0 principal vectors":           func(s *Shared) { s.Counts[0][0] = 1 },
		"updates for 9":                               func(s *Shared) { s.Updates = s.Updates[:9] },
		"client 2 has 3 counts":                       func(s *Shared) { s.Counts[2] = s.Counts[2][:3] },
	} {
		sketches := manyClients(10, 12)
		_, errs, _ := together(2, func(team Team) (*Result, error) {
			s := sharedBy(team, sketches)
			s.Counts = append([][]int(nil), s.Counts...)
			s.Counts[0] = append([]int(nil), s.Counts[0]...)
			change(s)
			return s.Cluster(DefaultOptions(), nil)
		})
		for rank, err := range errs {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("process %d: %v, which lacks %q", rank, err, want)
			}
		}
	}
	// One of two processes has a vector that is not of unit length. Both return this error.
	sketches := manyClients(10, 12)
	_, errs, _ := together(2, func(team Team) (*Result, error) {
		s := sharedBy(team, sketches)
		if b := s.Bases[1][0]; b != nil {
			b.Set(0, 0, 5)
		}
		return s.Cluster(DefaultOptions(), nil)
	})
	for rank, err := range errs {
		if err == nil || !strings.Contains(err.Error(), "client 1, class 0: principal vector 0 has length") {
			t.Errorf("process %d: %v", rank, err)
		}
	}
}

func nan() float64 { zero := 0.0; return zero / zero }
