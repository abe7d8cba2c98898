package stand

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// sleeper starts a process that looks like a MiniStack. The function end ends it.
func sleeper(t *testing.T) (pid int, end func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "read line", "ministack")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	}
	t.Cleanup(end)
	return cmd.Process.Pid, end
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	pid, end := sleeper(t)
	first, err := firstIdentity(t.Context(), pid)
	if err != nil || first == "" {
		t.Fatalf("a running process: got %q, %v", first, err)
	}
	if again, err := identity(t.Context(), pid); err != nil || again != first {
		t.Errorf("asked twice: got %q, %v, want %q", again, err, first)
	}
	end()
	if ended, err := identity(t.Context(), pid); err != nil || ended != "" {
		t.Errorf("an ended process: got %q, %v, want none", ended, err)
	}
	if own, err := identity(t.Context(), os.Getpid()); err != nil || own != "" {
		t.Errorf("a process that is no MiniStack: got %q, %v, want none", own, err)
	}
}

func TestSignalWithReusedProcessID(t *testing.T) {
	t.Parallel()
	pid, _ := sleeper(t)
	id, err := firstIdentity(t.Context(), pid)
	if err != nil {
		t.Fatal(err)
	}
	// Another process had this ID before. A signal for that one must not end this one.
	if err := signal(t.Context(), pid, "an older process", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if now, err := identity(t.Context(), pid); err != nil || now != id {
		t.Errorf("after a signal for another process: got %q, %v, want %q", now, err, id)
	}
}

func TestAttachWithoutProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if m, err := Attach(t.Context(), dir); m != nil || err != nil {
		t.Errorf("an empty folder: got %v, %v, want none", m, err)
	}
	pid, end := sleeper(t)
	id, err := firstIdentity(t.Context(), pid)
	if err != nil {
		t.Fatal(err)
	}
	m := &MiniStack{PID: pid, Port: 1, Identity: id, dir: dir}
	if err := m.save(); err != nil {
		t.Fatal(err)
	}
	if found, err := Attach(t.Context(), dir); err != nil || found == nil || found.PID != pid || found.Port != 1 {
		t.Errorf("a running one: got %+v, %v", found, err)
	}
	end()
	if found, err := Attach(t.Context(), dir); found != nil || err != nil {
		t.Errorf("an ended one: got %+v, %v, want none", found, err)
	}
}
