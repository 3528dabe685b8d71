// Package ranks runs one program on several processes, its ranks, each with a device of its own. Every rank does the whole
// run; [Spread] deals the local trainings and the predictions out and gives every rank all results, in the order of the
// jobs. The processes are started by torchrun, srun or the like. They meet in the store of c10d and exchange through Gloo
// and NCCL.
//
// A rank says in the store that it is ready before every exchange, and while it lives it gives a sign of life every two
// seconds. So a rank that is dead, stopped or cut off is named by the others, which end their run within a minute, however
// long a training takes.
package ranks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"feddag/torch"
)

// Place says which rank of a run this process is, and where the ranks meet.
type Place struct {
	Rank, Size int
	Host       string // host of the store, MASTER_ADDR
	Port       uint16 // MASTER_PORT
	Serve      bool   // whether rank 0 is the store's server; otherwise the launcher is
	Attempt    string // tells apart what the ranks of several attempts write into one store
	Interface  string // network interface of Gloo; empty: the one that leads to Host
}

// Options vary how ranks meet.
type Options struct {
	Program string        // what all ranks must have in common before they exchange anything
	Join    time.Duration // how long to wait for the others at the start
	Beat    time.Duration // between two signs of life
	Silence time.Duration // without a sign of life, after which a rank counts as lost
	Timeout time.Duration // timeout of a collective whose ranks are all ready
	Log     io.Writer     // receives the messages about ranks that the start waits for; nil discards them
}

// DefaultOptions are those of a run.
func DefaultOptions() Options {
	return Options{Join: 10 * time.Minute, Beat: 2 * time.Second, Silence: 30 * time.Second, Timeout: 60 * time.Second}
}

// Ranks are the processes of a run, seen from one of them. Its methods other than Failed and Err are called by one
// goroutine at a time.
type Ranks struct {
	place Place
	o     Options
	store *torch.Store
	group *torch.Group
	peers []hello // by rank

	calls   int64
	traffic Traffic
	stuck   bool        // a call was left behind that has not returned
	ended   bool        // all ranks have finished, see [Ranks.End]
	mute    atomic.Bool // tests: no more signs of life

	ctx     context.Context // ends with the first failure, which is its cause
	fail    context.CancelCauseFunc
	watcher sync.WaitGroup
	stop    chan struct{}
}

// Traffic is what a rank has exchanged so far.
type Traffic struct {
	Calls    int64
	Sent     int64         // bytes that this rank gave
	Received int64         // bytes of the other ranks
	Waited   time.Duration // until the others were ready
}

// hello is what a rank tells the others at the start.
type hello struct {
	Host    string `json:"host"`
	Process int    `json:"process"`
	Network string `json:"network"` // id of the machine and its network namespace
	Address string `json:"address"` // address from which the process reaches the store
	Outward string `json:"outward"` // address from which it reaches other machines
	Program string `json:"program"`
	CPUs    string `json:"cpus"` // that the process may run on
}

// Join meets the other ranks. It blocks until all have come, at most for o.Join.
func Join(ctx context.Context, p Place, o Options) (*Ranks, error) {
	if torch.GroupBackends() == "" {
		return nil, torch.ErrNoGroups
	}
	r := &Ranks{place: p, o: o, stop: make(chan struct{})}
	r.ctx, r.fail = context.WithCancelCause(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, func() { r.fail(context.Cause(ctx)) })() // while it joins
	address, err := localAddress(p)
	if err != nil {
		return nil, err
	}
	r.store, err = torch.NewStore(torch.StoreOptions{
		Host: p.Host, Port: p.Port, Serve: p.Serve && p.Rank == 0, Prefix: "feddag/" + p.Attempt, Timeout: o.Join,
	})
	if err != nil {
		return nil, r.explainStore(err)
	}
	if err := r.greet(address); err != nil {
		return nil, errors.Join(err, r.Close(err))
	}
	r.watch()
	if address, err = listenOn(r.peers, p, r.Name); err != nil {
		return nil, errors.Join(err, r.Close(err))
	}
	// A rank that has joined may fail and be gone before the others have: the broken connection does not name it.
	err = r.collect(func() (err error) {
		r.group, err = torch.NewGroup(r.store, torch.GroupOptions{
			Rank: p.Rank, Size: p.Size, Interface: p.Interface, Address: address, Timeout: o.Timeout,
		})
		return err
	})
	if err != nil {
		return nil, errors.Join(err, r.Close(err))
	}
	return r, nil
}

// Rank is the number of this process among the ranks, from 0.
func (r *Ranks) Rank() int { return r.place.Rank }

// Size is the number of ranks.
func (r *Ranks) Size() int { return r.place.Size }

// Traffic returns what has been exchanged so far.
func (r *Ranks) Traffic() Traffic { return r.traffic }

// Context ends when a rank is lost; its cause says which.
func (r *Ranks) Context() context.Context { return r.ctx }

// Err returns why the ranks cannot go on together; nil while they can.
func (r *Ranks) Err() error {
	if r.ctx.Err() == nil {
		return nil
	}
	return context.Cause(r.ctx)
}

