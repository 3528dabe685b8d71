package ranks

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

// watch gives signs of life, and looks for those of the other ranks, until [Ranks.Close]. The first rank that has left with
// an error or gives none ends the context.
func (r *Ranks) watch() {
	var asked atomic.Int64 // when the look began that is under way; 0 between two
	r.watcher.Go(func() {
		seen := make([]sign, r.place.Size)
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
	// The store's server may be stopped, or cut off: then a look does not return.
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

// sign is the last sign of life of a rank.
type sign struct {
	beat string
	at   time.Time // when it was new, by the clock of this rank
	left bool
}

// look gives a sign of life and looks at those of the others.
func (r *Ranks) look(beat int, seen []sign) error {
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
			return &LostError{Rank: rank, err: fmt.Errorf("%s has given no sign of life for %v: it is dead or stopped, or its machine or the network is gone", r.Name(rank), r.o.Silence)}
		}
	}
	return nil
}

// gone is the error for a store that has broken off.
func (r *Ranks) gone(err error) error {
	return &LostError{Rank: 0, err: fmt.Errorf("%s, which holds the store at %s, is gone: %w", r.holder(), r.where(), err)}
}

// LostError says that a rank has ended, or gives no sign of life any more.
type LostError struct {
	Rank int
	err  error
}

// Error implements error.
func (e *LostError) Error() string { return e.err.Error() }

// Unwrap returns the error behind it.
func (e *LostError) Unwrap() error { return errors.Unwrap(e.err) }
