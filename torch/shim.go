package torch

// #include <stdlib.h>
// #include "shim/fd.h"
// #cgo LDFLAGS: -lfeddag -lcgotorch
// static const char *compiled_with(void) { return FD_TEXT(FD_HEADER); }
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	_ "feddag/torch/preload" // its init must run before gotorch's
)

// ErrCancelled is returned by a call that [Engine.Cancel] ended.
var ErrCancelled = errors.New("cancelled")

// ErrOutOfMemory is returned by a call for which the memory of the device does not suffice.
var ErrOutOfMemory = errors.New("out of memory")

// failure turns a message of the shim into an error and frees it; NULL means that there is no error.
func failure(message *C.char) error {
	if message == nil {
		return nil
	}
	text := C.GoString(message)
	C.fd_free_message(message)
	if text == "cancelled" || len(text) > 11 && text[len(text)-11:] == ": cancelled" {
		return ErrCancelled
	}
	if outOfMemory(text) {
		return fmt.Errorf("%w: %s", ErrOutOfMemory, text)
	}
	return errors.New(text)
}

// outOfMemory reports whether a message of libtorch is about a lack of memory.
func outOfMemory(text string) bool {
	for _, sign := range []string{"out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// ready checks that the library is the one that the program was compiled for, and sets the process-wide settings of libtorch, once.
var ready = sync.OnceValue(func() error {
	if err := sameInterface(C.GoString(C.compiled_with()), C.GoString(C.fd_interface())); err != nil {
		return err
	}
	return failure(C.fd_init())
})

// sameInterface returns an error if the program and the library were compiled with different C headers.
func sameInterface(program, library string) error {
	if program != library {
		return fmt.Errorf("libfeddag.so was compiled with other headers (%s) than this program (%s), because a later build has replaced it: build the program again with make build", library, program)
	}
	return nil
}

// call calls fn with a C copy of the device's name.
func (d Device) call(fn func(name *C.char) *C.char) error {
	if err := ready(); err != nil {
		return err
	}
	name := C.CString(d.String())
	defer C.free(unsafe.Pointer(name))
	return failure(fn(name))
}

// Live returns the number of live handles of this package and tensors of objectives, and the bytes of the handles.
func Live() (handles, bytes int64) {
	var h, b C.int64_t
	C.fd_live(&h, &b)
	return int64(h) + liveTensors.Load(), int64(b)
}

// first returns a pointer to the first element of a slice for C, or nil for an empty slice.
func first[T any](x []T) *T {
	if len(x) == 0 {
		return nil
	}
	return &x[0]
}

// pinned pins the memory of a slice, so that its address may be stored in a struct that C reads.
func pinned[T any](p *runtime.Pinner, x []T) unsafe.Pointer {
	if len(x) == 0 {
		return nil
	}
	p.Pin(&x[0])
	return unsafe.Pointer(&x[0])
}
