package sg

import (
	"context"
	"time"

	"sgchain/lambda/internal/task"
)

// lagging waits for reads to catch up, with growing delays.
type lagging struct {
	since time.Time
	task.Backoff
}

func (l *lagging) patient() bool { return l.lasts(readPatience) }

// lasts reports whether the wait has so far been shorter than a patience.
func (l *lagging) lasts(patience time.Duration) bool {
	l.begin()
	return time.Since(l.since) < patience
}

func (l *lagging) begin() {
	if l.since.IsZero() {
		l.since = time.Now()
		l.Backoff = task.Backoff{Next: 200 * time.Millisecond, Last: 5 * time.Second}
	}
}

func (l *lagging) wait(ctx context.Context) error {
	l.begin()
	return l.Backoff.Wait(ctx)
}
