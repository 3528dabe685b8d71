package feddag

import (
	"encoding/json"
	"fmt"

	"feddag/federation"
	"feddag/similarity"
	"feddag/torch"
)

// feddagMeta is the part of a checkpoint that is not weights.
type feddagMeta struct {
	Clusters [][]int     `json:"clusters"`
	Graph    [][]int     `json:"graph"`
	Scores   [][]float64 `json:"scores"`           // H of the graph's edges
	Places   []int       `json:"places,omitempty"` // the client of each place in the roster, where there is one
}

// rosterBlob is the name of the roster in a checkpoint.
const rosterBlob = "roster"

// Save implements [Checkpointer].
func (a *FedDAG) Save() (federation.Saved, error) {
	m := feddagMeta{Clusters: a.clusters, Graph: a.graph, Scores: a.edgeScores}
	s := federation.Saved{Vectors: map[string][]float32{}}
	var err error
	if a.roster != nil {
		if a.encodedRoster == nil {
			if a.encodedRoster, err = a.roster.Save(); err != nil {
				return federation.Saved{}, err
			}
		}
		m.Places, s.Blobs = a.rosterIDs, map[string][]byte{rosterBlob: a.encodedRoster}
	}
	if s.Meta, err = json.Marshal(m); err != nil {
		return federation.Saved{}, err
	}
	for _, m := range a.Models() {
		if s.Vectors[m.Name], err = m.State.Floats(); err != nil {
			return federation.Saved{}, err
		}
	}
	for z, psi := range a.classifiers {
		if psi == nil {
			continue
		}
		if s.Vectors[classifierName(z)], err = psi.Floats(); err != nil {
			return federation.Saved{}, err
		}
	}
	return s, nil
}

// Load implements [Checkpointer].
func (a *FedDAG) Load(env *federation.Env, s federation.Saved) error {
	var meta feddagMeta
	if err := json.Unmarshal(s.Meta, &meta); err != nil {
		return err
	}
	if err := a.setClustering(len(env.Clients), meta.Clusters, meta.Graph, meta.Scores); err != nil {
		return err
	}
	if err := a.loadNetworks(env); err != nil {
		return err
	}
	for z, members := range meta.Clusters {
		var v, psi *torch.Vector
		if len(members) > 0 {
			var err error
			if v, err = s.Vector(env, clusterName(z), a.net.Len()); err != nil {
				return err
			}
			if a.usesClassifiers() {
				if psi, err = s.Vector(env, classifierName(z), a.sourceNet.Range(torch.Head).Len()); err != nil {
					return err
				}
			}
		}
		a.states, a.classifiers = append(a.states, v), append(a.classifiers, psi)
	}
	if !env.ClientsMayChange() {
		return nil
	}
	var err error
	if a.roster, err = similarity.ReadRoster(s.Blobs[rosterBlob], a.SketchOptions(env.Seed)); err != nil {
		return err
	}
	if a.rosterIDs = meta.Places; len(a.rosterIDs) != len(a.roster.Sketches) {
		return fmt.Errorf("a roster of %d clients for %d", len(a.roster.Sketches), len(a.rosterIDs))
	}
	return nil
}
