package federation

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"unsafe"

	"feddag/internal/deal"
)

// Peers are the processes that do a run together. Each of them does the whole run with the same results, but they share the
// work that takes long. Package torch/ranks implements Peers, and an executor that shares local training and evaluation.
type Peers interface {
	Rank() int // the number of this process, from 0
	Size() int
	// Gather returns the bytes of each process. what describes them and is the same in all processes. If problem is not nil, it
	// says why this process has no bytes, and every process gets an error.
	Gather(what string, mine []byte, problem error) ([][]byte, error)
	// Once calls do in process 0 alone and returns what it returned in every process.
	Once(what string, do func() ([]byte, error)) ([]byte, error)
	// Agree reports whether yes is true in any of the processes.
	Agree(what string, yes bool) (bool, error)
	// Same returns an error unless the value is the same in all processes.
	Same(what string, value []byte) error
}

// Share divides the work of n results between the processes of the run. costs has the relative cost of each result. run makes
// the results with the given indices in this process. pack returns one of them for the other processes, and unpack stores a
// result that another process has made. Results are sent by encoding/gob, which keeps every bit of a float64. Afterwards all
// processes have all results, and these are the same as with one process. A process whose unpack is nil keeps only its own
// results.
func Share[T any](e *Env, what string, costs []int64, run func(places []int) error, pack func(place int) T, unpack func(place int, result T) error) error {
	if e.Peers == nil {
		all := make([]int, len(costs))
		for i := range all {
			all[i] = i
		}
		return run(all)
	}
	owner := deal.Longest(costs, e.Peers.Size())
	places := deal.Of(owner, e.Peers.Rank())
	err := run(places)
	var mine bytes.Buffer
	if err == nil {
		results := make([]T, len(places))
		for k, i := range places {
			results[k] = pack(i)
		}
		err = gob.NewEncoder(&mine).Encode(results)
	}
	gathered, err := e.Peers.Gather(fmt.Sprintf("%s of %d clients", what, len(costs)), mine.Bytes(), err)
	if err != nil {
		return err
	}
	for rank, raw := range gathered {
		if rank == e.Peers.Rank() || unpack == nil {
			continue
		}
		if err := unpackAll(raw, deal.Of(owner, rank), unpack); err != nil {
			return fmt.Errorf("%s, from rank %d: %w", what, rank, err)
		}
	}
	return nil
}

// unpackAll stores the results with the given indices, as another process sent them.
func unpackAll[T any](raw []byte, places []int, unpack func(place int, result T) error) error {
	var results []T
	if err := gob.NewDecoder(bytes.NewReader(raw)).Decode(&results); err != nil {
		return err
	}
	if len(results) != len(places) {
		return fmt.Errorf("it sent %d results, but %d were assigned to it", len(results), len(places))
	}
	for k, i := range places {
		if err := unpack(i, results[k]); err != nil {
			return err
		}
	}
	return nil
}

// Leads reports whether this process does the work that only one process of the run has to do.
func (e *Env) Leads() bool { return e.Peers == nil || e.Peers.Rank() == 0 }

// Once calls do in one process of the run, and calls decode with the bytes that do returned in the others.
func (e *Env) Once(what string, do func() ([]byte, error), decode func(raw []byte) error) error {
	if e.Peers == nil {
		_, err := do()
		return err
	}
	raw, err := e.Peers.Once(what, do)
	if err != nil || e.Leads() {
		return err
	}
	return decode(raw)
}

// stops reports whether the run is to stop after a round, because this process or one of its peers was interrupted.
func (r *Runner) stops(round int, interrupted bool) (bool, error) {
	if r.env.Peers == nil || !r.unsaved.Load() {
		return interrupted, nil
	}
	return r.env.Peers.Agree(fmt.Sprintf("whether to stop after round %d", round), interrupted)
}

// compareSaved returns an error unless all processes of the run have the same state.
func (r *Runner) compareSaved(rounds int, s Saved) error {
	if r.env.Peers == nil {
		return nil
	}
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	h.Write(s.Meta)
	for _, name := range slices.Sorted(maps.Keys(s.Vectors)) {
		fmt.Fprint(h, name)
		if x := s.Vectors[name]; len(x) > 0 {
			h.Write(unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Blobs)) {
		fmt.Fprint(h, name)
		h.Write(s.Blobs[name])
	}
	return r.env.Peers.Same(fmt.Sprintf("the state after %d rounds", rounds), h.Sum(nil))
}
