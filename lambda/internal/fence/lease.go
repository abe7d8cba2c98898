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
	// RenewEvery is the interval between readings while a run writes.
	RenewEvery = 2 * time.Second
	// ValidFor is the maximum age of the reading under a write.
	ValidFor = 5 * time.Second
	// Settle is how long a run waits before its first reading if an older run may still
	// be active. It is longer than that run can write without a reading which shows it
	// that it is over.
	Settle = 10 * time.Second
	// maxFailures is the number of consecutive failed renewals after which the run fails.
	maxFailures = 5
)

// lapsedError ends writes whose reading has become too old. It is unknown whether they
// took effect.
type lapsedError struct{}

func (lapsedError) Error() string { return "the stack's status could not be read in time" }

// Lapsed lets other packages recognize this error without an import of this package.
func (lapsedError) Lapsed() bool { return true }

// Lease permits writes while the last reading is fresh and does not show that the request
// is over.
type Lease struct {
	read  func(context.Context) (Reading, error)
	judge func(Reading) error
	log   *slog.Logger

	mu       sync.Mutex
	term     context.Context //nolint:containedctx // ends when the reading lapses
	end      context.CancelCauseFunc
	lapse    *time.Timer
	shut     error         // why no write is permitted from now on
	renewed  chan struct{} // closed and replaced when the state changes
	released chan struct{}
}

// Hold starts a lease with a first reading. It renews the reading until the context ends or
// Release is called. It shuts the lease if judge finds that the request is over.
func Hold(ctx context.Context, first Reading, read func(context.Context) (Reading, error), judge func(Reading) error, log *slog.Logger) *Lease {
	l := &Lease{read: read, judge: judge, log: log, renewed: make(chan struct{}), released: make(chan struct{})}
	l.renew(first)
	go l.keep(ctx)
	return l
}

// Release ends the renewals and all writes.
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

// Write makes a call under the lease. It waits for a fresh reading, and cancels the call's
// context if that reading lapses before it is renewed.
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

// Renew takes a reading now. It returns an error if the lease permits no further writes.
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

// keep renews the reading until the lease ends.
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

// renew begins a new term, or shuts the lease if the request is over.
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
	// Writes in flight continue: extend the term unless it has lapsed.
	if l.term != nil && l.lapse.Stop() && l.term.Err() == nil {
		l.lapse.Reset(left)
	} else {
		term, end := context.WithCancelCause(context.Background()) //nolint:forbidigo // a term outlives the call that begins it
		l.term, l.end = term, end
		l.lapse = time.AfterFunc(left, func() { end(lapsedError{}) })
	}
	l.wake()
}

// close shuts the lease. The caller holds the mutex.
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
