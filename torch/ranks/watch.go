package ranks

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

// watch writes heartbeats, and checks the heartbeats of the other ranks, until [Ranks.Close]. The first rank that has left
// with an error or has no heartbeat ends the context.
func (r *Ranks) watch() {
	var asked atomic.Int64 // start of the current check; 0 between two checks
	r.watcher.Go(func() {
		seen := make([]heartbeat, r.place.Size)
		for i := range seen {
			seen[i].at = time.Now()
		}
		tick := time.NewTicker(r.o.Beat)
		defer tick.Stop()
		for beat := 0; r.ctx.Err() == nil; beat++ {
			asked.Store(time.Now().UnixNano())
			err := r.look(beat, seen)
			asked.Store(0)
			if err != nil {
				r.fail(err)
				return
			}
			select {
			case <-tick.C:
			case <-r.stop:
				return
			}
		}
	})
	// If the store's server is stopped or cut off, a check does not return.
	go func() {
		tick := time.NewTicker(r.o.Beat)
		defer tick.Stop()
		for {
			select {
			case <-r.stop:
				return
			case <-tick.C:
			}
			if began := asked.Load(); began != 0 && time.Since(time.Unix(0, began)) > r.o.Silence {
				r.fail(fmt.Errorf("%s, which holds the store at %s, has not answered for %v: it is stopped, or its machine or the network is gone",
					r.holder(), r.where(), r.o.Silence))
				return
			}
		}
	}()
}

// heartbeat is the last one that a rank has written.
type heartbeat struct {
	beat string
	at   time.Time // when the heartbeat was new, by the clock of this rank
	left bool
}

// look writes a heartbeat and checks the heartbeats of the others.
func (r *Ranks) look(beat int, seen []heartbeat) error {
	if r.mute.Load() {
		return nil
	}
	if err := r.store.Set(beatKey(r.place.Rank), []byte(strconv.Itoa(beat))); err != nil {
		return r.gone(err)
	}
	for rank := range seen {
		s := &seen[rank]
		if rank == r.place.Rank || s.left {
			continue
		}
		text, left, err := r.store.Get(leftKey(rank))
		if err != nil {
			return r.gone(err)
		}
		if left {
			if len(text) > 0 {
				return &LostError{Rank: rank, err: fmt.Errorf("%s has ended: %s", r.Name(rank), text)}
			}
			s.left = true
			continue
		}
		now, _, err := r.store.Get(beatKey(rank))
		if err != nil {
			return r.gone(err)
		}
		if string(now) != s.beat {
			s.beat, s.at = string(now), time.Now()
		} else if time.Since(s.at) > r.o.Silence {
			return &LostError{Rank: rank, err: fmt.Errorf("%s has written no heartbeat for %v: it is dead or stopped, or its machine or the network is gone", r.Name(rank), r.o.Silence)}
		}
	}
	return nil
}

// gone returns the error for a lost connection to the store.
func (r *Ranks) gone(err error) error {
	return &LostError{Rank: 0, err: fmt.Errorf("%s, which holds the store at %s, is gone: %w", r.holder(), r.where(), err)}
}

// LostError is the error for a rank that has ended or has no heartbeat any more.
type LostError struct {
	Rank int
	err  error
}

// Error implements error.
func (e *LostError) Error() string { return e.err.Error() }

// Unwrap returns the underlying error.
func (e *LostError) Unwrap() error { return errors.Unwrap(e.err) }
