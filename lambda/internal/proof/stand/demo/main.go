// Command demo shows the product's main job on this machine. It deploys the tutorial's chain with
// the real CDK CLI to an emulated AWS, changes it, and deletes it. make demo, make demo-update and
// make demo-down run it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"sgchain/lambda/internal/proof/stand"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, out *os.File, problems io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	root, err := stand.Root()
	if err != nil {
		_, _ = fmt.Fprintln(problems, err)
		return 1
	}
	d := newDemo(root, stand.NewScreen(out))
	verbs := map[string]func(context.Context) error{"up": d.up, "update": d.update, "down": d.down}
	verb := verbs[strings.Join(args, " ")]
	if verb == nil {
		_, _ = fmt.Fprintln(problems, "usage: demo up|update|down")
		return 2
	}
	err = d.alone(ctx, verb)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		_, _ = fmt.Fprintln(problems, "\nInterrupted. Run make demo to continue, or make demo-down to delete everything.")
		return 130
	case errors.Is(err, stand.ErrBusy):
		_, _ = fmt.Fprintln(problems, "Another make demo, demo-update or demo-down is running in this folder. Wait until it ends, or stop it.")
		return 1
	default:
		// Paths relative to the repository's folder.
		text := strings.ReplaceAll(err.Error(), root+string(filepath.Separator), "")
		_, _ = fmt.Fprintf(problems, "\n%s\n", text)
		return 1
	}
}
