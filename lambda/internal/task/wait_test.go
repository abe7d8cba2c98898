package task_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sgchain/lambda/internal/task"
)

func TestSleep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := task.Sleep(t.Context(), time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("it took %s: %v", time.Since(began), err)
		}
		why := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, why)
		defer cancel()
		if err := task.Sleep(ctx, time.Minute); !errors.Is(err, why) || time.Since(began) != 61*time.Second {
			t.Errorf("it ended after %s: %v", time.Since(began), err)
		}
		if err := task.Sleep(ctx, 0); !errors.Is(err, why) {
			t.Errorf("without a wait it says %v", err)
		}
		if err := task.Sleep(t.Context(), -1); err != nil {
			t.Error(err)
		}
	})
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wait := task.Backoff{Next: time.Second, Last: 3 * time.Second}
		for _, want := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second} {
			began := time.Now()
			if err := wait.Wait(t.Context()); err != nil || time.Since(began) != want {
				t.Errorf("waited %s, want %s: %v", time.Since(began), want, err)
			}
		}
	})
}
