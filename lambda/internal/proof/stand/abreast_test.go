package stand_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sgchain/lambda/internal/proof/stand"
)

// The recipes of makefile wait for each other at named pipes: of two that meet, neither ends unless both run.
const makefile = `
fresh: ; @echo never needed
up-to-date: fresh.stamp
fresh.stamp: ; @touch $@
left: ; @read word <meet; echo left 1; echo left 2
right: ; @echo word >meet; echo right 1; echo right 2
# These two end only when they are stopped.
endless: ; @echo endless; echo word >meet; exec cat never
stuck: ; @echo word >started; exec cat never
wrong: ; @read word <meet; echo the reason; exit 3
`

// longEnough is how long a test waits for what takes a moment.
const longEnough = time.Minute

// abreast starts .ci/abreast. Everything that it starts has the pipe that is returned: it is at its
// end when all of that has ended.
func abreast(ctx context.Context, t *testing.T, dir string, targets ...string) (cmd *exec.Cmd, ends *os.File) {
	t.Helper()
	root, err := stand.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, pipe := range []string{"meet", "never", "started"} {
		if err := syscall.Mkfifo(filepath.Join(dir, pipe), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{"Makefile": makefile, "fresh.stamp": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ends, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ends.Close() })
	cmd = exec.CommandContext(ctx, filepath.Join(root, ".ci", "abreast"), targets...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "MAKEFLAGS=")
	cmd.Stdout, cmd.Stderr = &bytes.Buffer{}, &bytes.Buffer{}
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = longEnough // what outlives it may hold the output open
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close()
	return cmd, ends
}

// hear returns when somebody has written to a pipe.
func hear(t *testing.T, path string) {
	t.Helper()
	// For reading and writing, because the opening for one of them would wait for the other, without end.
	pipe, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pipe.Close() }()
	if err := pipe.SetReadDeadline(time.Now().Add(longEnough)); err != nil {
		t.Fatal(err)
	}
	if _, err := pipe.Read(make([]byte, 1)); err != nil {
		t.Fatalf("waiting for a target's start: %v", err)
	}
}

// TestAbreast: targets run beside one another, each is printed whole, and nothing outlives a failure or a signal.
func TestAbreast(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		targets []string
		sends   syscall.Signal // when a target has told that it has started
		status  int
		stdout  []string // each a whole block; together all that is printed
		stderr  string
	}{
		"nothing to do":  {targets: []string{"up-to-date"}},
		"they meet":      {targets: []string{"left", "right", "up-to-date"}, stdout: []string{"left 1\nleft 2\n", "right 1\nright 2\n"}},
		"other way":      {targets: []string{"right", "left"}, stdout: []string{"left 1\nleft 2\n", "right 1\nright 2\n"}},
		"one fails":      {targets: []string{"endless", "wrong"}, status: 2, stderr: "the reason\n"},
		"it fails first": {targets: []string{"wrong", "stuck", "endless"}, status: 2, stderr: "the reason\n"},
		"interrupted":    {targets: []string{"stuck", "wrong"}, sends: syscall.SIGINT, status: 130},
		"stopped":        {targets: []string{"wrong", "stuck"}, sends: syscall.SIGTERM, status: 130},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), longEnough)
			defer cancel()
			dir := t.TempDir()
			cmd, ends := abreast(ctx, t, dir, c.targets...)
			if c.sends != 0 {
				hear(t, filepath.Join(dir, "started"))
				if err := cmd.Process.Signal(c.sends); err != nil {
					t.Fatal(err)
				}
			}
			_ = cmd.Wait() // its status is looked at below
			if err := ends.SetReadDeadline(time.Now().Add(longEnough)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(ends); err != nil {
				t.Errorf("something outlived it: %v", err)
			}
			if left, err := filepath.Glob(filepath.Join(dir, "tmp.*")); err != nil || len(left) != 0 {
				t.Errorf("folders are left: %v, %v", left, err)
			}
			stdout, stderr := fmt.Sprint(cmd.Stdout), fmt.Sprint(cmd.Stderr)
			if status := cmd.ProcessState.ExitCode(); ctx.Err() != nil || status != c.status {
				t.Errorf("status: got %d (%v), want %d", status, ctx.Err(), c.status)
			}
			if !strings.HasPrefix(stderr, c.stderr) || (c.stderr == "") != (stderr == "") {
				t.Errorf("stderr: got %q, want %q at first", stderr, c.stderr)
			}
			for _, block := range c.stdout {
				if !strings.Contains(stdout, block) {
					t.Errorf("stdout: got %q, want %q in it", stdout, block)
				}
				stdout = strings.Replace(stdout, block, "", 1)
			}
			if stdout != "" {
				t.Errorf("stdout: got %q as well", stdout)
			}
		})
	}
}
