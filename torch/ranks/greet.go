package ranks

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// answerTime is the time that a store may take for its first answer.
const answerTime = 20 * time.Second

// errNoAnswer is the error for a store that takes longer than answerTime.
var errNoAnswer = fmt.Errorf("no answer within %v", answerTime)

// within calls fn, which may block, and waits for it for at most the given time.
func (r *Ranks) within(limit time.Duration, fn func() error) error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		r.stuck = true
		return errNoAnswer
	case <-r.ctx.Done():
		r.stuck = true
		return r.Err()
	}
}

// greet sends the description of this rank to the others, and waits for the descriptions of all of them.
func (r *Ranks) greet(address string) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	mine, err := json.Marshal(hello{Host: host, Process: os.Getpid(), Network: network(), Address: address, Outward: outward(), Program: r.o.Program, CPUs: processors()})
	if err != nil {
		return err
	}
	err = r.within(answerTime, func() error {
		if err := r.store.Set(helloKey(r.place.Rank), mine); err != nil {
			return err
		}
		_, _, err := r.store.Get(helloKey(r.place.Rank)) // A store of another version may not answer at all.
		return err
	})
	if err != nil {
		return r.explainStore(err)
	}
	r.peers = make([]hello, r.place.Size)
	began, told := time.Now(), false
	for rank := range r.peers {
		var raw []byte
		err := r.poll(helloKey(rank), &raw, func() error {
			waited := time.Since(began)
			if r.o.Log != nil && !told && waited > 10*time.Second {
				told = true
				fmt.Fprintf(r.o.Log, "waiting for rank %d of %d at %s\n", rank, r.place.Size, r.where())
			}
			if waited > r.o.Join {
				return fmt.Errorf("rank %d of %d has not joined at %s within %v", rank, r.place.Size, r.where(), r.o.Join)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &r.peers[rank]); err != nil {
			return fmt.Errorf("rank %d has sent a greeting that this program cannot read: %w", rank, err)
		}
	}
	return r.checkPeers()
}

// checkPeers returns an error if a rank runs another program.
func (r *Ranks) checkPeers() error {
	for i, p := range r.peers {
		if p.Program != r.peers[0].Program {
			return fmt.Errorf("%s runs another program than %s: %s, and not %s; use the same build on all machines", r.Name(i), r.Name(0), p.Program, r.peers[0].Program)
		}
	}
	return nil
}

// listenOn returns the address on which Gloo listens in a rank. This is the address from which the rank reaches the store or,
// if that is a loopback address and there are ranks on other machines, the address from which it reaches other machines. Rank
// 0 often has such a MASTER_ADDR: older PyTorchJobs set it to localhost, and Debian resolves a machine's own name to
// 127.0.1.1.
func listenOn(peers []hello, p Place, name func(rank int) string) (string, error) {
	own := ""
	for i, peer := range peers {
		address := peer.Address
		ip := net.ParseIP(address)
		for j, other := range peers {
			if ip == nil || !ip.IsLoopback() || other.Network == peer.Network {
				continue
			}
			if address = peer.Outward; address == "" || i > 0 {
				return "", fmt.Errorf("%s reaches MASTER_ADDR %s by way of %s, where %s cannot answer it: set MASTER_ADDR to an address of rank 0 that all machines reach, or GLOO_SOCKET_IFNAME to the network interface to use",
					name(i), p.Host, peer.Address, name(j))
			}
		}
		if i == p.Rank {
			own = address
		}
	}
	return own, nil
}

// outward returns the address from which this process reaches other machines, or "" if there is none.
func outward() string {
	address, err := sourceAddress("203.0.113.1", 9) // an address of a network reserved for documentation (RFC 5737)
	if err != nil {
		return ""
	}
	return address
}

// network identifies the network stack of this process: the machine, and its network namespace.
func network() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	name, _ := os.Hostname()
	if len(boot) > 0 {
		name = "" // containers on the same machine may have different names
	}
	namespace, _ := os.Readlink("/proc/self/ns/net")
	return strings.TrimSpace(string(boot)) + name + namespace
}

// processors lists the processors on which this process may run, in the format of the kernel. It is empty if the kernel does
// not report them.
func processors() string {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			return strings.TrimSpace(list)
		}
	}
	return ""
}

func (r *Ranks) where() string { return net.JoinHostPort(r.place.Host, fmt.Sprint(r.place.Port)) }

// explainStore adds advice to an error of the store.
func (r *Ranks) explainStore(err error) error {
	text := err.Error()
	inUse := errors.Is(err, syscall.EADDRINUSE) || strings.Contains(text, "EADDRINUSE") || strings.Contains(text, "address already in use") || strings.Contains(text, "Address already in use")
	switch {
	case r.Err() != nil:
		return r.Err()
	case r.place.Serve && r.place.Rank == 0 && inUse:
		return fmt.Errorf("port %d is in use on this machine: set MASTER_PORT to a free one, the same for all ranks", r.place.Port)
	case !r.place.Serve && (errors.Is(err, errNoAnswer) || strings.Contains(text, "reset by peer")):
		return fmt.Errorf("the store at %s, which torchrun holds, does not understand this program: torchrun seems to come with another version of PyTorch than the libtorch of the program; "+
			"set TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 for torchrun, so that rank 0 holds the store, or use the torchrun of that version (%w)", r.where(), err)
	}
	return fmt.Errorf("the store at %s does not answer: check MASTER_ADDR and MASTER_PORT, and whether %s is running: %w", r.where(), r.holder(), err)
}

// holder names the process that holds the store.
func (r *Ranks) holder() string {
	if r.place.Serve {
		return r.Name(0)
	}
	return "torchrun"
}
