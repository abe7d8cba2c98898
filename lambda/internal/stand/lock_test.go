package stand_test

import (
	"errors"
	"testing"

	"sgchain/lambda/internal/stand"
)

func TestLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unlock, err := stand.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stand.Lock(dir); !errors.Is(err, stand.ErrBusy) {
		t.Errorf("a second lock: got %v, want ErrBusy", err)
	}
	unlock()
	unlock, err = stand.Lock(dir)
	if err != nil {
		t.Errorf("after it was unlocked: %v", err)
		return
	}
	unlock()
}
