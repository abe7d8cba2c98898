package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// aws is the AWS CLI, with a Region where one is named.
type aws struct{ cli, region string }

// run returns what the AWS CLI prints, which is JSON.
func (a aws) run(ctx context.Context, arguments ...string) ([]byte, error) {
	all := append(slices.Clip(arguments), "--output", "json")
	if a.region != "" {
		all = append(all, "--region", a.region)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, a.cli, all...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, failed := errors.AsType[*exec.ExitError](err); failed {
		return nil, fmt.Errorf("running the AWS CLI (%s): %w: %s", strings.Join(arguments[:2], " "), err, strings.TrimSpace(stderr.String()))
	}
	if err != nil {
		return nil, fmt.Errorf("running the AWS CLI (%s): %w", a.cli, err)
	}
	return stdout.Bytes(), nil
}
