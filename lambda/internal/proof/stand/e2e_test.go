//go:build e2e

// The end-to-end tests: the compiled Lambda under a real CloudFormation engine (MiniStack's), the
// real CDK CLI before it, EC2 read back after each step. Every test has its own MiniStack, stops it
// by its process ID, and has the Lambda's whole log searched for what must never be in it.
//
// MiniStack is no judge of EC2's own rules (it accepts what EC2 refuses, and knows no
// DependencyViolation): what it can prove is the way through CloudFormation and the wire.
package stand_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"sgchain/cdk/bootstrap"
	"sgchain/lambda/internal/proof/stand"
)

// patience is how long one test may take; go test's own timeout is longer, so that a test that
// hangs still stops its MiniStack.
const patience = 6 * time.Minute

func repository(t *testing.T) string {
	t.Helper()
	root, err := stand.Root()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// folder is where a test leaves its logs: build/e2e/<test>.
func folder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(repository(t), "build", "e2e", strings.ReplaceAll(t.Name(), "/", "-"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// lambdaZip is the Lambda for this machine, built once for all tests.
func lambdaZip(t *testing.T) string {
	t.Helper()
	path, err := buildLambda()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var buildLambda = sync.OnceValues(func() (string, error) {
	root, err := stand.Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "build", "e2e", "lambda.zip")
	ctx := context.Background() //nolint:forbidigo // built once for all tests, which no single one may cancel
	if _, err := bootstrap.Zip(ctx, root, runtime.GOARCH, path); err != nil {
		return "", fmt.Errorf("building the Lambda: %w", err)
	}
	return path, nil
})

// start runs a MiniStack for one test. When the test ends, the Lambda's log is searched, and
// MiniStack must be gone with its port. The Lambda gets the further variables.
func start(t *testing.T, further ...string) (context.Context, *stand.MiniStack) {
	t.Helper()
	if err := os.RemoveAll(logFile(t)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	emulator, err := stand.Start(ctx, filepath.Join(repository(t), "build", "tools", "venv"), folder(t), further...)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer cancel()
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		searchLog(ctx, t, emulator)
		sawLog(t)
		if err := emulator.Stop(ctx); err != nil {
			t.Error(err)
		}
		if !emulator.PortFree(ctx) {
			t.Errorf("port %d is still taken after MiniStack was stopped", emulator.Port)
		}
	})
	return ctx, emulator
}

// forbidden must be nowhere in the log: whoever has the pre-signed URL can answer for the Lambda.
// MiniStack signs nothing, so beside the words of a real signature its own path is looked for.
var forbidden = []string{"ResponseURL", "X-Amz-Signature", "Signature=", "X-Amz-Credential", "/_ministack/cfn-response/"}

// searchLog searches what the log has now, and keeps it in the test's folder. It may be called more
// than once: a log group that belongs to the stack goes with it.
func searchLog(ctx context.Context, t *testing.T, emulator *stand.MiniStack) {
	t.Helper()
	lines, err := emulator.Log(ctx, "")
	if err != nil {
		t.Error(err)
		return
	}
	for _, line := range lines {
		for _, word := range forbidden {
			if strings.Contains(line, word) {
				t.Errorf("the Lambda's log has %q: %s", word, line)
			}
		}
	}
	kept, err := os.OpenFile(logFile(t), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kept.WriteString(strings.Join(lines, "\n") + "\n"); err != nil {
		t.Error(err)
	}
	if err := kept.Close(); err != nil {
		t.Error(err)
	}
}

// serviceLine matches what the Lambda service writes itself, however silent the function is.
var serviceLine = regexp.MustCompile(`(?m)^((START|END|REPORT|INIT_START) .*)?\n`)

// sawLog makes sure that the search was not one of nothing.
func sawLog(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(logFile(t))
	if err != nil {
		t.Error(err)
	}
	if serviceLine.ReplaceAllString(string(text), "") == "" {
		t.Error("the Lambda's log is empty: nothing was searched")
	}
}

func logFile(t *testing.T) string {
	t.Helper()
	return filepath.Join(folder(t), "lambda.log")
}

// generated matches the hash at the end of a generated group name, which holds the stack's ID and
// so differs from run to run.
var generated = regexp.MustCompile(`(sgchain-[A-Za-z0-9-]+)-[0-9a-f]{16}\b`)

// readBack is every group of a VPC as EC2 reports it, or of all VPCs where vpc is empty.
func readBack(ctx context.Context, t *testing.T, emulator *stand.MiniStack, vpc string) (string, stand.Groups) {
	t.Helper()
	all, err := emulator.Groups(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var groups stand.Groups
	for _, group := range all {
		if vpc == "" || group.VPCID == vpc {
			groups = append(groups, group)
		}
	}
	return generated.ReplaceAllString(groups.Text(), "$1-*"), groups
}

// same compares two texts line by line.
func same(t *testing.T, what, got, want string) {
	t.Helper()
	got, want = trim(got), trim(want)
	if got == want {
		return
	}
	t.Errorf("%s: got - , want + :\n%s\nall of it:\n%s", what, strings.Join(stand.Difference(got, want), "\n"), got)
}

// trim takes the indentation of a raw string away.
func trim(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
