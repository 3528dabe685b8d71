package ranks_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"feddag/torch/ranks"
	"feddag/torch/ranks/rankstest"
)

// TestExchanges checks the result of each rank in every kind of exchange, with parts of different lengths.
func TestExchanges(t *testing.T) {
	for size := 1; size <= 3; size++ {
		errs := rankstest.Run(t, size, rankstest.Options(), func(r *ranks.Ranks) error {
			own := bytes.Repeat([]byte{byte('a' + r.Rank())}, 3*r.Rank())
			parts, err := r.Gather("letters", own, nil)
			if err != nil {
				return err
			}
			for i, p := range parts {
				if want := strings.Repeat(string(rune('a'+i)), 3*i); string(p) != want {
					return fmt.Errorf("rank %d gave %q, not %q", i, p, want)
				}
			}
			calls := 0
			once, err := r.Once("a word", func() ([]byte, error) { calls++; return []byte("word"), nil })
			if err != nil || string(once) != "word" || (calls == 1) != (r.Rank() == 0) {
				return fmt.Errorf("once: %q after %d calls (%v)", once, calls, err)
			}
			if nothing, err := r.Once("nothing", func() ([]byte, error) { return nil, nil }); err != nil || len(nothing) != 0 {
				return fmt.Errorf("nothing: %q (%v)", nothing, err)
			}
			for _, who := range []int{-1, size - 1} {
				yes, err := r.Agree("whether", r.Rank() == who)
				if err != nil || yes != (who >= 0) {
					return fmt.Errorf("rank %d says yes: %v (%v)", who, yes, err)
				}
			}
			if r.Sharing() != size || r.Size() != size {
				return fmt.Errorf("%d ranks, %d on these processors", r.Size(), r.Sharing())
			}
			return r.Same("a state", []byte("state"))
		})
		if err := errors.Join(errs...); err != nil {
			t.Errorf("%d ranks: %v", size, err)
		}
	}
}

// TestProblems checks that all ranks end with an error that names the rank with the problem and says what it is.
func TestProblems(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(r *ranks.Ranks) error
		want []string // in the error of rank 0
	}{
		"a problem of one": {func(r *ranks.Ranks) error {
			var problem error
			if r.Rank() == 1 {
				problem = errors.New("the disk is full")
			}
			_, err := r.Gather("things", nil, problem)
			return err
		}, []string{"rank 1 (host", "the disk is full"}},
		"another exchange": {func(r *ranks.Ranks) error {
			_, err := r.Gather(fmt.Sprintf("things of rank %d", r.Rank()), nil, nil)
			return err
		}, []string{"out of step", "things of rank 1", "things of rank 0"}},
		"another state": {func(r *ranks.Ranks) error {
			return r.Same("the state", []byte{byte(r.Rank())})
		}, []string{"the state of rank 1", "differs"}},
		"an early end": {func(r *ranks.Ranks) error {
			if r.Rank() == 1 {
				return errors.New("out of patience")
			}
			_, err := r.Gather("things", nil, nil)
			return err
		}, []string{"out of patience"}},
		"an early end in a long computation": {func(r *ranks.Ranks) error {
			if r.Rank() == 1 {
				return errors.New("out of patience")
			}
			<-r.Context().Done()
			return r.Err()
		}, []string{"out of patience"}},
		"an end without a reason": {func(r *ranks.Ranks) error { // like a deferred Close after a panic
			if r.Rank() == 1 {
				r.Close(nil)
				return errors.New("it left before the end")
			}
			_, err := r.Gather("things", nil, nil)
			return err
		}, []string{"it left before the end"}},
	} {
		errs := rankstest.Run(t, 2, rankstest.Options(), c.do)
		for rank, err := range errs {
			for _, want := range c.want {
				if rank == 1 && err != nil && strings.HasPrefix(c.want[0], "rank 1") {
					continue // A rank does not name itself.
				}
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: rank %d ended with %v, which lacks %q", name, rank, err, want)
				}
			}
		}
	}
}

// TestSilence checks that the error names a rank without a heartbeat, whatever the others are doing.
func TestSilence(t *testing.T) {
	o := rankstest.Options()
	silent := make(chan struct{})
	errs := rankstest.Run(t, 3, o, func(r *ranks.Ranks) error {
		if r.Rank() == 1 {
			r.StopBeating()
			<-silent
			return errors.New("woken up")
		}
		defer func() {
			if r.Rank() == 0 {
				close(silent)
			}
		}()
		if r.Rank() == 2 { // a long training
			<-r.Context().Done()
			return r.Err()
		}
		_, err := r.Gather("things", nil, nil)
		return err
	})
	for _, rank := range []int{0, 2} {
		var lost *ranks.LostError
		if !errors.As(errs[rank], &lost) && !strings.Contains(fmt.Sprint(errs[rank]), "rank 1") {
			t.Errorf("rank %d ended with %v", rank, errs[rank])
		}
	}
	if !slices.ContainsFunc(errs, func(err error) bool { return strings.Contains(fmt.Sprint(err), "no heartbeat") }) {
		t.Errorf("nobody says that rank 1 was silent: %v", errs)
	}
}

// TestJoin checks the errors of a rank that cannot join.
func TestJoin(t *testing.T) {
	rankstest.Skip(t)
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := uint16(l.Addr().(*net.TCPAddr).Port)
	o := rankstest.Options()
	o.Join = 3 * time.Second
	for want, p := range map[string]ranks.Place{
		"is in use":                     {Size: 2, Host: "127.0.0.1", Port: taken, Serve: true},
		"MASTER_ADDR is \"no.invalid\"": {Size: 2, Host: "no.invalid", Port: 1, Serve: true},
		"does not answer":               {Rank: 1, Size: 2, Host: "127.0.0.1", Port: rankstest.Port(t), Serve: true},
		"rank 1 of 2 has not joined":    {Size: 2, Host: "127.0.0.1", Port: rankstest.Port(t), Serve: true},
	} {
		if _, err := ranks.Join(context.Background(), p, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, which lacks %q", p, err, want)
		}
	}
}

// TestOtherProgram checks that ranks with different builds do not begin.
func TestOtherProgram(t *testing.T) {
	builds := make(chan string, 2)
	builds <- "build 1"
	builds <- "build 2"
	port := rankstest.Port(t)
	rankstest.Skip(t)
	errs := make(chan error)
	for rank := range 2 {
		go func() {
			o := rankstest.Options()
			o.Program = <-builds
			_, err := ranks.Join(context.Background(), ranks.Place{Rank: rank, Size: 2, Host: "127.0.0.1", Port: port, Serve: true}, o)
			errs <- err
		}()
	}
	for range 2 {
		err := <-errs
		if err == nil || !strings.Contains(err.Error(), "runs another program than rank 0") || !strings.Contains(err.Error(), "build 1") {
			t.Errorf("ranks of two builds: %v", err)
		}
	}
}
