package provider

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/fence"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/sg"
	"sgchain/lambda/internal/task"
)

// judge returns the fence's verdict, or only logs it.
func (r *run) judge(verdict func(fence.Reading) error) func(fence.Reading) error {
	return func(now fence.Reading) error {
		err := verdict(now)
		if err != nil && r.FenceOnlyLogs {
			r.log.Warn("the fence only logs", slog.String("over", err.Error()))
			return nil
		}
		return err
	}
}

// view is what a run reads before it writes.
type view struct {
	query sg.Query
	// admits judges each reading; nil admits all.
	admits func(fence.Reading) error
	// beside runs at the same time as the first read; may be nil.
	beside func(context.Context) error
	// isDoubtful reports whether EC2 may be showing an earlier state.
	isDoubtful func(chain.State) bool
}

// look reads CloudFormation and EC2 at the same time, and runs beside. If an older run may still
// write, it waits until that one no longer can and reads again. It does the same if what EC2 shows
// is doubtful.
func (r *run) look(ctx context.Context, wanted view) (fence.Reading, sg.Observed, error) {
	reading, observed, err := r.lookOnce(ctx, wanted, sg.Observed{})
	if err != nil || (!wanted.isDoubtful(observed.State) && !fence.OlderMayRun(r.request, reading) && !r.othersMayRun()) {
		return reading, observed, err
	}
	r.log.Info("an older run may be alive: waiting", slog.Duration("wait", fence.Settle))
	if err := task.Sleep(ctx, fence.Settle); err != nil {
		return reading, observed, err
	}
	wanted.beside = nil
	return r.lookOnce(ctx, wanted, observed)
}

// lookOnce reads once. Groups that are already known have to be shown.
func (r *run) lookOnce(ctx context.Context, wanted view, known sg.Observed) (fence.Reading, sg.Observed, error) {
	var observed sg.Observed
	seen := aside(func() (err error) {
		observed, err = r.edge.ObserveAgain(ctx, wanted.query, known)
		return err
	})
	var asked <-chan error
	if wanted.beside != nil {
		asked = aside(func() error { return wanted.beside(ctx) })
	}
	reading, err := r.reader.Read(ctx)
	errEC2 := <-seen
	if wanted.beside != nil {
		errEC2 = errors.Join(errEC2, <-asked)
	}
	if err != nil {
		return reading, observed, errors.Join(&statusError{err}, context.Cause(ctx))
	}
	r.log.Info("status", slog.String("reading", reading.String()))
	if err := protocol.CheckRecorded(r.event, reading.ResourceType, chain.ResourceType); err != nil {
		return reading, observed, err
	}
	if wanted.admits != nil {
		if err = r.judge(wanted.admits)(reading); err != nil {
			return reading, observed, err
		}
	}
	return reading, observed, errEC2
}

// aside runs a function in its own goroutine.
func aside(do func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- task.Run(do) }()
	return done
}

// isRollback reports whether CloudFormation is rolling an operation back.
func isRollback(now fence.Reading) bool { return strings.Contains(now.Stack, "ROLLBACK") }

// othersMayRun reports whether a run of another request may still write. It may be a repair, which
// writes until it sees a new operation. Or it may be the Create of another chain that takes over
// the groups which a Delete would delete.
func (r *run) othersMayRun() bool {
	return (r.Repairs && r.request.Type != fence.Create) || (r.Moves && r.request.Type == fence.Delete)
}
