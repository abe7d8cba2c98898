package stand_test

import (
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"sgchain/lambda/internal/proof/stand"
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

// A child process has every open file of its parent until it runs another program
// (syscall.ForkLock). An unlocked folder is free even then.
func TestUnlockWhileChildrenStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	nothing := filepath.Join(dir, "nothing") // a child that fails to start suffices
	var over atomic.Bool
	var starting sync.WaitGroup
	defer starting.Wait()
	starting.Go(func() {
		defer over.Store(true)
		for range 500 {
			if err := exec.CommandContext(t.Context(), nothing).Start(); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("starting a missing program: %v", err)
				return
			}
		}
	})
	for n := 0; !over.Load(); n++ {
		unlock, err := stand.Lock(dir)
		if err != nil {
			t.Errorf("after it was unlocked %d times: %v", n, err)
			return
		}
		unlock()
	}
}
