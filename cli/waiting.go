package cli

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// quietFor is the time after which work in progress is shown for the first time.
const quietFor = 2 * time.Second

// waiting shows that work is in progress until done is called: with a moving bar on a terminal, otherwise with a line after
// two seconds and then every ten seconds. done may be called more than once. Nothing else may write to the log before done is
// called.
func waiting(log io.Writer, quiet bool, what string) (done func()) {
	return newWait(log, quiet, what).done
}

// wait shows one piece of work in progress.
type wait struct {
	what  string
	share atomic.Uint64 // parts done << 32 | all parts; 0 if they are not known
	stop  chan struct{}
	ended chan struct{}
	once  sync.Once
}

func newWait(log io.Writer, quiet bool, what string) *wait {
	w := &wait{what: what, stop: make(chan struct{}), ended: make(chan struct{})}
	switch {
	case quiet:
		close(w.ended)
	case hasBar(log, quiet):
		go w.draw(log)
	default:
		go w.say(log)
	}
	return w
}

// done ends the wait.
func (w *wait) done() {
	w.once.Do(func() { close(w.stop) })
	<-w.ended
}

// set records how much of the work is done.
func (w *wait) set(done, total int) { w.share.Store(uint64(uint32(done))<<32 | uint64(uint32(total))) }

func (w *wait) parts() (done, total int64) {
	x := w.share.Load()
	return int64(x >> 32), int64(uint32(x))
}

// draw shows a moving bar, after two seconds.
func (w *wait) draw(log io.Writer) {
	defer close(w.ended)
	select {
	case <-w.stop:
		return
	case <-time.After(quietFor):
	}
	bar := newBar(log, -1, w.what)
	if _, total := w.parts(); total > 0 {
		bar = newBar(log, total, w.what)
	}
	defer func() {
		bar.Clear()
		bar.Exit()
	}()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, total := w.parts(); total > 0 {
			bar.ChangeMax64(total)
			bar.Set64(min(done, total-1)) // a bar that reaches its end disappears
		} else {
			bar.Add(1)
		}
		select {
		case <-w.stop:
			return
		case <-tick.C:
		}
	}
}

// say prints a line after two seconds and then every ten seconds.
func (w *wait) say(log io.Writer) {
	defer close(w.ended)
	start := time.Now()
	next := quietFor
	for {
		select {
		case <-w.stop:
			return
		case <-time.After(time.Until(start.Add(next))):
		}
		text := fmt.Sprintf("%s: %.0f s so far", w.what, time.Since(start).Seconds())
		if done, total := w.parts(); total > 0 {
			text = fmt.Sprintf("%s: %.0f%%%s", w.what, 100*float64(done)/float64(total), left(start, done, total))
		}
		fmt.Fprintln(log, text)
		next += longWork
	}
}
