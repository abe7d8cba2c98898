package sg

import (
	"context"
	"sync"
	"time"

	"sgchain/lambda/internal/task"
)

// EC2 throttles each operation by a token bucket for the account and Region
// ("Request throttling for the Amazon EC2 API", EC2 developer guide). These rates
// stay below it, so that EC2 refuses no call.
const (
	mutatingBurst, mutatingPerSecond = 50, 5
	taggingBurst, taggingPerSecond   = 100, 10
)

// Limiter paces the mutating calls of one process, with a token bucket for each
// operation as EC2 has it. The zero value is ready to use.
type Limiter struct {
	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	burst, perSecond float64
	tokens           float64
	at               time.Time
}

// take waits until the operation has a token.
func (l *Limiter) take(ctx context.Context, operation string) error {
	return task.Sleep(ctx, l.reserve(operation, time.Now()))
}

// reserve takes a token, and returns how long to wait if the bucket is empty.
func (l *Limiter) reserve(operation string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buckets == nil {
		l.buckets = map[string]*bucket{}
	}
	b, ok := l.buckets[operation]
	if !ok {
		b = &bucket{burst: mutatingBurst, perSecond: mutatingPerSecond, at: now}
		if operation == opCreateTags || operation == opDeleteTags {
			b.burst, b.perSecond = taggingBurst, taggingPerSecond
		}
		b.tokens = b.burst
		l.buckets[operation] = b
	}
	b.tokens = min(b.burst, b.tokens+now.Sub(b.at).Seconds()*b.perSecond)
	b.at = now
	b.tokens--
	return time.Duration(max(0, -b.tokens/b.perSecond) * float64(time.Second))
}
