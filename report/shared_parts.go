package report

import (
	"fmt"
	"io"
	"slices"
)

// SharedParts lists the clusters that train parts of their networks together. Each list has two or more clusters.
type SharedParts struct {
	FirstLayers [][]int `json:"shared_first_layers,omitempty"` // first layer of the primary encoder
	Encoders    [][]int `json:"shared_encoders"`               // the other layers of the primary encoder
	Heads       [][]int `json:"shared_heads,omitempty"`
}

// sharedParts returns what clusters train together, or nil if every cluster trains alone.
func (c *Clustering) sharedParts() *SharedParts {
	several := func(lists [][]int) (out [][]int) {
		for _, list := range lists {
			if len(list) > 1 {
				out = append(out, list)
			}
		}
		return out
	}
	s := c.Result.Sharing
	p := &SharedParts{several(s.FirstLayers), several(s.Encoders), several(s.Heads)}
	if p.Encoders == nil {
		return nil
	}
	return p
}

// sentences returns what the clusters of each list train together.
func (p *SharedParts) sentences() (lines []string) {
	for _, body := range p.Encoders {
		isBody := func(list []int) bool { return slices.Equal(list, body) }
		firstLayer, head := slices.ContainsFunc(p.FirstLayers, isBody), slices.ContainsFunc(p.Heads, isBody)
		what, except := "encoder", ""
		if head {
			what = "network"
		}
		if !firstLayer {
			except = ", except its first layer"
		}
		lines = append(lines, fmt.Sprintf("clusters %s train one %s together%s", enumerated(body), what, except))
		for _, part := range []struct {
			name  string
			lists [][]int
		}{{"the first layer", p.FirstLayers}, {"the head", p.Heads}} {
			for _, list := range part.lists {
				if len(list) < len(body) && slices.Contains(body, list[0]) {
					lines = append(lines, fmt.Sprintf("clusters %s train %s together, too", enumerated(list), part.name))
				}
			}
		}
	}
	return lines
}

// printSharedParts writes the sentences about clusters that train parts of their networks together.
func (c *Clustering) printSharedParts(w io.Writer) {
	if p := c.sharedParts(); p != nil {
		for _, line := range p.sentences() {
			fmt.Fprintln(w, line)
		}
	}
}
