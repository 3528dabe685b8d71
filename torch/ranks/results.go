package ranks

import (
	"encoding/binary"
	"fmt"
	"math"

	"feddag/torch"
)

// scalarBytes returns the number of bytes of a training's results other than its weights: whether they are finite, the number
// of forward passes, and the losses.
func scalarBytes(epochs int) int { return 1 + 8 + 8*epochs }

// exchangeTrained gives every rank the results of all ranks. owner has the rank of each job, done has the results of this
// rank's jobs in their order, and problem is the reason if there are none.
func (s *Spread) exchangeTrained(what string, net *torch.Network, jobs []torch.Job, owner []int, done []torch.Trained, parts torch.Part, problem error) ([]torch.Trained, error) {
	scalars := make([]byte, 0, 64*len(done))
	for _, t := range done {
		scalars = append(scalars, 0)
		if t.Finite {
			scalars[len(scalars)-1] = 1
		}
		scalars = binary.LittleEndian.AppendUint64(scalars, uint64(t.Forward))
		for _, l := range t.Loss {
			scalars = binary.LittleEndian.AppendUint64(scalars, math.Float64bits(l))
		}
	}
	gathered, err := s.ranks.Gather(what, scalars, problem)
	if err != nil {
		return nil, err
	}
	weights, err := s.packed(net, jobs, owner, done, parts)
	if err != nil {
		return nil, err // this rank has too little memory; the others notice when it leaves
	}
	defer weights.close()
	joined, err := s.ranks.gatherVectors(weights.mine)
	if err != nil {
		return nil, err
	}
	defer joined.Close()
	all := make([]torch.Trained, len(jobs))
	own := 0
	at := make([]int, s.ranks.Size()) // position in each rank's scalars
	for i, j := range jobs {
		rank, n := owner[i], scalarBytes(len(j.Order))
		if rank == s.ranks.Rank() {
			all[i] = done[own]
			own++
			continue
		}
		raw := gathered[rank]
		if len(raw) < at[rank]+n {
			err = fmt.Errorf("%s has sent %d bytes for its trainings, too few", s.ranks.Name(rank), len(raw))
		} else {
			all[i], err = weights.unpack(joined, net, i, j, raw[at[rank]:at[rank]+n])
		}
		if err != nil {
			for k := range i {
				if owner[k] != s.ranks.Rank() {
					torch.CloseTrained(all[k : k+1])
				}
			}
			return nil, err
		}
		at[rank] += n
	}
	return all, nil
}

// packing describes the positions of each job's trained values in the gathered vectors.
type packing struct {
	ranges []torch.Range // ranges of a state that training has changed
	begin  []int         // start of each job in the joined vector
	mine   *torch.Vector
}

func (p *packing) close() { p.mine.Close() }

// packed packs the trained ranges of this rank's results, and the extra values of their objectives, into one vector. The
// vectors of all ranks have the same length, which is determined by the rank with the most values.
func (s *Spread) packed(net *torch.Network, jobs []torch.Job, owner []int, done []torch.Trained, parts torch.Part) (*packing, error) {
	p := &packing{begin: make([]int, len(jobs))}
	values := 0
	for _, part := range []torch.Part{torch.Primary, torch.Secondary, torch.Head} {
		if r := net.Range(part); parts&part != 0 && r.Len() > 0 {
			p.ranges = append(p.ranges, r)
			values += r.Len()
		}
	}
	length := make([]int, s.ranks.Size())
	for i, j := range jobs {
		p.begin[i] = length[owner[i]]
		length[owner[i]] += values + extraLen(j)
	}
	longest := 0
	for _, n := range length {
		longest = max(longest, n)
	}
	for i := range jobs {
		p.begin[i] += owner[i] * longest
	}
	var err error
	if p.mine, err = torch.NewVector(jobs[0].Start.Device(), longest); err != nil {
		return nil, err
	}
	at := 0
	for _, t := range done {
		for _, r := range p.ranges {
			if err := p.mine.Copy(torch.Range{Begin: at, End: at + r.Len()}, t.End, r); err != nil {
				p.close()
				return nil, err
			}
			at += r.Len()
		}
		if t.Extra != nil {
			if err := p.mine.Copy(torch.Range{Begin: at, End: at + t.Extra.Len()}, t.Extra, t.Extra.Range()); err != nil {
				p.close()
				return nil, err
			}
			at += t.Extra.Len()
		}
	}
	return p, nil
}

