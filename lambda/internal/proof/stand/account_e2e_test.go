//go:build e2e

package stand_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"sgchain/lambda/internal/proof/stand"
)

// command runs a command of the Makefile as a user with credentials for the account does, and
// returns its output.
func command(ctx context.Context, t *testing.T, emulator *stand.MiniStack, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, "make", args...)
	cmd.Dir = repository(t)
	cmd.Env = append(emulator.Environment(), "CDK_HOME="+filepath.Join(folder(t), "cdk-home"), "CDK_DISABLE_CLI_TELEMETRY=true",
		"MAKEFLAGS=") // otherwise a make that runs this test passes on its options
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make %s: %v\n%s", strings.Join(args, " "), err, said)
	}
	return string(said)
}

// quoted is the tutorial's chain, with special characters of make and of a shell.
const quoted = `[{"Name": "Alb", "GroupName": "ALB-SG", "Description": "Security group for Application Load Balancer", "Ports": [80, 443]},` +
	` {"Name": "Fargate", "GroupName": "Fargate-SG", "Description": "all for $5 and up", "Ports": [6060]}]`

// TestCommandsForAnAccount runs the commands for a real account against MiniStack.
func TestCommandsForAnAccount(t *testing.T) {
	t.Parallel()
	ctx, emulator := start(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	command(ctx, t, emulator, "bootstrap")
	vpc, err := emulator.EC2().CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.7.0.0/16")})
	must(err)
	_, err = emulator.EC2().CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: aws.String("10.7.0.0/24")})
	must(err)
	id := "VPC=" + aws.ToString(vpc.Vpc.VpcId)

	said := command(ctx, t, emulator, "deploy", id, "ARCH="+runtime.GOARCH, "STACK=Mine", "YES=1", "TIERS="+quoted)
	before, _, _ := strings.Cut(said, "Outputs:")
	for _, want := range []string{"[+] Custom::SecurityGroupChain", `ingress tcp 6060 from Alb(ALB-SG) "Alb to Fargate: tcp 6060"`} {
		if !strings.Contains(before, want) {
			t.Errorf("make deploy does not show %q before it deploys:\n%s", want, said)
		}
	}
	text, _ := readBack(ctx, t, emulator, aws.ToString(vpc.Vpc.VpcId))
	same(t, "after make deploy", text, strings.Replace(tutorial, "Security group for Fargate containers", "all for $5 and up", 1))
	searchLog(ctx, t, emulator)
	command(ctx, t, emulator, "destroy", "STACK=Mine", "YES=1")
	if kept, err := emulator.LogGroups(ctx); err != nil || !slices.ContainsFunc(kept, func(name string) bool { return strings.Contains(name, "Mine") }) {
		t.Errorf("after make destroy: log groups %v, error %v; want the function's", kept, err)
	}
	text, _ = readBack(ctx, t, emulator, "")
	same(t, "after make destroy", text, "")

	said = command(ctx, t, emulator, "smoke", id)
	must(os.WriteFile(filepath.Join(folder(t), "smoke.txt"), []byte(said), 0o644))
	for _, want := range []string{
		"the stack is CREATE_IN_PROGRESS", "the stack is UPDATE_ROLLBACK_IN_PROGRESS", ": cleanup\n",
		"make smoke: passed, and everything was deleted",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("make smoke does not say %q:\n%s", want, said)
		}
	}
	nothingLeft(ctx, t, emulator, "make smoke")
	interrupt(ctx, t, emulator, aws.ToString(vpc.Vpc.VpcId))
	nothingLeft(ctx, t, emulator, "an interrupted make smoke")
}

// interrupt interrupts a smoke once it has created something.
func interrupt(ctx context.Context, t *testing.T, emulator *stand.MiniStack, vpc string) {
	t.Helper()
	program := filepath.Join(folder(t), "smoke")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./lambda/internal/proof/stand/smoke")
	build.Dir = repository(t)
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the smoke: %v\n%s", err, said)
	}
	cmd := exec.CommandContext(ctx, program, "-vpc", vpc)
	cmd.Dir, cmd.Env, cmd.Stderr = repository(t), emulator.Environment(), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	sent := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if !sent && strings.Contains(lines.Text(), "as expected") {
			sent = true
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || !sent || !strings.Contains(said.String(), "deleting what is left") {
		t.Errorf("an interrupted smoke: error %v, output\n%s", err, said.String())
	}
}

// nothingLeft checks that a smoke deleted everything.
func nothingLeft(ctx context.Context, t *testing.T, emulator *stand.MiniStack, after string) {
	t.Helper()
	text, _ := readBack(ctx, t, emulator, "")
	same(t, "after "+after, text, "")
	if stack, err := emulator.Stack(ctx, "SecurityGroupChainSmoke"); err != nil || stack != nil {
		t.Errorf("after %s: stack %v, error %v", after, stack, err)
	}
	interfaces, err := emulator.EC2().DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{})
	if err != nil {
		t.Fatal(err)
	}
	groups, err := emulator.LogGroups(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range groups {
		if strings.Contains(name, "SecurityGroupChainSmoke") {
			t.Errorf("after %s: log group %s is left", after, name)
		}
	}
	for _, one := range interfaces.NetworkInterfaces {
		if strings.Contains(aws.ToString(one.Description), "smoke") {
			t.Errorf("after %s: interface %s is left", after, aws.ToString(one.NetworkInterfaceId))
		}
	}
}
