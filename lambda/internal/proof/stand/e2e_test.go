//go:build e2e

// The end-to-end tests run the compiled Lambda under a real CloudFormation engine (MiniStack's).
// They deploy with the real CDK CLI, and read EC2 back after each step. Every test has its own
// MiniStack, stops it by its process ID, and searches the Lambda's whole log for secrets.
//
// MiniStack does not have EC2's own rules: it accepts what EC2 refuses, and has no
// DependencyViolation. It can prove the way through CloudFormation and the wire.
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

// patience is how long one test may take. go test's own timeout is longer, so that a hanging test
// still stops its MiniStack.
const patience = 6 * time.Minute

func repository(t *testing.T) string {
	t.Helper()
	root, err := stand.Root()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// folder returns the folder of a test's logs: build/e2e/<test>.
func folder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(repository(t), "build", "e2e", strings.ReplaceAll(t.Name(), "/", "-"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// lambdaZip builds the Lambda for this machine, once for all tests.
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
	ctx := context.Background() //nolint:forbidigo // for all tests: no single one may cancel it
	if _, err := bootstrap.Zip(ctx, root, runtime.GOARCH, path); err != nil {
		return "", fmt.Errorf("building the Lambda: %w", err)
	}
	return path, nil
})

// start runs a MiniStack for one test. At the end of the test, it searches the Lambda's log, and
// checks that MiniStack has ended and its port is free. The Lambda gets the further variables.
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
		// The test's own context has ended.
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

// forbidden must not be in the log: any process with the pre-signed URL can answer for the Lambda.
// MiniStack signs nothing, so this also matches the path of its URLs.
var forbidden = []string{"ResponseURL", "X-Amz-Signature", "Signature=", "X-Amz-Credential", "/_ministack/cfn-response/"}

// searchLog searches the current log, and writes it to the test's folder. Tests may call it before
// they delete a stack, because a log group of the stack is deleted with it.
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

// serviceLine matches lines that the Lambda service itself writes, even if the function writes none.
var serviceLine = regexp.MustCompile(`(?m)^((START|END|REPORT|INIT_START) .*)?\n`)

// sawLog checks that the searched log was not empty.
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

// generated matches the hash at the end of a generated group name. It depends on the stack's ID,
// so it differs in each run.
var generated = regexp.MustCompile(`(sgchain-[A-Za-z0-9-]+)-[0-9a-f]{16}\b`)

// readBack returns every group of a VPC as EC2 reports it, or of all VPCs if vpc is empty.
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

// trim removes the indentation of a raw string.
func trim(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
