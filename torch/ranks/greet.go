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

// greet tells the others who this rank is, and waits until it has heard from all of them.
func (r *Ranks) greet(address string) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	mine, err := json.Marshal(hello{Host: host, Process: os.Getpid(), Network: network(), Address: address, Program: r.o.Program, CPUs: processors()})
	if err != nil {
		return err
	}
	if err := r.ask(func() error { return r.store.Set(helloKey(r.place.Rank), mine) }); err != nil {
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
				return fmt.Errorf("rank %d of %d has not come to %s within %v", rank, r.place.Size, r.where(), r.o.Join)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &r.peers[rank]); err != nil {
			return fmt.Errorf("rank %d has sent no greeting of this program: %w", rank, err)
		}
	}
	return r.checkPeers()
}

// checkPeers returns an error if a rank is another program or cannot be reached by the others.
func (r *Ranks) checkPeers() error {
	for i, p := range r.peers {
		if p.Program != r.peers[0].Program {
			return fmt.Errorf("%s is another program than %s: %s, and not %s; give all machines the same build", r.Name(i), r.Name(0), p.Program, r.peers[0].Program)
		}
		ip := net.ParseIP(p.Address)
		if ip == nil || !ip.IsLoopback() {
			continue
		}
		for j, other := range r.peers {
			if other.Network != p.Network {
				return fmt.Errorf("%s reaches MASTER_ADDR %s by way of %s, where %s cannot answer it: set MASTER_ADDR to an address that all machines reach, or GLOO_SOCKET_IFNAME to the network interface to use",
					r.Name(i), r.place.Host, p.Address, r.Name(j))
			}
		}
	}
	return nil
}

// network identifies the network stack of this process: the machine, and its network namespace.
func network() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	name, _ := os.Hostname()
	if len(boot) > 0 {
		name = "" // containers of one machine may have any name
	}
	namespace, _ := os.Readlink("/proc/self/ns/net")
	return strings.TrimSpace(string(boot)) + name + namespace
}

// processors lists the processors that this process may run on, as the kernel writes them; empty where it does not say.
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

// explainStore says what to do about an error of the store.
func (r *Ranks) explainStore(err error) error {
	text := err.Error()
	inUse := errors.Is(err, syscall.EADDRINUSE) || strings.Contains(text, "EADDRINUSE") || strings.Contains(text, "address already in use") || strings.Contains(text, "Address already in use")
	switch {
	case r.Err() != nil:
		return r.Err()
	case r.place.Serve && r.place.Rank == 0 && inUse:
		return fmt.Errorf("port %d is in use on this machine: set MASTER_PORT to a free one, the same for all ranks", r.place.Port)
	case !r.place.Serve && strings.Contains(text, "reset by peer"):
		return fmt.Errorf("the store at %s, which torchrun holds, does not understand this program: torchrun comes with another version of PyTorch than the program was built with; "+
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
