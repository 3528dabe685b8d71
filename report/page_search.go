package report

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/mat"

	"feddag/federation"
	"feddag/internal/numfmt"
	"feddag/report/plot"
	"feddag/similarity"
	"feddag/similarity/groups"
)

// searchView is the content of the page about one search for the clusters.
type searchView struct {
	Title, Note string
	Drawings    []drawing
	Explained   []groups.Explanation
	Like        []string // sentences about clusters with similar images
	Candidates  []similarity.Candidate

	graph [][]int // sources of each cluster
}

// drawnClients is the largest number of clients for which the page shows the matrix of their distances.
const drawnClients = 3000

// readSearches fills in the searches in the run directory: the search before the rounds, and later searches that a scenario
// asked for, in search-1, search-2 ...
func (v *view) readSearches(d *Dir) error {
	var later []int
	folders, err := filepath.Glob(d.Path("search-*"))
	if err != nil {
		return fmt.Errorf("looking for the searches: %w", err)
	}
	for _, f := range folders {
		if n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(f), "search-")); err == nil {
			later = append(later, n)
		}
	}
	slices.Sort(later)
	first, err := v.readSearch(d, "How the clusters were found")
	if err != nil || first == nil {
		return err
	}
	if len(later) > 0 {
		first.Title = "The first search for the clusters, before round 1"
	}
	v.Searches = append(v.Searches, *first)
	rounds := v.searchRounds()
	for k, n := range later {
		round := n
		if len(rounds) == len(later) { // the folders of earlier versions count rounds from 0
			round = rounds[k]
		}
		s, err := v.readSearch(d.Sub("search-"+strconv.Itoa(n)), fmt.Sprintf("The search for the clusters before round %d", round))
		if err != nil {
			return err
		}
		if s != nil {
			v.Searches = append(v.Searches, *s)
		}
	}
	return nil
}

// searchRounds returns the rounds before which a search moved clients.
func (v *view) searchRounds() (rounds []int) {
	for _, a := range v.Assignments {
		if a.Why == federation.BySearch && !slices.Contains(rounds, a.Round) {
			rounds = append(rounds, a.Round)
		}
	}
	return rounds
}

// readSearch reads a search. It returns nil if there is none.
func (v *view) readSearch(d *Dir, title string) (*searchView, error) {
	var file clustersJSON
	if err := d.ReadJSON(ClustersFile, &file); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	s := &searchView{Title: title, Explained: file.Explained, graph: file.Graph, Candidates: file.candidates()}
	if file.Like != nil {
		s.Like = file.Like.sentences()
	}
	clients := 0
	for _, members := range file.Clusters {
		clients += len(members)
	}
	s.Note = fmt.Sprintf("This search put %s into %s.", numfmt.Count(clients, "client"), numfmt.Count(len(file.Clusters), "cluster"))
	switch file.FoundBy {
	case similarity.FoundByTest:
		s.Note += " Statistical tests on what the clients sent found them: clients are in one cluster unless a test tells them apart."
	case similarity.FoundBySimilarity:
		s.Note += " They were cut from the similarity of the clients."
	}
	if file.ARI != nil {
		s.Note += fmt.Sprintf(" The adjusted Rand index to the true groups is %.3f (1 is equal, 0 is chance).", *file.ARI)
	}
	if len(s.Candidates) > 1 && file.FoundBy != similarity.FoundByTest {
		chart, text := ruleChart(v.rule(file.Rule), s.Candidates, len(file.Eigen) > 0)
		html, err := chart.HTML()
		if err != nil {
			return nil, err
		}
		s.Drawings = append(s.Drawings, drawing{Title: "The number of clusters", Text: text, HTML: html})
	}
	if err := s.drawMatrix(d, &file); err != nil {
		return nil, err
	}
	return s, s.drawGraph(d, v.Classes)
}

// rule returns the rule that chose the clusters: the rule in clusters.json or, for files of earlier versions, the rule in the
// configuration.
func (v *view) rule(rule string) string {
	for _, p := range v.Config {
		if rule == "" && strings.HasSuffix(p.Key, "-choose") {
			rule = p.Value
		}
	}
	return rule
}

