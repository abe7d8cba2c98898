package stand

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// CDK runs the real CDK CLI on one app.
type CDK struct {
	Root  string // the repository
	App   string // the app's folder; if empty, the repository's own app
	Dir   string // for the CLI's log, synthesized template and caches
	Stack string // the app's stack; if empty, StackName
	// Command runs the app; if empty, the command of cdk.json.
	Command string
	// Direct deploys without a change set, which saves the CLI one wait of five seconds.
	Direct bool
	// Environment selects the account: a MiniStack's, or the user's own.
	Environment []string
	// Context is the app's context, as key=value.
	Context []string
}

// LogFile returns the path of the CLI's output, which every run appends to.
func (c CDK) LogFile() string { return filepath.Join(c.Dir, "cdk.log") }

// Bootstrap creates the bucket and the roles that a deploy to a MiniStack needs. It runs in a folder
// without cdk.json: with one, the CLI would synthesize the app first, for nothing.
func (c CDK) Bootstrap(ctx context.Context) error {
	return c.run(ctx, c.Dir, "bootstrap", "aws://"+AccountID+"/"+Region)
}

// Deploy creates or updates the app's stack. Further context (key=value) is for this deploy only.
// A value must be one line, because the CLI drops the others.
func (c CDK) Deploy(ctx context.Context, further ...string) error {
	args := []string{c.stack(), "--require-approval", "never"}
	if c.Direct {
		args = append(args, "--method", "direct")
	}
	return c.run(ctx, c.app(), "deploy", append(args, flags(further)...)...)
}

// Destroy deletes the app's stack.
func (c CDK) Destroy(ctx context.Context) error {
	return c.run(ctx, c.app(), "destroy", c.stack(), "--force")
}

// Assembly returns the folder that a deploy synthesizes into.
func (c CDK) Assembly() string { return filepath.Join(c.Dir, "cdk.out") }

func (c CDK) app() string   { return cmp.Or(c.App, c.Root) }
func (c CDK) stack() string { return cmp.Or(c.Stack, StackName) }

func flags(settings []string) []string {
	var list []string
	for _, setting := range settings {
		list = append(list, "-c", setting)
	}
	return list
}

func (c CDK) run(ctx context.Context, dir, verb string, args ...string) error {
	tmp := filepath.Join(c.Dir, "tmp")
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return fmt.Errorf("running cdk %s: %w", verb, err)
	}
	log, err := os.OpenFile(c.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("running cdk %s: %w", verb, err)
	}
	defer func() { _ = log.Close() }()

	args = slices.Concat(
		[]string{verb}, args, flags(c.Context),
		[]string{"--output", c.Assembly(), "--no-notices", "--no-color"},
	)
	if c.Command != "" && dir == c.app() { // a bootstrap would synthesize it, for nothing
		args = append(args, "--app", c.Command)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(c.Root, "build", "tools", "node_modules", ".bin", "cdk"), args...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(slices.Clone(c.Environment),
		"CDK_DISABLE_CLI_TELEMETRY=true",
		"CDK_DISABLE_VERSION_CHECK=true",
		"CDK_HOME="+filepath.Join(c.Dir, "cdk-home"), // not the user's ~/.cdk
		"JSII_RUNTIME_PACKAGE_CACHE_ROOT="+filepath.Join(c.Root, "build", "tools", "jsii"),
		"TMPDIR="+tmp, // an interrupted jsii leaves folders behind
	)
	// Its own process group, so that an interrupt reaches the CLI and the app once each.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 5 * time.Second

	_, _ = fmt.Fprintf(log, "$ cdk %s\n", verb)
	err = cmd.Run()
	if cmd.Process != nil {
		// Processes that outlived an interrupt. After a normal end there are no processes left.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("running cdk %s: %w", verb, context.Cause(ctx))
	}
	if exit, failed := errors.AsType[*exec.ExitError](err); failed {
		return fmt.Errorf("running cdk %s: it failed (%s)", verb, exit.ProcessState)
	}
	if err != nil {
		return fmt.Errorf("running cdk %s: %w", verb, err)
	}
	return os.RemoveAll(tmp)
}
