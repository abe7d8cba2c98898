// Command smoke runs a chain's full lifecycle in the account and Region of the environment. It
// compares EC2's groups with the expected ones after each step. The steps are:
//
//  1. create
//  2. change a rule
//  3. replace a group while an interface is attached
//  4. an update that fails and rolls back
//  5. remove a tier
//  6. delete
//
// It prints what CloudFormation showed the function in each step, and deletes everything that it
// created, however it ends. make smoke runs it.
//
// The chain allows no real traffic: its outermost inbound rule is for 192.0.2.0/24, which is in
// no network (RFC 5737).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"sgchain/lambda/internal/proof/stand"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// cleanUpPatience is the longest duration of the cleanup. A delete of the stack waits ten minutes
// for interfaces, and an interrupted operation may still be in progress.
const cleanUpPatience = 40 * time.Minute

func run(args []string, out *os.File, problems io.Writer) int {
	flags := flag.NewFlagSet("smoke", flag.ContinueOnError)
	flags.SetOutput(problems)
	vpc := flags.String("vpc", "", "the `ID` of a VPC with at least one subnet (make smoke VPC=vpc-...)")
	stack := flags.String("stack", "SecurityGroupChainSmoke", "the `name` of the stack, which must not exist")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if !regexp.MustCompile(`^vpc-[0-9a-z]+$`).MatchString(*vpc) || flags.NArg() > 0 {
		_, _ = fmt.Fprintf(problems, "VPC is %q. Run make smoke VPC=vpc-0123456789abcdef0 with a VPC that has a subnet\n", *vpc)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	root, err := stand.Root()
	if err == nil {
		err = smoke(ctx, stop, place{root, *stack, *vpc}, out)
	}
	if err == nil {
		return 0
	}
	text := strings.ReplaceAll(err.Error(), root+string(filepath.Separator), "")
	_, _ = fmt.Fprintf(problems, "\n%s\n", text)
	return 1
}

// place is the repository's folder, the stack and the VPC of a run.
type place struct{ root, stack, vpc string }

// smoke runs the lifecycle, and deletes what is left of it.
func smoke(ctx context.Context, stop func(), at place, out *os.File) error {
	dir := filepath.Join(at.root, "build", "smoke")
	unlock, err := stand.Lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	endpoint := os.Getenv("AWS_ENDPOINT_URL")
	account, err := stand.FromEnvironment(ctx, filepath.Join(at.root, "build", "tools", "venv", "bin", "python"), os.Getenv("AWS_REGION"), endpoint)
	if err != nil {
		return err
	}
	architecture := "arm64"
	if endpoint != "" {
		architecture = runtime.GOARCH // the function runs on this machine
	}
	l := &lifecycle{
		account: account, screen: stand.NewScreen(out), stack: at.stack, vpc: at.vpc, emulated: endpoint != "", heard: map[string]bool{},
		cdk: stand.CDK{
			Root: at.root, Dir: dir, Stack: at.stack, Environment: append(os.Environ(), "AWS_REGION="+account.Region),
			Context: []string{"stackName=" + at.stack, "arch=" + architecture, "vpcId=" + at.vpc},
		},
	}
	if err := l.prepare(ctx); err != nil {
		return err
	}
	failure := l.play(ctx)
	if errors.Is(failure, context.Canceled) {
		failure = errors.New("interrupted")
	}
	stop() // a second interrupt ends the program at once
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpPatience)
	defer cancel()
	err = errors.Join(failure, l.cleanUp(down))
	if err == nil {
		l.screen.Heading("make smoke: passed, and everything was deleted")
	}
	return err
}
