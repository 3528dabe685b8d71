package torch

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestOutOfMemory checks that if the device runs out of memory, smaller groups are tried, down to one client, and that the
// error then says what to do. Every job is done once.
func TestOutOfMemory(t *testing.T) {
	samples := []int{5, 50, 20, 1, 7, 7, 30}
	run := func(refuseAbove int) (groups [][]int, err error) {
		e, err := NewBatched(CPU, BatchedOptions{Memory: 1 << 40})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		e.refuseAbove = refuseAbove
		err = e.inGroups("client", samples, func(n int) int64 { return int64(n) << 20 }, func(group []int) error {
			groups = append(groups, group)
			return nil
		})
		return groups, err
	}
	for refuse, want := range map[int]int{0: 1, 7: 1, 4: 2, 3: 4, 1: 7} {
		groups, err := run(refuse)
		if err != nil {
			t.Fatal(err)
		}
		all := slices.Sorted(slices.Values(slices.Concat(groups...)))
		if !slices.Equal(all, []int{0, 1, 2, 3, 4, 5, 6}) || len(groups) != want {
			t.Errorf("refusing more than %d: groups %v, want %d", refuse, groups, want)
		}
	}
	if groups, err := run(-1); !errors.Is(err, ErrOutOfMemory) || !strings.Contains(err.Error(), "one client alone needs about 1.05 MB on cpu: use a smaller --batch") || len(groups) > 0 {
		t.Errorf("no memory at all: %v", err)
	}
}

// TestOutOfMemoryMessages checks that libtorch's messages about a lack of memory are recognised for both kinds of devices.
func TestOutOfMemoryMessages(t *testing.T) {
	for _, text := range []string{
		"client 3: layer primary.conv1: CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 79.11 GiB total capacity",
		"[enforce fail at alloc_cpu.cpp:75] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes",
		"CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
	} {
		if !outOfMemory(text) {
			t.Errorf("not recognised: %s", text)
		}
	}
	if outOfMemory("layer primary.conv1: a kernel larger than its input") {
		t.Error("another error is taken for lack of memory")
	}
	if _, err := NewVector(CPU, 1<<50); !errors.Is(err, ErrOutOfMemory) {
		t.Errorf("a vector of a petabyte: %v", err)
	}
}
