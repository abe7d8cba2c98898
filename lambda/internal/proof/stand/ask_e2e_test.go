//go:build e2e

package stand_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sgchain/lambda/internal/proof/stand"
)

// sgchainCommand builds the command once for all tests.
func sgchainCommand(t *testing.T) string {
	t.Helper()
	path, err := buildSgchain()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var buildSgchain = sync.OnceValues(func() (string, error) {
	root, err := stand.Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "build", "e2e", "sgchain")
	ctx := context.Background() //nolint:forbidigo // for all tests: no single one may cancel it
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "./cdk/cmd/sgchain")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building sgchain: %w\n%s", err, output)
	}
	return path, nil
})

// sgchain runs the command, and returns its exit code.
func (p publisher) sgchain(ctx context.Context, t *testing.T, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	program := sgchainCommand(t)
	var out, complaints bytes.Buffer
	cmd := p.emulator.Command(ctx, p.root, append([]string{program}, arguments...))
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err := cmd.Run()
	if exit, failed := errors.AsType[*exec.ExitError](err); failed {
		return exit.ExitCode(), out.String(), complaints.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, out.String(), complaints.String()
}

// asks runs plan and check for a stack whose template has no outputs about its chain. At the end, one
// of the chain's rules is missing.
func (l launchPad) asks(ctx context.Context, t *testing.T, s launched, template object) {
	t.Helper()
	said := func(code int, words string, arguments ...string) {
		t.Helper()
		got, stdout, stderr := l.publisher.sgchain(ctx, t, arguments...)
		if got != code || !strings.Contains(stdout+stderr, words) {
			t.Errorf("sgchain %s: got code %d, %s%s, want %d and words such as %q", strings.Join(arguments, " "), got, stdout, stderr, code, words)
		}
	}
	said(0, "The chain matches its properties.", "check", s.name, "--detailed-exitcode")
	said(0, "would change nothing", "plan", s.name, "--detailed-exitcode")
	said(1, "reading stack nowhere in us-east-1: ", "plan", "nowhere")

	resources, _ := template["Resources"].(object)
	one, _ := resources["Chain"].(object)
	properties, _ := one["Properties"].(object)
	file := filepath.Join(t.TempDir(), "changed.json")
	properties["Tiers"] = []any{object{"Name": "Alb", "GroupName": "ALB-SG", "Description": "Security group for Application Load Balancer", "Ports": []any{80, 8443}}}
	if err := os.WriteFile(file, []byte(encode(t, template)), 0o600); err != nil {
		t.Fatal(err)
	}
	said(2, "authorize", "plan", s.name, "-f", file, "--detailed-exitcode")
	properties["Tiers"] = []any{object{"Name": "Alb", "Prots": []any{80}}}
	if err := os.WriteFile(file, []byte(encode(t, template)), 0o600); err != nil {
		t.Fatal(err)
	}
	said(1, "Did you mean Ports?", "plan", s.name, "-f", file)

	l.publisher.must(ctx, t, "ec2", "revoke-security-group-ingress", "--group-id", s.group(ctx, t, "ALB-SG"), "--protocol", "tcp", "--port", "443", "--cidr", "0.0.0.0/0")
	said(2, `"result": "drift"`, "check", s.name, "--detailed-exitcode", "--format", "json")
	said(0, "differs", "check", s.name)
}

// group returns the ID of a group in the stack's VPC.
func (s launched) group(ctx context.Context, t *testing.T, name string) string {
	t.Helper()
	_, groups := readBack(ctx, t, s.emulator, s.vpc)
	return group(t, groups, name)
}
