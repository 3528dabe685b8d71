package algorithm

import (
	"math"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/corruption"
	"feddag/federation/federationtest"
	"feddag/similarity"

	"gonum.org/v1/gonum/mat"
)

// TestSketchesAreOfTheViews checks that under feature skew a client's principal vectors come from the images as the client sees
// them, and that the client sees its test images in the same way.
func TestSketchesAreOfTheViews(t *testing.T) {
	plain := federationtest.TinyEnv(t, 1)
	set := federationtest.TinySet()
	p := federationtest.TinyPartition(set)
	p.Views = []corruption.View{{Corruption: "contrast", Severity: 5}}
	for i := range p.Shards {
		slices.Sort(p.Shards[i].Train)
		p.Shards[i].View = i % 2
	}
	seen, q, err := p.Materialise(set)
	if err != nil {
		t.Fatal(err)
	}
	two, err := similarity.ParseCount("2")
	if err != nil {
		t.Fatal(err)
	}
	env := *plain
	env.Data, env.Clients = seen, federation.NewClients(q)
	for i, c := range env.Clients {
		got, err := sketchClient(&env, c, two, 0)
		if err != nil {
			t.Fatal(err)
		}
		before, err := sketchClient(plain, plain.Clients[i], two, 0)
		if err != nil {
			t.Fatal(err)
		}
		for class, basis := range got.Bases {
			if basis == nil {
				continue
			}
			var images [][]byte
			for _, j := range p.Shards[i].Train {
				if int(set.Train.Labels[j]) == class {
					image := set.Image(set.Train, int(j))
					if i%2 == 1 {
						seen := make([]byte, len(image))
						p.Views[0].Apply(seen, image, 1, federationtest.Side, federationtest.Side, nil) // contrast draws no random numbers
						image = seen
					}
					images = append(images, image)
				}
			}
			want, err := similarity.PrincipalVectors(images, min(2, len(images)))
			if err != nil {
				t.Fatal(err)
			}
			if !mat.EqualApprox(basis, want, 1e-9) {
				t.Errorf("client %d, class %d: the principal vectors do not come from the images that the client sees", i, class)
			}
			var diff mat.Dense
			diff.Sub(basis, before.Bases[class])
			if changed := mat.Max(&diff) > 1e-6 || math.Abs(mat.Min(&diff)) > 1e-6; changed != (i%2 == 1) {
				t.Errorf("client %d, class %d: do they differ from those without the view? %v", i, class, changed)
			}
		}
		for k, j := range c.Test {
			was := p.Shards[i].Test[k]
			if int(j) != i%2*set.Test.Len()+int(was) || seen.Test.Labels[j] != set.Test.Labels[was] {
				t.Errorf("client %d tests on image %d for %d", i, j, was)
			}
		}
	}
}
