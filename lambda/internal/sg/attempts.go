package sg

import (
	"context"
	"errors"
	"sync/atomic"
)

// attempts records how the attempts of one call ended. The SDK retries calls by itself.
type attempts struct{ lost atomic.Bool }

type attemptsKey struct{}

// withAttempts returns a context for one call, and the record of the SDK's attempts of it.
func withAttempts(ctx context.Context) (context.Context, *attempts) {
	tries := &attempts{}
	return context.WithValue(ctx, attemptsKey{}, tries), tries
}

// RecordAttempt records the error of an attempt that the SDK will retry. The clients' retryer
// calls it with the call's context. Without the record, a later "the name is taken" does not
// show that an earlier attempt may have taken effect.
func RecordAttempt(ctx context.Context, err error) {
	if tries, ok := ctx.Value(attemptsKey{}).(*attempts); ok && mayHaveEffect(err) {
		tries.lost.Store(true)
	}
}

// mayHaveEffect reports whether a failed call may have taken effect anyway: its answer was
// lost, or EC2 failed halfway.
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