func extraLen(j torch.Job) int {
	if j.Extra == nil {
		return 0
	}
	return j.Extra.Len()
}

// unpack makes the result of job i from the joined vector and the job's scalars. Parts that were not trained keep their
// initial values.
func (p *packing) unpack(joined *torch.Vector, net *torch.Network, i int, job torch.Job, scalars []byte) (t torch.Trained, err error) {
	t.Finite, t.Forward = scalars[0] != 0, int64(binary.LittleEndian.Uint64(scalars[1:]))
	for e := range job.Order {
		t.Loss = append(t.Loss, math.Float64frombits(binary.LittleEndian.Uint64(scalars[9+8*e:])))
	}
	defer func() {
		if err != nil {
			torch.CloseTrained([]torch.Trained{t})
		}
	}()
	if t.End, err = job.Start.Clone(); err != nil {
		return t, err
	}
	at := p.begin[i]
	for _, r := range p.ranges {
		if err = t.End.Copy(r, joined, torch.Range{Begin: at, End: at + r.Len()}); err != nil {
			return t, err
		}
		at += r.Len()
	}
	if n := extraLen(job); n > 0 {
		if t.Extra, err = torch.NewVector(joined.Device(), n); err != nil {
			return t, err
		}
		err = t.Extra.Copy(t.Extra.Range(), joined, torch.Range{Begin: at, End: at + n})
	}
	return t, err
}

// exchangePredicted gives every rank the predictions of all ranks, as exchangeTrained does for trainings.
func (s *Spread) exchangePredicted(what string, net *torch.Network, jobs []torch.Prediction, owner []int, done []torch.Predicted, problem error) ([]torch.Predicted, error) {
	var mine []byte
	for _, p := range done {
		mine = append(mine, p.Classes...)
		mine = binary.LittleEndian.AppendUint64(mine, math.Float64bits(p.Loss))
		for _, x := range [][]float32{p.Losses, p.LogProbabilities, p.Features} {
			for _, v := range x {
				mine = binary.LittleEndian.AppendUint32(mine, math.Float32bits(v))
			}
		}
	}
	gathered, err := s.ranks.Gather(what, mine, problem)
	if err != nil {
		return nil, err
	}
	width := net.Features()
	if net.Dual() {
		width *= 2
	}
	all := make([]torch.Predicted, len(jobs))
	own := 0
	for i, j := range jobs {
		rank, n := owner[i], len(j.Samples)
		if rank == s.ranks.Rank() {
			all[i] = done[own]
			own++
			continue
		}
		bytes := 5*n + 8
		if j.LogProbabilities {
			bytes += 4 * n * net.Classes()
		}
		if j.Features {
			bytes += 4 * n * width
		}
		raw := gathered[rank]
		if len(raw) < bytes {
			return nil, fmt.Errorf("%s has sent too few bytes for its predictions", s.ranks.Name(rank))
		}
		gathered[rank] = raw[bytes:]
		p := &all[i]
		p.Classes = append([]uint8{}, raw[:n]...)
		p.Loss = math.Float64frombits(binary.LittleEndian.Uint64(raw[n:]))
		raw = raw[n+8:]
		p.Losses, raw = floats(raw, n)
		if j.LogProbabilities {
			p.LogProbabilities, raw = floats(raw, n*net.Classes())
		}
		if j.Features {
			p.Features, _ = floats(raw, n*width)
		}
	}
	return all, nil
}

// floats reads n values and returns the bytes after them.
func floats(raw []byte, n int) ([]float32, []byte) {
	x := make([]float32, n)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return x, raw[4*n:]
}
