package task

import (
	"context"
	"time"
)

// Sleep waits, unless the context ends first: then its cause is the error. Without a wait it
// only says whether the context has ended.
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

// Backoff waits longer each time: twice as long as the time before, at most Last.
type Backoff struct{ Next, Last time.Duration }

// Wait waits for the next of its times, as [Sleep] does.
func (b *Backoff) Wait(ctx context.Context) error {
	wait := b.Next
	b.Next = min(2*b.Next, b.Last)
	return Sleep(ctx, wait)
}
