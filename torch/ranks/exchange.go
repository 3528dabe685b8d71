package ranks

import (
	"fmt"

	"feddag/torch"
)

// Gather returns the bytes of each rank, which may have different lengths. what describes the bytes and must be the same in
// all ranks. problem is the reason why this rank has none, or nil; if it is set, every rank gets an error.
func (r *Ranks) Gather(what string, mine []byte, problem error) ([][]byte, error) {
	all, err := r.meet(arrival{What: what, Bytes: int64(len(mine))}, problem)
	if err != nil {
		return nil, err
	}
	longest := int64(0)
	for _, a := range all {
		longest = max(longest, a.Bytes)
	}
	padded := append(mine[:len(mine):len(mine)], make([]byte, longest-int64(len(mine)))...)
	var joined []byte
	err = r.collect(func() (err error) {
		joined, err = r.group.Gather(padded)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	parts := make([][]byte, len(all))
	for rank, a := range all {
		begin := int64(rank) * longest
		parts[rank] = joined[begin : begin+a.Bytes : begin+a.Bytes]
	}
	r.count(longest)
	return parts, nil
}

// Once calls do only in rank 0, and returns its result in every rank.
func (r *Ranks) Once(what string, do func() ([]byte, error)) ([]byte, error) {
	var data []byte
	var problem error
	if r.place.Rank == 0 {
		data, problem = do()
	}
	all, err := r.meet(arrival{What: what, Bytes: int64(len(data))}, problem)
	if err != nil {
		return nil, err
	}
	if r.place.Rank != 0 {
		data = make([]byte, all[0].Bytes)
	}
	if err := r.collect(func() error { return r.group.Broadcast(data, 0) }); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if r.place.Rank == 0 {
		r.traffic.Sent += int64(len(data))
	} else {
		r.traffic.Received += int64(len(data))
	}
	return data, nil
}

// gatherVectors returns the vectors of all ranks, one after another. The vectors must have the same length, and all ranks
// must have met before.
func (r *Ranks) gatherVectors(mine *torch.Vector) (joined *torch.Vector, err error) {
	err = r.collect(func() (err error) {
		joined, err = r.group.GatherVectors(mine)
		return err
	})
	r.count(4 * int64(mine.Len()))
	return joined, err
}

// collect runs a collective operation. If it fails, the error is about the rank that was lost.
func (r *Ranks) collect(fn func() error) error {
	err := r.ask(fn)
	if err != nil && r.Err() == nil {
		return r.lost(err)
	}
	return err
}

// count adds a gathering of the given number of bytes per rank to the traffic.
func (r *Ranks) count(bytes int64) {
	r.traffic.Sent += bytes
	r.traffic.Received += bytes * int64(r.place.Size-1)
}
