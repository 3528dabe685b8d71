package ranks

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// arrival is the message of a rank that is ready for an exchange.
type arrival struct {
	What    string `json:"what"`              // description of the exchange; the same in all ranks
	Bytes   int64  `json:"bytes,omitempty"`   // number of bytes that the rank contributes
	Value   []byte `json:"value,omitempty"`   // data that is small enough to be part of the message
	Problem string `json:"problem,omitempty"` // why the rank cannot take part
}

func helloKey(rank int) string             { return fmt.Sprintf("hello/%d", rank) }
func leftKey(rank int) string              { return fmt.Sprintf("left/%d", rank) }
func beatKey(rank int) string              { return fmt.Sprintf("beat/%d", rank) }
func readyKey(call int64, rank int) string { return fmt.Sprintf("ready/%d/%d", call, rank) }

// meet waits until every rank is ready for the same exchange and returns their messages. problem is the reason why this rank
// cannot take part, or nil; if it is set, meet returns it, and the others get an error that names this rank.
func (r *Ranks) meet(mine arrival, problem error) ([]arrival, error) {
	if err := r.Err(); err != nil {
		return nil, errors.Join(err, problem)
	}
	if problem != nil {
		mine.Problem, mine.Value, mine.Bytes = problem.Error(), nil, 0
	}
	raw, err := json.Marshal(mine)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	defer func() { r.traffic.Waited += time.Since(began) }()
	call := r.calls
	r.calls++
	r.traffic.Calls = r.calls
	if err := r.ask(func() error { return r.store.Set(readyKey(call, r.place.Rank), raw) }); err != nil {
		return nil, errors.Join(problem, r.lost(err))
	}
	if problem != nil {
		return nil, problem
	}
	all := make([]arrival, r.place.Size)
	for rank := range all {
		if rank == r.place.Rank {
			all[rank] = mine
			continue
		}
		var raw []byte
		if err := r.poll(readyKey(call, rank), &raw, nil); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &all[rank]); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name(rank), err)
		}
	}
	for rank, a := range all {
		switch {
		case a.Problem != "":
			return nil, fmt.Errorf("%s: %s", r.Name(rank), a.Problem)
		case a.What != all[0].What:
			return nil, fmt.Errorf("the ranks are out of step in exchange %d: %s is at %q, and %s at %q; this is a bug, or the machines compute different results",
				call, r.Name(rank), a.What, r.Name(0), all[0].What)
		}
	}
	if call > 0 { // All ranks have reached this exchange, so no rank needs the message of the last one.
		if err := r.ask(func() error { return r.store.Delete(readyKey(call-1, r.place.Rank)) }); err != nil {
			return nil, r.lost(err)
		}
	}
	return all, nil
}

// poll waits for a key and reads it. between, if set, is called between two attempts; its error ends the wait.
func (r *Ranks) poll(key string, value *[]byte, between func() error) error {
	// The store needs about 0.1 ms per attempt. Most waits are as long as the difference in speed between ranks.
	for pause := 100 * time.Microsecond; ; pause = min(pause*5/4, 20*time.Millisecond) {
		there := false
		err := r.ask(func() (err error) {
			*value, there, err = r.store.Get(key)
			return err
		})
		if err != nil {
			return r.lost(err)
		}
		if there {
			return nil
		}
		if between != nil {
			if err := between(); err != nil {
				return err
			}
		}
		select {
		case <-r.ctx.Done():
			return r.Err()
		case <-time.After(pause):
		}
	}
}

// lost returns the error for a failed store or collective operation. The failure itself does not name the rank that caused
// it, so lost returns the error of the rank that watch finds lost, or that has left.
func (r *Ranks) lost(err error) error {
	select {
	case <-r.ctx.Done():
		return r.Err()
	case <-time.After(r.o.Silence + 2*r.o.Beat):
		return err
	}
}

// End is the last exchange of a run that has succeeded.
func (r *Ranks) End() error {
	_, err := r.meet(arrival{What: "end"}, nil)
	r.ended = err == nil
	return err
}

// Agree reports whether any rank says yes.
func (r *Ranks) Agree(what string, yes bool) (bool, error) {
	value := []byte{0}
	if yes {
		value[0] = 1
	}
	all, err := r.meet(arrival{What: what, Value: value}, nil)
	if err != nil {
		return false, err
	}
	for _, a := range all {
		yes = yes || len(a.Value) == 1 && a.Value[0] == 1
	}
	return yes, nil
}

// Same returns an error that names the first rank whose value differs from the value of rank 0.
func (r *Ranks) Same(what string, value []byte) error {
	all, err := r.meet(arrival{What: what, Value: value}, nil)
	if err != nil {
		return err
	}
	for rank, a := range all {
		if string(a.Value) != string(all[0].Value) {
			return fmt.Errorf("%s of %s differs from that of %s: the machines compute different results", what, r.Name(rank), r.Name(0))
		}
	}
	return nil
}
