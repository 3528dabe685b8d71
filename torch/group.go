package torch

// #include <stdlib.h>
// #include "shim/group.h"
import "C"

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"
)

// Group is a process group of c10d. It uses Gloo for host memory, and for vectors on CUDA devices either NCCL or Gloo with a
// copy through host memory. All processes of the group, its ranks, call the same methods in the same order; a method blocks
// until all have called it.
type Group struct {
	handle  *C.fd_group
	size    int
	timeout time.Duration
}

// GroupOptions are the rank of this process in a group, and settings of the connections.
type GroupOptions struct {
	Rank, Size int
	Interface  string        // network interface that Gloo uses; if empty, the interface of Address
	Address    string        // local address that Gloo listens on
	Timeout    time.Duration // timeout of every call
}

// NewGroup joins the group whose processes meet in the store. It blocks until all of them have joined.
func NewGroup(store *Store, o GroupOptions) (*Group, error) {
	network, address := C.CString(o.Interface), C.CString(o.Address)
	defer C.free(unsafe.Pointer(network))
	defer C.free(unsafe.Pointer(address))
	g := &Group{size: o.Size, timeout: o.Timeout}
	err := failure(C.fd_group_new(store.handle, C.int(o.Rank), C.int(o.Size), network, address,
		C.int64_t(o.Timeout.Milliseconds()), &g.handle))
	runtime.KeepAlive(store)
	if err != nil {
		return nil, fmt.Errorf("joining a group of %d processes: %w", o.Size, err)
	}
	return g, nil
}

// UseNCCL makes the group exchange vectors on a CUDA device with NCCL from now on. Every rank must call it, each with a
// different device.
func (g *Group) UseNCCL(store *Store, device Device) error {
	err := device.call(func(name *C.char) *C.char {
		return C.fd_group_nccl(g.handle, store.handle, name, C.int64_t(g.timeout.Milliseconds()))
	})
	runtime.KeepAlive(store)
	if err != nil {
		return fmt.Errorf("joining a group of NCCL on %v: %w", device, err)
	}
	return nil
}

// Bus returns the PCI address of a CUDA device, which identifies the device of a machine in every process.
func (d Device) Bus() (string, error) {
	name := C.CString(d.String())
	defer C.free(unsafe.Pointer(name))
	return ask(func(text **C.char) *C.char { return C.fd_device_bus(name, text) })
}

// Close leaves the group. No other call may be running.
func (g *Group) Close() {
	if g == nil || g.handle == nil {
		return
	}
	C.fd_group_close(g.handle)
	g.handle = nil
}

// Gather returns the bytes of each rank, one after another. All ranks must pass the same number of bytes.
func (g *Group) Gather(mine []byte) ([]byte, error) {
	all := make([]byte, g.size*len(mine))
	if len(mine) == 0 {
		return all, nil
	}
	err := failure(C.fd_group_gather(g.handle, (*C.uint8_t)(first(mine)), C.int64_t(len(mine)), (*C.uint8_t)(first(all))))
	if err != nil {
		return nil, fmt.Errorf("gathering %d bytes: %w", len(mine), err)
	}
	return all, nil
}

// Broadcast sets data to the data of the rank root. All ranks must pass the same number of bytes.
func (g *Group) Broadcast(data []byte, root int) error {
	if len(data) == 0 {
		return nil
	}
	err := failure(C.fd_group_broadcast(g.handle, (*C.uint8_t)(first(data)), C.int64_t(len(data)), C.int(root)))
	if err != nil {
		return fmt.Errorf("broadcasting %d bytes: %w", len(data), err)
	}
	return nil
}

// GatherVectors returns a vector of the values of each rank's vector, one after another. All of them have the same length.
func (g *Group) GatherVectors(mine *Vector) (*Vector, error) {
	all, err := NewVector(mine.device, g.size*mine.n)
	if err != nil || all.n == 0 {
		return all, err
	}
	err = failure(C.fd_group_gather_vectors(g.handle, mine.handle, all.handle))
	runtime.KeepAlive(mine)
	if err != nil {
		all.Close()
		return nil, fmt.Errorf("gathering vectors of %d values: %w", mine.n, err)
	}
	return all, nil
}