// drawMatrix draws the dendrogram and the distance matrix of the clients.
func (s *searchView) drawMatrix(d *Dir, file *clustersJSON) error {
	rows := file.Rows
	if rows == nil {
		rows = file.Clients
	}
	matrix, err := d.readProximity(drawnClients)
	if err != nil {
		return err
	}
	clusters := file.places(rows)
	tree, threshold := file.tree(), float64(file.Threshold)
	text := "The clients merge in the order of their proximity. Branches have the colours of the clusters."
	if file.FoundBy == similarity.FoundByTest {
		threshold = math.NaN()
		text = "The clients merge by average linkage of their distances. The tests found the clusters; they were not cut from this tree."
		if matrix != nil {
			if tree, err = averageTree(matrix); err != nil {
				return err
			}
		}
	}
	if tree != nil && clustered(clusters) == tree.N {
		html, err := plot.DendrogramHTML(tree, clusters, threshold)
		if err != nil {
			return err
		}
		if tree.N > plot.PageLeaves {
			text += " This is the top of the tree; a wedge stands for the clients below it."
		}
		s.Drawings = append(s.Drawings, drawing{Title: "Dendrogram of the clients", Text: text, HTML: html})
	}
	if matrix == nil || clustered(clusters) != matrix.SymmetricDim() {
		return nil
	}
	html, err := plot.HeatMapHTML(matrix, clusters)
	if err != nil {
		return err
	}
	text = "The proximity of each pair of clients, ordered by cluster. 0 means that they are alike."
	if file.FoundBy == similarity.FoundByTest {
		text = "The distance of each pair of clients in units of its noise, ordered by cluster. A distance near 0 means that both draw from one distribution."
	}
	if file.Rows != nil {
		text += fmt.Sprintf(" A random sample of %s.", numfmt.Count(len(file.Rows), "client"))
	}
	s.Drawings = append(s.Drawings, drawing{Title: "Distances between the clients", Text: text, HTML: html})
	return nil
}

func clustered(clusters [][]int) (n int) {
	for _, members := range clusters {
		n += len(members)
	}
	return n
}

// drawGraph draws the CC-graph.
func (s *searchView) drawGraph(d *Dir, classes []string) error {
	var file ccGraphJSON
	if err := d.ReadJSON(ccGraphFile, &file); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if len(file.Edges) == 0 { // a single cluster has no sources
		return nil
	}
	graph := CCGraph{Classes: classes, Sources: make([][]int, len(file.Nodes)), Scores: mat.NewDense(len(file.Nodes), len(file.Nodes), nil)}
	var nodes []plot.Node
	for _, n := range file.Nodes {
		nodes = append(nodes, plot.Node{Size: n.Clients, Label: numfmt.Count(n.Clients, "client"), Detail: commonest(n.Classes, classes, 3)})
	}
	for _, e := range file.Edges {
		if e.Learner < 0 || e.Learner >= len(nodes) || e.Source < 0 || e.Source >= len(nodes) {
			return fmt.Errorf("reading %s: an edge from cluster %d to cluster %d of %d", d.Path(ccGraphFile), e.Learner, e.Source, len(nodes))
		}
		graph.Sources[e.Learner] = append(graph.Sources[e.Learner], e.Source)
		graph.Scores.Set(e.Learner, e.Source, float64(e.Score))
	}
	html, err := plot.GraphHTML("CC-graph", nodes, graph.edges())
	if err != nil {
		return err
	}
	s.Drawings = append(s.Drawings, drawing{
		Title: "CC-graph: who learns from whom", HTML: html,
		Text: "The class complementarity graph. An arrow points from a learner to the source that it learns from. It is thicker if the classes of the two complement each other more. The area of a node is its number of clients. Only FedDAG with two encoders trains along this graph.",
	})
	return nil
}

// readProximity reads proximity.npy. It returns nil if the file does not exist or has more clients than the given number.
func (d *Dir) readProximity(most int) (*mat.SymDense, error) {
	f, err := os.Open(d.Path(proximityFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", d.Path(proximityFile), cause(err))
	}
	defer f.Close()
	m, err := readSquare(f, most)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", d.Path(proximityFile), err)
	}
	return m, nil
}
