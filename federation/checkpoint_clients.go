package federation

import (
	"encoding/binary"
	"fmt"
)

// clientBytes are a checkpoint's numbers of every client, as bytes (base64 in JSON): it is written every round, and for
// 100,000 clients JSON takes a quarter of a second.
type clientBytes struct {
	Scores []byte `json:"scores"` // float64, little-endian: best and last, each before and after, each balanced and plain
	Counts []byte `json:"counts"` // int64, little-endian: bytes up and down, samples trained and forwarded
}

const (
	scoresOfClient = 8
	countsOfClient = 4
)

// pack returns the numbers of Best, Last and Ledger.
func (c *Checkpoint) pack() (p clientBytes) {
	scores := make([]float64, 0, scoresOfClient*len(c.Best))
	for i, best := range c.Best {
		for _, s := range []Score{best.Pre, best.Post, c.Last[i].Pre, c.Last[i].Post} {
			scores = append(scores, s.Balanced, s.Accuracy)
		}
	}
	counts := make([]int64, 0, countsOfClient*len(c.Ledger.Clients))
	for i, sent := range c.Ledger.Clients {
		counts = append(counts, sent[0], sent[1], c.Ledger.Work[i].Training, c.Ledger.Work[i].Forward)
	}
	p.Scores, _ = binary.Append(nil, binary.LittleEndian, scores) // slices of numbers always encode
	p.Counts, _ = binary.Append(nil, binary.LittleEndian, counts)
	return p
}

// unpack sets Best, Last and the ledger's clients from what pack returned.
func (c *Checkpoint) unpack() error {
	n := len(c.Clients.Counts) / (8 * countsOfClient)
	if c.Ledger == nil || len(c.Clients.Counts) != 8*countsOfClient*n || len(c.Clients.Scores) != 8*scoresOfClient*n {
		return fmt.Errorf("%d bytes of scores and %d of counts", len(c.Clients.Scores), len(c.Clients.Counts))
	}
	scores, counts := make([]float64, scoresOfClient*n), make([]int64, countsOfClient*n)
	if _, err := binary.Decode(c.Clients.Scores, binary.LittleEndian, scores); err != nil {
		return err
	}
	if _, err := binary.Decode(c.Clients.Counts, binary.LittleEndian, counts); err != nil {
		return err
	}
	c.Best, c.Last = make([]PrePost, n), make([]PrePost, n)
	c.Ledger.Clients, c.Ledger.Work = make([][2]int64, n), make([]Work, n)
	for i := range n {
		s, k := scores[scoresOfClient*i:], counts[countsOfClient*i:]
		c.Best[i] = PrePost{Score{s[0], s[1]}, Score{s[2], s[3]}}
		c.Last[i] = PrePost{Score{s[4], s[5]}, Score{s[6], s[7]}}
		c.Ledger.Clients[i], c.Ledger.Work[i] = [2]int64{k[0], k[1]}, Work{k[2], k[3]}
	}
	c.Clients = clientBytes{}
	return nil
}
