package stand

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// identity returns the start time of the MiniStack with a process ID. That distinguishes it from any
// other process with the same ID. It is empty if no MiniStack runs with that ID; a zombie does not run.
func identity(ctx context.Context, pid int) (string, error) {
	if _, err := os.Stat("/proc/self/stat"); err == nil {
		return procIdentity(pid)
	}
	out, err := exec.CommandContext(ctx, "ps", "-ww", "-o", "stat=,lstart=,command=", "-p", strconv.Itoa(pid)).Output()
	if _, failed := errors.AsType[*exec.ExitError](err); failed {
		return "", nil // this exit status of ps means that no such process exists
	}
	if err != nil {
		return "", fmt.Errorf("reading process (%d): %w", pid, err)
	}
	// The state, the start time as five words (Mon Nov 23 07:47:44 2026), and the command line.
	fields := strings.Fields(string(out))
	if len(fields) < 7 || strings.HasPrefix(fields[0], "Z") || !isMiniStack(fields[6:]) {
		return "", nil
	}
	return strings.Join(fields[1:6], " "), nil
}

func isMiniStack(command []string) bool { return slices.Contains(command, "ministack") }

// firstIdentity returns the identity of a process that was just started. Its command line can
// only be read a little later than the kernel reports that it runs.
func firstIdentity(ctx context.Context, pid int) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var id string
	err := poll(ctx, pollInterval, fmt.Sprintf("reading process (%d)", pid), func() (bool, error) {
		var err error
		id, err = identity(ctx, pid)
		return id != "", err
	})
	return id, err
}

func procIdentity(pid int) (string, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if gone(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading process (%d): %w", pid, err)
	}
	// The second field is the program's name in parentheses and may contain blanks: count after it.
	// See proc(5): field 3 is the state, field 22 the start time in clock ticks since boot.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return "", fmt.Errorf("reading process (%d): unexpected %s/stat", pid, dir)
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return "", nil
	}
	command, err := os.ReadFile(dir + "/cmdline")
	if gone(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading process (%d): %w", pid, err)
	}
	if !isMiniStack(strings.Split(string(command), "\x00")) {
		return "", nil
	}
	return fields[19], nil
}

// gone reports whether a file below /proc has vanished with its process.
func gone(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}

// signal sends a signal to a process if it still has that identity.
func signal(ctx context.Context, pid int, id string, sig syscall.Signal) error {
	now, err := identity(ctx, pid)
	if err != nil {
		return err
	}
	if now == "" || now != id {
		return nil
	}
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stopping process (%d): %w", pid, err)
	}
	return nil
}
