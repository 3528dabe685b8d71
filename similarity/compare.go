package similarity

import (
	"slices"

	"gonum.org/v1/gonum/mat"
)

// SpectralClients is the number of clients above which Compare leaves out spectral clustering, which costs O(N^3).
const SpectralClients = 2000

// Comparison is the clustering of A by one method and one choice rule.
type Comparison struct {
	Method    string // "spectral", or the linkage
	Choose    string // "silhouette", "bend", "ratio", "eigengap" or "loss"
	Candidate        // chosen candidate; Chosen is set
}

// Compare clusters A (N x N, 0..1) by every linkage and by spectral clustering. It applies to the candidates of each method
// every choice rule that needs no number and is defined for them (see Search). It ignores o.Method, o.Linkage and o.Choose.
// With more than SpectralClients clients it leaves out spectral clustering.
func Compare(a *mat.SymDense, o Options, progress Progress) ([]Comparison, error) {
	methods := slices.Clone(LinkageNames)
	if a.SymmetricDim() <= SpectralClients {
		methods = append(methods, "spectral")
	}
	var table []Comparison
	for _, method := range methods {
		o.Method, o.Linkage, o.Choose = "linkage", method, "silhouette"
		if method == "spectral" {
			o.Method, o.Linkage = "spectral", "average" // spectral clustering does not read the linkage
		}
		s, err := search(a, nil, o, progress)
		if err != nil {
			return nil, err
		}
		for _, rule := range []string{"silhouette", "bend", "ratio", "eigengap", "loss"} {
			if o.Choose = rule; o.Validate() != nil {
				continue // ratio needs a dendrogram, and eigengap needs eigenvalues
			}
			c := s.Candidates[s.pick(rule)]
			c.Chosen = true
			table = append(table, Comparison{method, rule, c})
		}
	}
	return table, nil
}
