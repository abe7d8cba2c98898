package sg

import (
	"context"
	"errors"
	"sync/atomic"
)

// attempts is what is known of the tries of one call, which the SDK repeats by itself.
type attempts struct{ lost atomic.Bool }

type attemptsKey struct{}

// withAttempts is a context for one call, and what the SDK's tries of it come to.
func withAttempts(ctx context.Context) (context.Context, *attempts) {
	tries := &attempts{}
	return context.WithValue(ctx, attemptsKey{}, tries), tries
}

// Attempted notes how a try of a call ended that is followed by another one. The clients'
// retryer calls it with the call's context: an answer that says nothing but that a name is taken does not tell whether a
// try before it took effect.
func Attempted(ctx context.Context, err error) {
	if tries, ok := ctx.Value(attemptsKey{}).(*attempts); ok && mayHaveEffect(err) {
		tries.lost.Store(true)
	}
}

// mayHaveEffect reports whether a call that failed may have taken effect all the same: its
// answer did not come, or EC2 broke off.
func mayHaveEffect(err error) bool {
	var status interface{ HTTPStatusCode() int }
	switch code := codeOf(err); {
	case err == nil:
		return false
	case code == "" || isLapsed(err):
		return true
	case codes()[code].remedy == remedyThrottled:
		return false
	case errors.As(err, &status) && status.HTTPStatusCode() >= 500:
		return true
	default:
		return codes()[code].class == transient
	}
}
