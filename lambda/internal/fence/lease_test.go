package fence_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sgchain/lambda/internal/fence"
)

// held is a lease whose readings the test controls.
type held struct {
	*fence.Lease

	reads  atomic.Int32
	broken atomic.Bool
	over   atomic.Bool
}

var (
	errUnread = errors.New("not readable")
	errOver   = errors.New("over")
)

func hold(t *testing.T) *held {
	t.Helper()
	h := &held{}
	h.Lease = fence.Hold(t.Context(), fence.Reading{At: time.Now()}, func(context.Context) (fence.Reading, error) {
		h.reads.Add(1)
		if h.broken.Load() {
			return fence.Reading{}, errUnread
		}
		return fence.Reading{At: time.Now()}, nil
	}, func(fence.Reading) error {
		if h.over.Load() {
			return errOver
		}
		return nil
	}, slog.New(slog.DiscardHandler))
	return h
}

// write returns a call that takes some time and respects its context.
func write(took time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(took):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestLeaseIsRenewedUnderALongWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lease := hold(t)
		if err := lease.Write(t.Context(), write(time.Minute)); err != nil {
			t.Errorf("a write under a lease that is renewed ended: %v", err)
		}
		if got := lease.reads.Load(); got < 29 || got > 30 {
			t.Errorf("%d readings in a minute, want one every 2 s", got)
		}
		lease.Release()
	})
}

func TestWriteInFlightEndsWhenTheLeaseLapses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lease := hold(t)
		lease.broken.Store(true)
		started := time.Now()
		err := lease.Write(t.Context(), write(time.Minute))
		if took := time.Since(started); err == nil || took != fence.ValidFor {
			t.Errorf("a write under a lease that lapses ended after %v with %v, want %v", took, err, fence.ValidFor)
		}
		var lapsed interface{ Lapsed() bool }
		if !errors.As(err, &lapsed) || !lapsed.Lapsed() {
			t.Errorf("%v does not report that the lease lapsed", err)
		}
		lease.Release()
	})
}

func TestWriteWaitsForAFreshReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lease := hold(t)
		lease.broken.Store(true)
		<-time.After(5500 * time.Millisecond) // the first reading is too old, and two renewals failed
		lease.broken.Store(false)
		started := time.Now()
		if err := lease.Write(t.Context(), func(context.Context) error {
			if time.Since(started) == 0 {
				t.Error("a write began on a reading of 5.5 s ago")
			}
			return nil
		}); err != nil {
			t.Errorf("a write did not wait for the next reading: %v", err)
		}
		lease.Release()
	})
}

func TestLeaseEndsWhenTheRequestIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lease := hold(t)
		lease.over.Store(true)
		started := time.Now()
		if err := lease.Write(t.Context(), write(time.Minute)); !errors.Is(err, errOver) || time.Since(started) > fence.RenewEvery {
			t.Errorf("a write in flight ended after %v with %v", time.Since(started), err)
		}
		lease.over.Store(false)
		<-time.After(time.Minute)
		if err := lease.Write(t.Context(), write(0)); !errors.Is(err, errOver) {
			t.Errorf("a lease that was shut permitted a write: %v", err)
		}
		lease.Release()
	})
}

func TestLeaseEndsAfterRepeatedFailedReadings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lease := hold(t)
		lease.broken.Store(true)
		<-time.After(6 * time.Second)
		started := time.Now()
		if err := lease.Write(t.Context(), write(0)); !errors.Is(err, errUnread) || time.Since(started) > 6*time.Second {
			t.Errorf("after %v: %v, want the cause of the failed readings", time.Since(started), err)
		}
		lease.Release()
	})
}

// TestReleaseEndsEverything would not return if a goroutine of the lease did not.
func TestReleaseEndsEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lease := hold(t)
		lease.Release()
		lease.Release()
		if err := lease.Write(t.Context(), write(0)); err == nil {
			t.Error("a released lease permitted a write")
		}
	})
}

func TestWriteEndsWithTheCallersContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lease := hold(t)
		cause := errors.New("time is up")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
		defer cancel()
		if err := lease.Write(ctx, write(time.Minute)); !errors.Is(err, cause) {
			t.Errorf("got %v, want %v", err, cause)
		}
		lease.Release()
	})
}
