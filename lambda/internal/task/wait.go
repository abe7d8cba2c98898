package task

import (
	"context"
	"time"
)

// Sleep waits, or returns the cause if the context ends first. With a wait of zero or less it
// returns at once, with the cause if the context has ended.
func Sleep(ctx context.Context, wait time.Duration) error {
	if wait <= 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Backoff waits twice as long each time, at most Last.
type Backoff struct{ Next, Last time.Duration }

// Wait waits like [Sleep], for the next duration.
func (b *Backoff) Wait(ctx context.Context) error {
	wait := b.Next
	b.Next = min(2*b.Next, b.Last)
	return Sleep(ctx, wait)
}
