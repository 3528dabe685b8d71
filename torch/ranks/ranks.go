// Package ranks runs one program in several processes, the ranks, each with its own device. Every rank does the whole run;
// [Spread] distributes the local trainings and the predictions over the ranks and gives every rank all results, in the order
// of the jobs. The processes are started by torchrun, srun or a similar launcher. They meet in the store of c10d and exchange
// data with Gloo and NCCL.
//
// Before every exchange, a rank writes into the store that it is ready, and it writes a heartbeat every two seconds. The
// other ranks therefore notice a rank that is dead, stopped or cut off. They end their run within a minute with an error that
// names this rank, however long a training takes.
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

// Place is the rank of this process in a run, and where the ranks meet.
type Place struct {
	Rank, Size int
	Host       string // host of the store, MASTER_ADDR
	Port       uint16 // MASTER_PORT
	Serve      bool   // whether rank 0 is the store's server; otherwise the launcher is
	Attempt    string // distinguishes the keys of several attempts that use the same store
	Interface  string // network interface of Gloo; if empty, the interface that leads to Host
}

// Options are settings for the connections between ranks.
type Options struct {
	Program string        // identifies the program, which must be the same in all ranks
	Join    time.Duration // how long to wait for the others at the start
	Beat    time.Duration // time between two heartbeats
	Silence time.Duration // time without a heartbeat after which a rank counts as lost
	Timeout time.Duration // timeout of a collective whose ranks are all ready
	Log     io.Writer     // for messages about ranks that have not joined yet; nil discards them
}

// DefaultOptions returns the options of a run.
func DefaultOptions() Options {
	return Options{Join: 10 * time.Minute, Beat: 2 * time.Second, Silence: 30 * time.Second, Timeout: 60 * time.Second}
}

// Ranks is the view of one process on the processes of a run. Methods other than Failed and Err must be called by one
// goroutine at a time.
type Ranks struct {
	place Place
	o     Options
	store *torch.Store
	group *torch.Group
	peers []hello // by rank

	calls   int64
	traffic Traffic
	stuck   bool        // a call was abandoned and has not returned yet
	ended   bool        // all ranks have finished, see [Ranks.End]
	mute    atomic.Bool // for tests: stops the heartbeat

	ctx     context.Context // ends at the first failure, which is its cause
	fail    context.CancelCauseFunc
	watcher sync.WaitGroup
	stop    chan struct{}
}

// Traffic counts what a rank has exchanged so far.
type Traffic struct {
	Calls    int64
	Sent     int64         // bytes that this rank sent
	Received int64         // bytes that this rank received from the others
	Waited   time.Duration // time until the others were ready
}

// hello is the description that a rank sends to the others at the start.
type hello struct {
	Host    string `json:"host"`
	Process int    `json:"process"`
	Network string `json:"network"` // id of the machine and its network namespace
	Address string `json:"address"` // address from which the process reaches the store
	Outward string `json:"outward"` // address from which it reaches other machines
	Program string `json:"program"`
	CPUs    string `json:"cpus"` // processors on which the process may run
}

// Join connects to the other ranks. It blocks until all have joined, for at most o.Join.
func Join(ctx context.Context, p Place, o Options) (*Ranks, error) {
	if torch.GroupBackends() == "" {
		return nil, torch.ErrNoGroups
	}
	r := &Ranks{place: p, o: o, stop: make(chan struct{})}
	r.ctx, r.fail = context.WithCancelCause(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, func() { r.fail(context.Cause(ctx)) })() // during Join
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
	// A rank that has joined may fail and leave before the others have joined. The broken connection does not name it.
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

// Rank returns the number of this process among the ranks, from 0.
func (r *Ranks) Rank() int { return r.place.Rank }

// Size returns the number of ranks.
func (r *Ranks) Size() int { return r.place.Size }

// Traffic returns the traffic so far.
func (r *Ranks) Traffic() Traffic { return r.traffic }

// Context returns a context that ends when a rank is lost. Its cause names the rank.
func (r *Ranks) Context() context.Context { return r.ctx }

// Err returns the reason why the ranks cannot continue together, or nil while they can.
func (r *Ranks) Err() error {
	if r.ctx.Err() == nil {
		return nil
	}
	return context.Cause(r.ctx)
}

// UseDevice makes the ranks exchange vectors on a CUDA device with NCCL if every rank has its own device and the build has
// NCCL. It returns the backend with which vectors are exchanged from now on.
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

// Name returns the name of a rank for messages, with its host and process if they are known.
func (r *Ranks) Name(rank int) string {
	if rank < len(r.peers) && r.peers[rank].Process != 0 {
		return fmt.Sprintf("rank %d (host %s, process %d)", rank, r.peers[rank].Host, r.peers[rank].Process)
	}
	return fmt.Sprintf("rank %d", rank)
}

// Sharing returns the number of ranks that run on the same processors as this one, including itself.
func (r *Ranks) Sharing() int {
	n := 0
	for _, p := range r.peers {
		if own := r.peers[r.place.Rank]; p.Network == own.Network && p.CPUs == own.CPUs {
			n++
		}
	}
	return n
}

// Remember stores a value for later attempts of the launcher. This needs a launcher that serves the store; if rank 0 serves
// it, the value is lost when the ranks end.
func (r *Ranks) Remember(key, value string) error {
	if r.place.Serve {
		return nil
	}
	return r.lasting(func(s *torch.Store) error { return s.Set(key, []byte(value)) })
}

// Recall returns a value that an earlier attempt has stored with Remember, or "" if there is none.
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

// lasting calls fn with the part of the store that all attempts share.
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

// ask calls fn, which may block for any time because of another process. It returns the error of fn or, if the ranks cannot
// continue, the error of Err.
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
		select { // fn may have returned because of the same failure
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

// Close leaves the group of ranks. why is the reason, which is nil at the end of a run that all ranks have finished, see
// [Ranks.End]. For the others, a rank that leaves earlier without a reason, for example because of a panic, is lost. The
// server of the store waits a few seconds for the others to leave.
func (r *Ranks) Close(why error) error {
	if r == nil || r.store == nil {
		return nil
	}
	text := ""
	switch {
	case why != nil:
		text = why.Error()
	case !r.ended:
		text = "it left before the end, which is a bug: see its output"
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

// allLeft reports whether all ranks that are not lost have left.
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

// localAddress returns the address of this machine from which it reaches the host of the store.
func localAddress(p Place) (string, error) {
	if p.Interface != "" {
		return "", nil
	}
	return sourceAddress(p.Host, p.Port)
}

// sourceAddress returns the address of this machine from which it reaches a host. It sends no packets.
func sourceAddress(host string, port uint16) (string, error) {
	c, err := net.Dial("udp", net.JoinHostPort(host, fmt.Sprint(max(port, 1))))
	if err != nil {
		return "", fmt.Errorf("MASTER_ADDR is %q: %w", host, err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).IP.String(), nil
}
