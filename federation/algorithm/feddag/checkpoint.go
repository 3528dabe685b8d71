package feddag

import (
	"encoding/json"
	"fmt"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/similarity"
	"feddag/torch"
)

// checkpointMeta is the part of a checkpoint that is neither weights nor the roster.
type checkpointMeta struct {
	Clusters [][]int     `json:"clusters"`
	Graph    [][]int     `json:"graph"`                  // sources of each learner of the CC-graph
	Scores   [][]float64 `json:"scores"`                 // H of the graph's edges
	Bodies   [][]int     `json:"bodies,omitempty"`       // clusters that share an encoder, but not its first layer if First is set
	First    [][]int     `json:"first_layers,omitempty"` // clusters that share the first layer of the encoder
	Heads    [][]int     `json:"heads,omitempty"`        // clusters that share a head
	Server   []int       `json:"server,omitempty"`       // clusters that have a state of the server's optimiser
	Places   []int       `json:"places,omitempty"`       // client id at each position in the roster, if there is a roster
}

// rosterBlob is the name of the roster in a checkpoint.
const rosterBlob = "roster"

// Save implements [federation.Checkpointer]. The roster is encoded again only after it has changed.
func (a *FedDAG) Save() (federation.Saved, error) {
	meta := checkpointMeta{Clusters: a.clusters, Graph: a.graph, Scores: a.edgeScores, Bodies: a.sharing.Encoders, First: a.sharing.FirstLayers, Heads: a.sharing.Heads}
	s := federation.Saved{Vectors: map[string][]float32{}}
	for z, x := range a.serverStates {
		if x != nil {
			meta.Server = append(meta.Server, z)
			x.Save(&s, z)
		}
	}
	var err error
	if a.roster != nil {
		if a.encodedRoster == nil {
			if a.encodedRoster, err = a.roster.save(); err != nil {
				return federation.Saved{}, fmt.Errorf("saving the roster: %w", err)
			}
		}
		meta.Places, s.Blobs = a.rosterIDs, map[string][]byte{rosterBlob: a.encodedRoster}
	}
	if s.Meta, err = json.Marshal(meta); err != nil {
		return federation.Saved{}, fmt.Errorf("saving the clusters: %w", err)
	}
	for _, m := range a.Models() {
		if s.Vectors[m.Name], err = m.State.Floats(); err != nil {
			return federation.Saved{}, fmt.Errorf("saving %s: %w", m.Name, err)
		}
	}
	for z, psi := range a.classifiers {
		if psi == nil {
			continue
		}
		if s.Vectors[classifierName(z)], err = psi.Floats(); err != nil {
			return federation.Saved{}, fmt.Errorf("saving %s: %w", classifierName(z), err)
		}
	}
	return s, nil
}

// Load implements [federation.Checkpointer].
func (a *FedDAG) Load(env *federation.Env, s federation.Saved) error {
	var meta checkpointMeta
	if err := json.Unmarshal(s.Meta, &meta); err != nil {
		return fmt.Errorf("the clusters: %w", err)
	}
	if err := a.setClustering(len(env.Clients), meta.Clusters, meta.Graph, meta.Scores); err != nil {
		return err
	}
	a.sharing = similarity.Sharing{FirstLayers: meta.First, Encoders: meta.Bodies, Heads: meta.Heads}
	if meta.First == nil { // a run of an older version, which shared whole encoders
		a.sharing.FirstLayers = meta.Bodies
	}
	if err := a.checkSharing(); err != nil {
		return err
	}
	for _, c := range env.Present() {
		if a.clusterOf[c.ID] < 0 {
			return fmt.Errorf("client %d is present, but is in no cluster", c.ID)
		}
	}
	if err := a.loadNetworks(env); err != nil {
		return err
	}
	for z, members := range meta.Clusters {
		var state, psi *torch.Vector
		if len(members) > 0 {
			var err error
			if state, err = s.Vector(env, clusterName(z), a.net.Len()); err != nil {
				return err
			}
			if a.usesClassifiers() {
				if psi, err = s.Vector(env, classifierName(z), a.sourceNet.Range(torch.Head).Len()); err != nil {
					state.Close()
					return err
				}
			}
		}
		a.states, a.classifiers = append(a.states, state), append(a.classifiers, psi)
	}
	for _, z := range meta.Server {
		if z < 0 || z >= len(a.states) {
			return fmt.Errorf("there is a state of the server's optimiser for cluster %d, but there are %d clusters", z, len(a.states))
		}
		if a.serverStates == nil {
			a.serverStates = make([]*algorithm.ServerState, len(a.states))
		}
		var err error
		if a.serverStates[z], err = algorithm.LoadServerState(env.Server, s, z, a.net.Len()); err != nil {
			return err
		}
	}
	if !env.ClientsMayChange() {
		return nil
	}
	var err error
	if a.roster, err = readRoster(s.Blobs[rosterBlob], a.ClustersBy, a.SketchOptions(env.Seed)); err != nil {
		return err
	}
	a.rosterIDs = meta.Places
	if n := len(a.roster.sketches().ClassCounts()); len(a.rosterIDs) != n {
		return fmt.Errorf("the roster has %d clients, but the checkpoint names %d", n, len(a.rosterIDs))
	}
	return nil
}
