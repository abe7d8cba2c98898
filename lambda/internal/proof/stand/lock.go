package stand

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrBusy is the error if another process has locked the folder.
var ErrBusy = errors.New("another process is at work here")

// Lock locks dir for this process, until it calls unlock or ends.
func Lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("locking folder (%s): %w", dir, err)
	}
	// The lock belongs to the open file. The file itself stays and has no meaning.
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking folder (%s): %w", dir, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrBusy
		}
		return nil, fmt.Errorf("locking folder (%s): %w", dir, err)
	}
	return func() {
		// Closing is not enough: a child process that is just starting has the open file too
		// (flock(2)).
		_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
		_ = file.Close()
	}, nil
}
