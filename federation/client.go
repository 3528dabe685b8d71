package federation

import (
	"slices"

	"feddag/federation/partition"
)

// Client is one participant. A Client is shared and never modified: a client whose data change gets a new value.
type Client struct {
	ID          int
	Train, Test []int32 // indices into the training and the test images of the data set
	LabelMap    []uint8 // maps a label of the data set to the label that this client uses; nil is the identity
	Group       int     // true group of the partition, or -1 if the partition has none; for reports, not for algorithms
	HeldOut     bool    // absent when the run starts; the client may come later (see [Newcomer])
}

// Size returns n_i, the number of the client's training samples.
func (c *Client) Size() int { return len(c.Train) }

// NewClients turns a partition into clients.
func NewClients(p *partition.Partition) []*Client {
	clients := make([]*Client, len(p.Shards))
	for i, s := range p.Shards {
		clients[i] = &Client{ID: i, Train: s.Train, Test: s.Test, LabelMap: s.LabelMap, Group: -1, HeldOut: p.IsHeldOut(i)}
		if p.Groups != nil {
			clients[i].Group = p.Groups[i]
		}
	}
	return clients
}

// ByID returns clients in ascending id. A method that sums over a cohort sorts it first, so that the result does not depend
// on the order in which the cohort came.
func ByID(clients []*Client) []*Client {
	return slices.SortedFunc(slices.Values(clients), func(a, b *Client) int { return a.ID - b.ID })
}

// Sizes returns the clients' n_i, the usual weights of an average.
func Sizes(clients []*Client) []float64 {
	w := make([]float64, len(clients))
	for i, c := range clients {
		w[i] = float64(c.Size())
	}
	return w
}
