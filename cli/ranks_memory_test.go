package cli

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"feddag/report"
	"feddag/similarity"
	"feddag/torch/ranks"
	"feddag/torch/ranks/rankstest"

	"gonum.org/v1/gonum/mat"
)

// memoryRank is the variable that makes TestRanksMemory a rank. Its value has the rank, the number of ranks, the number of
// clients, and the port.
const memoryRank = "FEDDAG_TEST_MEMORY_RANK"

// TestRanksMemory clusters FEDDAG_CLIENTS (2000) synthetic clients by the similarity in one process and on two ranks, and
// checks that the clustering takes less memory in each rank than in the single process. Its log has the figures.
func TestRanksMemory(t *testing.T) {
	if place := os.Getenv(memoryRank); place != "" {
		clusterAsRank(t, place)
		return
	}
	long(t)
	rankstest.Skip(t)
	n := numberFrom(t, "FEDDAG_CLIENTS", 2000)
	grown := map[int][]float64{} // growth of memory in bytes, by number of processes and rank
	found := map[string]bool{}
	for _, size := range []int{1, 2} {
		port := rankstest.Port(t)
		running := make([]*exec.Cmd, size)
		output := make([]strings.Builder, size)
		for rank := range running {
			c := exec.Command(os.Args[0], "-test.run", "^TestRanksMemory$", "-test.v")
			c.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %d %d", memoryRank, rank, size, n, port))
			c.Stdout, c.Stderr = &output[rank], &output[rank]
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Process.Kill() })
			running[rank] = c
		}
		for rank, c := range running {
			if err := c.Wait(); err != nil {
				t.Fatalf("rank %d of %d: %v: %s", rank, size, err, output[rank].String())
			}
			for line := range strings.Lines(output[rank].String()) {
				var peak int64
				var before, seconds float64
				if _, err := fmt.Sscanf(line, "memory: %d %f %f", &peak, &before, &seconds); err == nil {
					grown[size] = append(grown[size], float64(peak)-before)
					t.Logf("%d clients, %d processes, rank %d: peak %.0f MB (%.0f MB before), %.1f s", n, size, rank, float64(peak)/1e6, before/1e6, seconds)
				}
				if clusters, ok := strings.CutPrefix(line, "clusters: "); ok {
					found[clusters] = true
				}
			}
		}
	}
	if len(found) != 1 {
		t.Errorf("%d different clusterings", len(found))
	}
	for rank, bytes := range grown[2] {
		most := grown[1][0]
		if rank > 0 {
			most *= 0.75
		}
		if bytes > most {
			t.Errorf("the clustering takes %g bytes in rank %d, and %g in one process", bytes, rank, grown[1][0])
		}
	}
}

// clusterAsRank is a rank of TestRanksMemory. It prints its peak memory, the peak before the clustering, and the seconds of
// the clustering.
func clusterAsRank(t *testing.T, place string) {
	var rank, size, n int
	var port uint16
	if _, err := fmt.Sscanf(place, "%d %d %d %d", &rank, &size, &n, &port); err != nil {
		t.Fatal(err)
	}
	var r *ranks.Ranks
	if size > 1 {
		var err error
		where := ranks.Place{Rank: rank, Size: size, Host: "127.0.0.1", Port: port, Serve: true, Attempt: "test"}
		if r, err = ranks.Join(context.Background(), where, ranks.DefaultOptions()); err != nil {
			t.Fatal(err)
		}
	}
	sketches := make([]similarity.Sketch, n)
	shared := &similarity.Shared{Team: r}
	for i := range sketches {
		s := madeUpSketch(i)
		if sketches[i] = s; size == 1 {
			continue
		}
		sketches[i] = similarity.Sketch{}
		update := make([]float32, len(s.Update))
		for k, x := range s.Update {
			update[k] = float32(x)
		}
		if i%size != rank {
			s.Bases = make([]*mat.Dense, len(s.Counts))
		}
		shared.Counts, shared.Updates, shared.Bases = append(shared.Counts, s.Counts), append(shared.Updates, update), append(shared.Bases, s.Bases)
	}
	o := similarity.DefaultOptions()
	o.Choose = "count:4"
	before, began := report.PeakRSS(), time.Now()
	var result *similarity.Result
	var err error
	if size == 1 {
		result, err = similarity.Cluster(sketches, o, nil)
	} else if result, err = shared.Cluster(o, nil); err == nil {
		err = r.End()
	}
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("memory: %d %d %f\n", report.PeakRSS(), before, time.Since(began).Seconds())
	if rank == 0 {
		fmt.Printf("clusters: %v %v\n", result.Clusters, result.Gates[0])
	}
	if err := r.Close(nil); err != nil {
		t.Fatal(err)
	}
}

// madeUpSketch returns the sketch of client i, which belongs to one of four groups. It has two of ten classes, each with one
// vector of 32 pixels, and an update with 64 coordinates.
func madeUpSketch(i int) similarity.Sketch {
	random := rand.New(rand.NewPCG(7, uint64(i)))
	group := i % 4
	s := similarity.Sketch{Counts: make([]int, 10), Bases: make([]*mat.Dense, 10)}
	for _, c := range []int{2 * group, 2*group + 1} {
		s.Counts[c] = 3 + random.IntN(10)
		v := mat.NewVecDense(32, nil)
		for f := range v.Len() {
			v.SetVec(f, float64((f*c)%7)+0.3*random.NormFloat64())
		}
		v.ScaleVec(1/mat.Norm(v, 2), v)
		s.Bases[c] = mat.NewDense(32, 1, v.RawVector().Data)
	}
	for k := range 64 {
		s.Update = append(s.Update, float64(float32(float64(k*group%5)+random.NormFloat64())))
	}
	return s
}
