package torch

// #include <stdlib.h>
// #include "shim/group.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"time"
	"unsafe"
)

// ErrNoGroups is the error of a program that was built without Gloo's headers and therefore has neither stores nor groups.
var ErrNoGroups = errors.New("this program was built without the headers of Gloo, so it runs in one process only: install libgloo-dev (scripts/setup.sh does) and build it again")

// GroupBackends returns the backends of a [Group]: "gloo", "gloo and nccl", or "" if the program was built without them.
func GroupBackends() string {
	return [...]string{"", "gloo", "gloo and nccl"}[C.fd_group_backends()]
}

// Store is a connection to c10d's TCPStore: keys and values that several processes share. Its methods may be called from
// several goroutines. A call blocks until the server answers.
type Store struct {
	handle *C.fd_store
}

// StoreOptions are the address of a store and settings of the connection.
type StoreOptions struct {
	Host    string
	Port    uint16
	Serve   bool          // whether this process is the store's server
	Prefix  string        // prefix of all keys
	Timeout time.Duration // how long to try to connect; whole seconds, 2 s or more
}

// NewStore connects to a store.
func NewStore(o StoreOptions) (*Store, error) {
	if C.fd_group_backends() == C.FD_GROUP_NONE {
		return nil, ErrNoGroups
	}
	if err := ready(); err != nil {
		return nil, err
	}
	host, prefix := C.CString(o.Host), C.CString(o.Prefix)
	defer C.free(unsafe.Pointer(host))
	defer C.free(unsafe.Pointer(prefix))
	s := new(Store)
	err := failure(C.fd_store_new(host, C.uint16_t(o.Port), flag(o.Serve), C.int64_t(o.Timeout.Milliseconds()), prefix, &s.handle))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends the connection, and the server if it is in this process. No other call may be running.
func (s *Store) Close() {
	if s == nil || s.handle == nil {
		return
	}
	C.fd_store_close(s.handle)
	s.handle = nil
}

// Set sets the value of a key.
func (s *Store) Set(key string, value []byte) error {
	return s.call(key, func(k *C.char) *C.char {
		return C.fd_store_set(s.handle, k, (*C.uint8_t)(first(value)), C.int64_t(len(value)))
	})
}

// Get returns the value of a key. ok is false if the key does not exist.
func (s *Store) Get(key string) (value []byte, ok bool, err error) {
	var there C.int
	err = s.call(key, func(k *C.char) *C.char { return C.fd_store_has(s.handle, k, &there) })
	if err != nil || there == 0 {
		return nil, false, err
	}
	err = s.call(key, func(k *C.char) *C.char {
		var text *C.char
		var n C.int64_t
		message := C.fd_store_get(s.handle, k, &text, &n)
		if message == nil {
			value = C.GoBytes(unsafe.Pointer(text), C.int(n))
			C.fd_free_message(text)
		}
		return message
	})
	return value, err == nil, err
}

// Delete removes a key.
func (s *Store) Delete(key string) error {
	return s.call(key, func(k *C.char) *C.char { return C.fd_store_delete(s.handle, k) })
}

func (s *Store) call(key string, fn func(key *C.char) *C.char) error {
	k := C.CString(key)
	defer C.free(unsafe.Pointer(k))
	err := failure(fn(k))
	runtime.KeepAlive(s)
	if err != nil {
		return fmt.Errorf("key %s: %w", key, err)
	}
	return nil
}
