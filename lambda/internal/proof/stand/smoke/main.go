// Command smoke takes a chain through its life in the account and Region of the environment, and
// holds what EC2 reports after each step against what it has to be: create, a rule that changes, a
// group that is replaced while an interface is attached to it, an update that fails and is rolled
// back, a tier that is removed, delete. It prints what CloudFormation showed the function
// meanwhile, and takes down all that it made, however it ends. It is what make smoke runs.
//
// Nothing in the chain is open to anybody: its outermost door is for addresses that are in no
// network (192.0.2.0/24, RFC 5737).
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

// takeDownPatience is the longest that taking down takes: a delete of the stack waits ten minutes
// for interfaces that go, and CloudFormation may still be at work on what was interrupted.
const takeDownPatience = 40 * time.Minute

func run(args []string, out *os.File, problems io.Writer) int {
	flags := flag.NewFlagSet("smoke", flag.ContinueOnError)
	flags.SetOutput(problems)
	vpc := flags.String("vpc", "", "the `ID` of a VPC with at least one subnet (make smoke VPC=vpc-...)")
	stack := flags.String("stack", "SecurityGroupChainSmoke", "the `name` of the stack, which must not be there")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if !regexp.MustCompile(`^vpc-[0-9a-z]+$`).MatchString(*vpc) || flags.NArg() > 0 {
		_, _ = fmt.Fprintf(problems, "VPC is %q: write make smoke VPC=vpc-0123456789abcdef0, a VPC with at least one subnet\n", *vpc)
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

// place is where a life takes place: the repository's folder, the stack, the VPC.
type place struct{ root, stack, vpc string }

// smoke lives the life, and takes down what is left of it.
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
		architecture = runtime.GOARCH // this machine plays Lambda
	}
	l := &life{
		account: account, screen: stand.NewScreen(out), stack: at.stack, vpc: at.vpc, emulated: endpoint != "", heard: map[string]bool{},
		cdk: stand.CDK{
			Root: at.root, Dir: dir, Stack: at.stack, Environment: append(os.Environ(), "AWS_REGION="+account.Region),
			Context: []string{"stackName=" + at.stack, "arch=" + architecture, "vpcId=" + at.vpc},
		},
	}
	if err := l.prepare(ctx); err != nil {
		return err
	}
	failure := l.live(ctx)
	if errors.Is(failure, context.Canceled) {
		failure = errors.New("interrupted")
	}
	stop() // a second interrupt ends the program at once
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeDownPatience)
	defer cancel()
	err = errors.Join(failure, l.takeDown(down))
	if err == nil {
		l.screen.Heading("make smoke: everything was as it has to be, and nothing is left")
	}
	return err
}
