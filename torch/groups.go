package torch

// #include "shim/fd.h"
import "C"

import (
	"errors"
	"fmt"
	"slices"

	"feddag/internal/numfmt"
)

// shareOfFree is the share of a device's free memory that a call may use if no limit is given. The estimates are upper
// bounds, but libraries use additional workspace.
const shareOfFree = 0.85

// limit returns the number of bytes that a call may use.
func (e *Batched) limit() (int64, error) {
	if e.o.Memory > 0 {
		return e.o.Memory, nil
	}
	available, _, _, err := e.device.Memory()
	return int64(shareOfFree * float64(available)), err
}

// inGroups calls work for jobs in as few groups as memory allows. A group has jobs with similar numbers of samples. A group
// that turns out to be too large is split in halves, which are tried again.
func (e *Batched) inGroups(what string, samples []int, bytes func(n int) int64, work func(group []int) error) error {
	order := make([]int, len(samples))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return samples[b] - samples[a] })
	if one := bytes(1); len(order) > 0 && e.o.Memory > 0 && one > e.o.Memory {
		return fmt.Errorf("one %s alone needs about %s on %v, but --memory allows %s: allow more, or use a smaller --batch or --model, or --engine serial: %w",
			what, numfmt.Bytes(one), e.device, numfmt.Bytes(e.o.Memory), ErrOutOfMemory)
	}
	fit := e.fit(len(order), bytes)
	for len(order) > 0 {
		n := min(fit, len(order))
		group := slices.Sorted(slices.Values(order[:n]))
		err := ErrOutOfMemory
		if e.refuseAbove == 0 || n <= e.refuseAbove { // -1 refuses all groups
			err = work(group)
		}
		if errors.Is(err, ErrOutOfMemory) {
			if n == 1 {
				return fmt.Errorf("one %s alone needs about %s on %v: use a smaller --batch or --model, another device, or --engine serial: %w",
					what, numfmt.Bytes(bytes(1)), e.device, err)
			}
			if err := failure(C.fd_stacked_trim(e.handle)); err != nil {
				return err
			}
			fit = (n + 1) / 2
			continue
		}
		if err != nil {
			return err
		}
		if e.fewest == 0 || n < e.fewest {
			e.fewest = n
		}
		e.most = max(e.most, n)
		order = order[n:]
	}
	return nil
}

// fit returns an estimate of how many of n jobs fit into memory at once, but at least one. If no limit is given, a single job
// is tried regardless of its estimate.
func (e *Batched) fit(n int, bytes func(n int) int64) int {
	limit, err := e.limit()
	if err != nil || bytes(n) <= limit {
		return n
	}
	low, high := 1, n // bytes(high) is too much
	for low+1 < high {
		if middle := (low + high) / 2; bytes(middle) <= limit {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// Plan returns the number of clients of work that are trained at once, as far as it is known in advance, and an upper
// estimate of the bytes that they use.
func (e *Batched) Plan(net *Network, work StackedWork) (atOnce int, bytes int64) {
	need := func(n int) int64 {
		work.Clients = n
		return net.StackedBytes(e.device, work)
	}
	work.Precision = e.o.Precision
	atOnce = e.fit(work.Clients, need)
	return atOnce, need(atOnce)
}

// AtOnce returns the smallest and the largest number of clients, or models, that were stacked so far.
func (e *Batched) AtOnce() (fewest, most int) { return e.fewest, e.most }

// Peak returns the largest number of bytes that calls have held on the device at once, besides the caller's vectors and
// images.
func (e *Batched) Peak() int64 { return int64(C.fd_stacked_peak(e.handle)) }
