package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"feddag/federation"
	"feddag/internal/lockfile"
	"feddag/report"
)

// nameTime is the format of the time in the name of a directory.
const nameTime = "20060102-150405"

// nameSuffix distinguishes directories that are made in the same second, if there is something better than a counter.
func nameSuffix() string {
	if job := lockfile.SlurmJob(); job != "" {
		return "job" + job
	}
	return ""
}

// openDir opens and locks the directory of the run that is resumed.
func (s *session) openDir(ctx context.Context, log io.Writer) (err error) {
	o := s.o
	if s.dir, err = report.Open(o.resume); err != nil {
		return err
	}
	if o.locked != nil {
		lock, err := report.InheritedLock(o.locked, o.resume)
		if err != nil {
			return err
		}
		s.dir.LockedBy(lock)
	} else if err := s.dir.Lock(ctx, log); err != nil {
		return fmt.Errorf("%w: wait until it has ended, or stop it; both would write the same files", err)
	}
	s.releaseAtEnd(log)
	return s.dir.RemoveTemporaries()
}

// releaseAtEnd releases the directory when the session is closed, after everything else.
func (s *session) releaseAtEnd(log io.Writer) {
	dir := s.dir
	s.closers = append([]func(){func() {
		if err := dir.Close(); err != nil {
			fmt.Fprintf(log, "warning: %v\n", err)
		}
	}}, s.closers...)
}

// makeDir makes and locks the directory of a new run: --out, or a directory with a unique name that begins with the prefix.
func (s *session) makeDir(ctx context.Context, log io.Writer, prefix string) (err error) {
	o := s.o
	switch {
	case o.locked != nil:
		lock, err := report.InheritedLock(o.locked, o.out)
		if err != nil {
			return err
		}
		if s.dir, err = report.CreateLocked(o.out, lock); err != nil {
			return err
		}
	case o.out != "":
		s.dir, err = report.Create(ctx, o.out, log)
	default:
		name := fmt.Sprintf("runs/%s-%d-%s", prefix, o.run.Seed, s.started.Format(nameTime))
		if s.dir, err = report.CreateNew(ctx, name, nameSuffix(), log); err == nil {
			o.out = s.dir.Path()
		}
	}
	if err != nil {
		return err
	}
	s.releaseAtEnd(log)
	return nil
}

// create makes the directory of a new run and writes the files that are known before the run.
func (s *session) create(ctx context.Context, log io.Writer, prefix string, partition []byte) (err error) {
	o := s.o
	if err := s.makeDir(ctx, log, prefix+"-"+o.source.fileName()); err != nil {
		return err
	}
	defer func() {
		if err != nil && !report.IsRun(o.out) { // for example, the disk is full
			err = errors.Join(err, s.dir.Undo())
		}
	}()
	// The configuration comes last: it makes the directory a run that can be resumed.
	if err := s.dir.WritePartition(partition); err != nil {
		return err
	}
	if s.scenario != nil {
		if err := s.dir.WriteScenario(s.scenario); err != nil {
			return err
		}
	}
	if s.initial != nil {
		if err := s.dir.WriteInitialWeights(s.initial); err != nil {
			return err
		}
	}
	env, err := s.environ()
	if err != nil {
		return err
	}
	if err := s.dir.WriteEnv(env); err != nil {
		return err
	}
	if err := s.dir.WriteConfig(o.pairs()); err != nil || o.team == nil {
		return err
	}
	return o.team.Remember(runDirectory, o.out)
}

// resume finds the point at which an interrupted run continues. A run with neither rounds nor a checkpoint begins again.
func (s *session) resume(log io.Writer) error {
	o := s.o
	o.out = o.resume
	read := func() (*federation.Checkpoint, error) { return s.readCheckpoint(log) }
	var err error
	if o.team == nil {
		s.checkpoint, err = read()
	} else {
		s.checkpoint, err = o.team.checkpoint(read)
	}
	if err != nil || s.checkpoint == nil || !o.team.leads() {
		return err
	}
	if !o.quiet {
		fmt.Fprintf(log, "%s: continuing after %d rounds\n", o.resume, s.checkpoint.Rounds)
	}
	return s.dir.TruncateMetrics(s.checkpoint.Rounds)
}

// readCheckpoint reads the checkpoint of the run to resume. It returns nil if the run has neither a checkpoint nor rounds.
func (s *session) readCheckpoint(log io.Writer) (*federation.Checkpoint, error) {
	o := s.o
	c, err := federation.ReadCheckpoint(s.dir.Path(report.CheckpointFile))
	if !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	rounds, err := s.dir.ReadMetrics()
	if err != nil {
		return nil, err
	}
	if len(rounds) > 0 {
		return nil, fmt.Errorf("%s has %d rounds but no %s: the run cannot be continued", o.resume, len(rounds), report.CheckpointFile)
	}
	if !o.quiet {
		fmt.Fprintf(log, "%s: interrupted before its first checkpoint, beginning again\n", o.resume)
	}
	return nil, nil
}
