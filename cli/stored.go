package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"feddag/federation"
	"feddag/report"
	"feddag/torch"

	"github.com/spf13/pflag"
)

// storedFlags are the flags of a command that only reads a run.
type storedFlags struct {
	run string
	all *pflag.FlagSet
}

// newStoredFlags declares these flags.
func newStoredFlags() *storedFlags {
	f := &storedFlags{all: newFlagSet()}
	f.all.StringVar(&f.run, "run", "", "directory of the run")
	return f
}

// checkRun returns an error unless a run is named.
func (f *storedFlags) checkRun(command string) error {
	if f.run == "" {
		return usagef("%s: name the directory of a run: --run DIR", command)
	}
	return nil
}

// storedOptions returns the options of a run, from its config.yaml.
func storedOptions(run string) (*report.Dir, *options, error) {
	dir, err := report.Look(run)
	if err != nil {
		return nil, nil, err
	}
	saved, err := dir.ReadConfig()
	if err != nil {
		return nil, nil, err
	}
	algorithm := saved["algorithm"]
	if algorithm == "" {
		algorithm = defaultAlgorithm
	}
	o, err := newOptions(algorithm)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", dir.Path(report.ConfigFile), err)
	}
	if err := o.take(run, saved); err != nil {
		return nil, nil, err
	}
	o.resume = run
	return dir, o, nil
}

// openStored makes a session of a run that is only read, with its data, partition, scenario and networks, but without its
// models. change sets the options that may differ from those of the run.
func openStored(ctx context.Context, run string, change func(*options) error, log io.Writer) (_ *session, err error) {
	dir, o, err := storedOptions(run)
	if err != nil {
		return nil, err
	}
	recorded := o.machine
	if err := change(o); err != nil {
		return nil, err
	}
	elsewhere := o.device != recorded.device // a checkpoint belongs to the device, engine and precision of the run
	s := &session{o: o, dir: dir, started: time.Now()}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := o.check(); err != nil {
		return nil, err
	}
	if s.set, err = o.source.load(ctx, log, o.quiet); err != nil {
		return nil, o.dataMoved(err)
	}
	if err := s.loadPartition(); err != nil {
		return nil, err
	}
	torch.UseBLAS()
	device, err := o.machine.resolve()
	if err != nil {
		return nil, err
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
	now := o.machine
	if elsewhere {
		o.machine = recorded
	}
	s.hash, err = o.hash(s.partition, s.set, s.scenario)
	if o.machine = now; err != nil {
		return nil, err
	}
	return s, s.env.Start(ctx)
}

// loader reads the models of a run. It reads each model only once.
type loader struct {
	dir    *report.Dir
	net    *torch.Network
	device torch.Device
	states map[string]*torch.Vector
}

func newLoader(dir *report.Dir, net *torch.Network, device torch.Device) *loader {
	return &loader{dir, net, device, map[string]*torch.Vector{}}
}

// Close frees the models.
func (l *loader) Close() {
	for _, s := range l.states {
		s.Close()
	}
}

// model returns the model with which a client in models.json predicts.
func (l *loader) model(c report.ModelClient) (federation.Model, error) {
	m := federation.Model{Net: l.net}
	mix := &federation.Mixture{Weights: c.Weights}
	for _, file := range c.Files {
		if l.states[file] == nil {
			values, err := l.dir.ReadModel(file, l.net)
			if err != nil {
				return m, err
			}
			if l.states[file], err = torch.VectorOf(l.device, values); err != nil {
				return m, err
			}
		}
		mix.States = append(mix.States, l.states[file])
	}
	if m.State = mix.States[0]; len(mix.States) > 1 {
		m.Mix = mix
	}
	return m, nil
}
