package federation

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// clientBytes are the numbers of all clients in a checkpoint, as bytes (base64 in JSON). A checkpoint may be written in every
// round, and the same numbers in JSON would take a quarter of a second for 100,000 clients.
type clientBytes struct {
	// Scores has 8 little-endian float64 for each client. They are the best scores and then the last scores. Both consist of
	// the score before and the score after local training, and each score of the balanced and the plain accuracy.
	Scores []byte `json:"scores"`
	// Counts has 4 little-endian int64 for each client: bytes up, bytes down, training samples and samples that only went forward.
	Counts []byte `json:"counts"`
}

// These are the counts of the numbers of each client in clientBytes.
const (
	scoresPerClient = 8
	countsPerClient = 4
)

// pack returns the numbers of all clients in Best, Last and Ledger.
func (c *Checkpoint) pack() (p clientBytes) {
	scores := make([]float64, 0, scoresPerClient*len(c.Best))
	for i, best := range c.Best {
		for _, s := range []Score{best.Pre, best.Post, c.Last[i].Pre, c.Last[i].Post} {
			scores = append(scores, s.Balanced, s.Accuracy)
		}
	}
	counts := make([]int64, 0, countsPerClient*len(c.Ledger.Clients))
	for i, sent := range c.Ledger.Clients {
		counts = append(counts, sent[0], sent[1], c.Ledger.Work[i].Training, c.Ledger.Work[i].Forward)
	}
	p.Scores, _ = binary.Append(nil, binary.LittleEndian, scores) // it cannot fail for slices of numbers
	p.Counts, _ = binary.Append(nil, binary.LittleEndian, counts)
	return p
}

// unpack sets Best, Last and the numbers of the clients in Ledger from the bytes in Clients, which it clears. It is an error if
// the numbers of bytes do not belong to the same number of clients.
func (c *Checkpoint) unpack() error {
	n := len(c.Clients.Counts) / (8 * countsPerClient)
	if c.Ledger == nil || len(c.Clients.Counts) != 8*countsPerClient*n || len(c.Clients.Scores) != 8*scoresPerClient*n {
		return fmt.Errorf("%d bytes of scores do not match %d bytes of counts", len(c.Clients.Scores), len(c.Clients.Counts))
	}
	if c.Ledger.Total.Up == nil || c.Ledger.Total.Down == nil {
		return errors.New("the traffic of the run is missing")
	}
	scores, counts := make([]float64, scoresPerClient*n), make([]int64, countsPerClient*n)
	if _, err := binary.Decode(c.Clients.Scores, binary.LittleEndian, scores); err != nil {
		return err
	}
	if _, err := binary.Decode(c.Clients.Counts, binary.LittleEndian, counts); err != nil {
		return err
	}
	c.Best, c.Last = make([]PrePost, n), make([]PrePost, n)
	c.Ledger.Clients, c.Ledger.Work = make([][2]int64, n), make([]Work, n)
	for i := range n {
		s, k := scores[scoresPerClient*i:], counts[countsPerClient*i:]
		c.Best[i] = PrePost{Score{s[0], s[1]}, Score{s[2], s[3]}}
		c.Last[i] = PrePost{Score{s[4], s[5]}, Score{s[6], s[7]}}
		c.Ledger.Clients[i], c.Ledger.Work[i] = [2]int64{k[0], k[1]}, Work{k[2], k[3]}
	}
	c.Clients = clientBytes{}
	return nil
}