// UseDevice makes vectors on a CUDA device go through NCCL where every rank has a device of its own, and the build has NCCL.
// backend is what vectors go through now.
func (r *Ranks) UseDevice(device torch.Device) (backend string, err error) {
	bus := ""
	if device.IsCUDA() && torch.GroupBackends() == "gloo and nccl" {
		bus, err = device.Bus()
	}
	all, err := r.Gather("devices", []byte(bus), err)
	if err != nil {
		return "", err
	}
	seen := map[string]bool{}
	for i, b := range all {
		where := r.peers[i].Network + string(b)
		if len(b) == 0 || seen[where] {
			return "gloo", nil
		}
		seen[where] = true
	}
	return "nccl", r.collect(func() error { return r.group.UseNCCL(r.store, device) })
}

// Name names a rank in messages: its host and process, where they are known.
func (r *Ranks) Name(rank int) string {
	if rank < len(r.peers) && r.peers[rank].Process != 0 {
		return fmt.Sprintf("rank %d (host %s, process %d)", rank, r.peers[rank].Host, r.peers[rank].Process)
	}
	return fmt.Sprintf("rank %d", rank)
}

// Sharing is the number of ranks that run on the processors of this one, itself included.
func (r *Ranks) Sharing() int {
	n := 0
	for _, p := range r.peers {
		if own := r.peers[r.place.Rank]; p.Network == own.Network && p.CPUs == own.CPUs {
			n++
		}
	}
	return n
}

// Remember keeps a value for a later attempt of the launcher that holds the store. Where rank 0 holds it, the value ends with
// the ranks.
func (r *Ranks) Remember(key, value string) error {
	if r.place.Serve {
		return nil
	}
	return r.lasting(func(s *torch.Store) error { return s.Set(key, []byte(value)) })
}

// Recall returns what an earlier attempt has remembered; empty for nothing.
func (r *Ranks) Recall(key string) (value string, err error) {
	if r.place.Serve {
		return "", nil
	}
	err = r.lasting(func(s *torch.Store) error {
		raw, _, err := s.Get(key)
		value = string(raw)
		return err
	})
	return value, err
}

// lasting calls fn with the part of the store that all attempts have in common.
func (r *Ranks) lasting(fn func(s *torch.Store) error) error {
	return r.ask(func() error {
		s, err := torch.NewStore(torch.StoreOptions{Host: r.place.Host, Port: r.place.Port, Prefix: "feddag/all", Timeout: r.o.Timeout})
		if err != nil {
			return err
		}
		defer s.Close()
		return fn(s)
	})
}

// ask calls fn, which may block for as long as another process likes, and returns its error, or that of the ranks if they
// cannot go on.
func (r *Ranks) ask(fn func() error) error {
	if err := r.Err(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- fn() }()
	select {
	case err := <-done:
		return err
	case <-r.ctx.Done():
		select { // fn may have ended with the same failure
		case err := <-done:
			if err == nil {
				return nil
			}
		case <-time.After(100 * time.Millisecond):
			r.stuck = true
		}
		return r.Err()
	}
}

// Close leaves the others. why is the reason, nil at the end of a run that all ranks have finished: see [Ranks.End]. A rank
// that leaves without a reason before that, because of a panic for instance, is lost to the others. The server of the store
// stays for a few seconds until the others have left.
func (r *Ranks) Close(why error) error {
	if r == nil || r.store == nil {
		return nil
	}
	text := ""
	switch {
	case why != nil:
		text = why.Error()
	case !r.ended:
		text = "it left before the end, which is a bug: see what it has printed"
	}
	patience := 5*r.o.Beat + time.Second
	if r.stuck { // The store may not answer.
		patience = min(patience, time.Second)
	}
	left := make(chan struct{})
	go func() {
		defer close(left)
		if r.store.Set(leftKey(r.place.Rank), []byte(text)) != nil || !r.place.Serve || r.place.Rank != 0 {
			return
		}
		for deadline := time.Now().Add(4*r.o.Beat + time.Second); time.Now().Before(deadline) && !r.allLeft(); {
			time.Sleep(20 * time.Millisecond)
		}
	}()
	select {
	case <-left:
	case <-time.After(patience):
		r.stuck = true
	}
	close(r.stop)
	r.fail(errClosed)
	if r.stuck { // something is still using the store or the group; the process ends soon
		return nil
	}
	r.watcher.Wait()
	r.group.Close()
	r.store.Close()
	r.store = nil
	return nil
}

var errClosed = errors.New("the ranks have ended")

// allLeft reports whether all ranks have left that are not lost.
func (r *Ranks) allLeft() bool {
	var lost *LostError
	errors.As(r.Err(), &lost)
	for i := range r.place.Size {
		if lost != nil && lost.Rank == i {
			continue
		}
		if _, ok, err := r.store.Get(leftKey(i)); err != nil || !ok {
			return err != nil
		}
	}
	return true
}

// localAddress returns the address of this machine from which the store's host is reached.
func localAddress(p Place) (string, error) {
	if p.Interface != "" {
		return "", nil
	}
	return sourceAddress(p.Host, p.Port)
}

// sourceAddress returns the address of this machine from which a host is reached. It sends nothing.
func sourceAddress(host string, port uint16) (string, error) {
	c, err := net.Dial("udp", net.JoinHostPort(host, fmt.Sprint(max(port, 1))))
	if err != nil {
		return "", fmt.Errorf("MASTER_ADDR is %q: %w", host, err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).IP.String(), nil
}
