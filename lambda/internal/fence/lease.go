package fence

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"sgchain/lambda/internal/task"
)

const (
	// RenewEvery is how often a reading is renewed while a run writes.
	RenewEvery = 2 * time.Second
	// ValidFor is how old a reading may be under a write.
	ValidFor = 5 * time.Second
	// Settle is how long a run waits before its first look where an older run may
	// be alive: longer than that run may write without a reading of its own that
	// shows it that it is over.
	Settle = 10 * time.Second
	// maxFailures is how many renewals may fail in a row before the run gives up.
	maxFailures = 5
)

// lapsedError ends writes whose reading has become too old: whether they took
// effect is not known.
type lapsedError struct{}

func (lapsedError) Error() string { return "the stack's status could not be read in time" }

// Lapsed tells this error from others without an import of this package.
func (lapsedError) Lapsed() bool { return true }

// Lease admits writes while the last reading is fresh and shows that the request
// is not over.
type Lease struct {
	read  func(context.Context) (Reading, error)
	judge func(Reading) error
	log   *slog.Logger

	mu       sync.Mutex
	term     context.Context //nolint:containedctx // it is the term: it ends when the reading lapses
	end      context.CancelCauseFunc
	lapse    *time.Timer
	shut     error         // why no write is admitted ever again
	renewed  chan struct{} // closed, and made anew, when the state changes
	released chan struct{}
}

// Hold starts a lease with a first reading, renews it until the context ends or
// Release is called, and shuts it when judge finds the request over.
func Hold(ctx context.Context, first Reading, read func(context.Context) (Reading, error), judge func(Reading) error, log *slog.Logger) *Lease {
	l := &Lease{read: read, judge: judge, log: log, renewed: make(chan struct{}), released: make(chan struct{})}
	l.renew(first)
	go l.keep(ctx)
	return l
}

// Release ends the renewals, and all writes.
func (l *Lease) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.released:
	default:
		close(l.released)
		l.close(context.Canceled)
	}
}

// Write runs a call under the lease: it waits for a fresh reading, and ends the
// call's context when that reading lapses before it is renewed.
func (l *Lease) Write(ctx context.Context, call func(context.Context) error) error {
	term, err := l.fresh(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(term, func() { cancel(context.Cause(term)) })
	defer stop()
	if err = call(ctx); err != nil && ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	return err
}

// Renew takes a reading now, and returns why no write is admitted any more; nil where one is.
func (l *Lease) Renew(ctx context.Context) error {
	reading, err := l.readInTime(ctx)
	if err != nil {
		return err
	}
	l.renew(reading)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shut
}

// fresh waits until the reading is fresh, and returns the context of its term.
func (l *Lease) fresh(ctx context.Context) (context.Context, error) {
	for {
		l.mu.Lock()
		term, shut, renewed := l.term, l.shut, l.renewed
		l.mu.Unlock()
		switch {
		case shut != nil:
			return nil, shut
		case term != nil && term.Err() == nil:
			return term, context.Cause(ctx)
		}
		select {
		case <-renewed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// keep renews the reading.
func (l *Lease) keep(ctx context.Context) {
	ticker := time.NewTicker(RenewEvery)
	defer ticker.Stop()
	failures := 0
	for {
		select {
		case <-ctx.Done():
			l.mu.Lock()
			l.close(context.Cause(ctx))
			l.mu.Unlock()
			return
		case <-l.released:
			return
		case <-ticker.C:
		}
		var reading Reading
		err := task.Run(func() (err error) {
			reading, err = l.readInTime(ctx)
			return err
		})
		switch {
		case err == nil:
			failures = 0
			l.renew(reading)
		case ctx.Err() == nil:
			failures++
			l.log.Warn("reading the stack's status failed", slog.Int("failures", failures), slog.String("error", err.Error()))
			if failures >= maxFailures {
				l.mu.Lock()
				l.close(err)
				l.mu.Unlock()
				return
			}
		}
	}
}

func (l *Lease) readInTime(ctx context.Context) (Reading, error) {
	ctx, cancel := context.WithTimeout(ctx, ValidFor)
	defer cancel()
	return l.read(ctx)
}

// renew begins a new term, or shuts the lease where the request is over.
func (l *Lease) renew(reading Reading) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shut != nil {
		return
	}
	if err := l.judge(reading); err != nil {
		l.close(err)
		return
	}
	left := ValidFor - time.Since(reading.At)
	if left <= 0 {
		return
	}
	// Writes in flight live on: the term is prolonged where it has not lapsed.
	if l.term != nil && l.lapse.Stop() && l.term.Err() == nil {
		l.lapse.Reset(left)
	} else {
		term, end := context.WithCancelCause(context.Background()) //nolint:forbidigo // a term outlives the call that begins it
		l.term, l.end = term, end
		l.lapse = time.AfterFunc(left, func() { end(lapsedError{}) })
	}
	l.wake()
}

// close shuts the lease; the mutex is held.
func (l *Lease) close(cause error) {
	if l.shut != nil {
		return
	}
	l.shut = cause
	if l.term != nil {
		l.lapse.Stop()
		l.end(cause)
	}
	l.wake()
}

func (l *Lease) wake() {
	close(l.renewed)
	l.renewed = make(chan struct{})
}
