package stand

import (
	"context"
	"os/exec"
	"syscall"
	"time"
)

// Command returns a command in a folder whose AWS calls go to this MiniStack, whatever the user's
// profile, Region or endpoint. Further variables are added to its environment.
func (m *MiniStack) Command(ctx context.Context, dir string, arguments []string, further ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, arguments[0], arguments[1:]...)
	cmd.Dir = dir
	cmd.Env = append(append(cleanEnvironment(), awsEnvironment(m.Endpoint())...), further...)
	// Its own process group, so that its child processes end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}
