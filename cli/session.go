package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"feddag/federation"
	"feddag/federation/data"
	"feddag/federation/partition"
	"feddag/models"
	"feddag/report"
	"feddag/torch"
)

// session is a prepared run, with its data, partition, device and directory.
type session struct {
	o          *options
	started    time.Time
	set        *data.Set // data set as it was read; env.Data has the images as the clients see them
	partition  *partition.Partition
	scenario   []byte // text of the scenario file; nil if there is none
	initial    []byte // content of the file of initial weights; nil if there is none
	env        *federation.Env
	dir        *report.Dir
	checkpoint *federation.Checkpoint // checkpoint to resume from; nil for a new run
	hash       string
	closers    []func()
	setup      float64 // seconds
}

// Close frees the session's memory on the device.
func (s *session) Close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
	s.closers = nil
}

// open makes a session. It makes the directory last, after everything that may fail.
func open(ctx context.Context, o *options, prefix string, log io.Writer) (_ *session, err error) {
	s := &session{o: o, started: time.Now()}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if !o.quiet {
		o.warnOfVariables(log)
	}
	if o.resume != "" && o.team.leads() {
		if err := s.openDir(ctx, log); err != nil {
			return nil, err
		}
	}
	if s.set, err = o.source.load(ctx, log, o.quiet); err != nil {
		return nil, o.dataMoved(err)
	}
	if err := s.loadPartition(); err != nil {
		return nil, err
	}
	if !o.quiet {
		sayUnassigned(log, s.partition, s.set)
	}
	info, err := torch.Describe()
	if err != nil {
		return nil, fmt.Errorf("%w (see feddag doctor)", err)
	}
	if why := whyCPU(o.device, info); why != "" {
		fmt.Fprintf(log, "--device auto is the CPU: %s\n", why)
	}
	torch.UseBLAS()
	device, err := o.machine.resolve()
	if err != nil {
		return nil, err
	}
	if n := len(s.partition.Views); n > 0 && !o.quiet {
		fmt.Fprintf(log, "%s: making what the clients see, %d views of the images\n", o.dataset, n)
	}
	if err := s.environment(device); err != nil {
		return nil, err
	}
	if err := s.loadInitialWeights(); err != nil {
		return nil, err
	}
	if err := s.loadScenario(); err != nil {
		return nil, err
	}
	var partition bytes.Buffer
	if err := s.partition.WriteJSON(&partition); err != nil {
		return nil, err
	}
	if s.hash, err = o.hash(s.partition, s.set, s.scenario); err != nil {
		return nil, err
	}
	if o.dryRun {
		return s, nil
	}
	if o.team != nil {
		if err := o.team.compare(s, partition.Bytes(), log); err != nil {
			return nil, err
		}
		if err := o.team.spread(s, log); err != nil {
			return nil, err
		}
	}
	switch {
	case o.resume != "":
		if o.team.leads() {
			if err := s.warnOfChanges(log); err != nil {
				return nil, err
			}
		}
		err = s.resume(log)
	case o.team.leads():
		err = s.create(ctx, log, prefix, partition.Bytes())
	}
	s.setup = time.Since(s.started).Seconds()
	return s, err
}

// loadPartition makes the partition, or reads it from the run directory if the run is resumed.
func (s *session) loadPartition() (err error) {
	o := s.o
	if o.team != nil && o.team.begun != nil {
		s.partition, err = partition.Decode(bytes.NewReader(o.team.begun.Inputs[report.PartitionFile]), s.set)
	} else if o.resume != "" {
		s.partition, err = partition.Read(s.dir.Path(report.PartitionFile), s.set)
	} else {
		s.partition, err = o.partitionFlags.partitionOf(s.set)
	}
	if err == nil {
		o.partition.Clients, o.partition.Kind = len(s.partition.Shards), s.partition.Kind
	}
	return err
}

// environment copies the data to the device and starts the executor.
func (s *session) environment(device torch.Device) error {
	o, set := s.o, s.set
	shape := [3]int{set.Channels, set.Height, set.Width}
	if o.model == "" {
		name, err := models.Default(shape)
		if err != nil {
			return usageError{err}
		}
		o.model = name
	}
	if err := o.sourced(refuseUnread(o.flags, o.unread())); err != nil { // again, now that the model is known
		return err
	}
	nets := map[bool]*torch.Network{}
	net := func(dual bool) (*torch.Network, error) {
		if nets[dual] == nil {
			n, err := models.New(o.model, shape, set.Classes, dual, models.Options{Dropout: o.dropout, Norm: o.norm})
			if err != nil {
				return nil, err
			}
			nets[dual] = n
		}
		return nets[dual], nil
	}
	if _, err := net(false); err != nil {
		return usageError{err}
	}
	set, partition, err := s.partition.Materialise(set)
	if err != nil {
		return err
	}
	s.env = &federation.Env{
		Options: o.run, Data: set, Clients: federation.NewClients(partition), Device: device, Workers: o.threads(), Net: net,
	}
	for _, split := range []struct {
		images data.Images
		on     **torch.Images
	}{{set.Train, &s.env.Train}, {set.Test, &s.env.Test}} {
		if *split.on, err = torch.NewImages(device, split.images.Pixels, shape, split.images.Labels, set.Mean, set.Std); err != nil {
			return err
		}
		s.closers = append(s.closers, (*split.on).Close)
	}
	if s.env.Executor, err = o.machine.executor(device, o.threads()); err != nil {
		return err
	}
	s.closers = append(s.closers, s.env.Executor.Close)
	return nil
}

// warnOfChanges warns if a resumed run computes with other software or hardware than before, and the bits of its results
// depend on the difference.
func (s *session) warnOfChanges(log io.Writer) error {
	var before report.Env
	err := s.dir.ReadJSON(report.EnvFile, &before)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(log, "warning: %s has no %s: whether libtorch and the BLAS are the same as before is unknown\n", s.o.resume, report.EnvFile)
		return nil
	}
	if err != nil {
		return err
	}
	now, err := s.environ()
	if err != nil {
		return err
	}
	if !data.IsContentHash(s.partition.DataHash) {
		fmt.Fprintf(log, "warning: %s was begun by a program that kept no hash of the images: whether their pixels are the same as before is unknown\n", s.o.resume)
	}
	if changes := before.Changes(now); len(changes) > 0 {
		fmt.Fprintf(log, "warning: %s does not end in the same bits as an uninterrupted run: %s\n", s.o.resume, strings.Join(changes, "; "))
	}
	return nil
}

// environ describes the software and hardware that compute the results.
func (s *session) environ() (report.Env, error) {
	e := report.NewEnv()
	e.Feddag = revision()
	err := s.o.machine.describe(&e)
	e.Extra = map[string]string{"data hash": s.set.Hash()}
	for i, f := range s.set.Files {
		e.Extra[fmt.Sprintf("data file %d", i)] = f
	}
	return e, err
}
