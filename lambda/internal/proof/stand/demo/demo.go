package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"sgchain/cdk/bootstrap"
	"sgchain/lambda/chain"
	"sgchain/lambda/internal/proof/stand"
	"sgchain/lambda/plan"
)

// changedTiers is the chain that update deploys. It is the tutorial's, with a database behind Fargate
// and a port of Alb for one address.
const changedTiers = `[
  {"Name": "Alb", "GroupName": "ALB-SG", "Description": "Security group for Application Load Balancer",
   "Ingress": [{"Ports": [80, 443], "Sources": ["internet"]}, {"Ports": [8443], "Sources": ["203.0.113.7/32"]}]},
  {"Name": "Fargate", "GroupName": "Fargate-SG", "Description": "Security group for Fargate containers", "Ports": [6060]},
  {"Name": "Db", "GroupName": "Db-SG", "Description": "Security group for the database", "Ports": [5432]}
]`

// demo is one emulated AWS with one stack, in build/demo.
type demo struct {
	root, dir string
	screen    *stand.Screen
}

func newDemo(root string, s *stand.Screen) *demo {
	return &demo{root: root, dir: filepath.Join(root, "build", "demo"), screen: s}
}

// alone runs a verb if no other one is running.
func (d *demo) alone(ctx context.Context, verb func(context.Context) error) error {
	unlock, err := stand.Lock(d.dir)
	if err != nil {
		return err
	}
	defer unlock()
	return verb(ctx)
}

func (d *demo) up(ctx context.Context) error {
	emulator, err := stand.Attach(ctx, d.dir)
	if err != nil {
		return err
	}
	var start []stand.Step
	if emulator == nil {
		start = append(start, d.start(&emulator))
	}
	if err := d.screen.Beside(ctx, []stand.Step{d.build()}, start); err != nil {
		return err
	}
	before, err := emulator.Groups(ctx)
	if err != nil {
		return err
	}
	// Nothing runs beside the bootstrap and the deploy. The CLI polls every five seconds, and under load
	// the emulator's stack is not complete at the first poll.
	if err := d.bootstrap(ctx, emulator); err != nil {
		return err
	}
	if err := d.deploy(ctx, emulator, "cdk deploy"); err != nil {
		return err
	}
	after, err := d.show(ctx, emulator, nil)
	if err != nil {
		return err
	}
	if len(before) > 0 {
		d.difference(before, after)
	}
	d.screen.Heading(fmt.Sprintf("The emulated AWS runs at %s until make demo-down (process %d).", emulator.Endpoint(), emulator.PID))
	d.screen.Print("Next: make demo-update deploys a changed chain, make demo-down deletes everything.")
	return nil
}

func (d *demo) update(ctx context.Context) error {
	emulator, err := stand.Attach(ctx, d.dir)
	if err != nil {
		return err
	}
	var stack bool
	if emulator != nil {
		found, err := emulator.Stack(ctx, stand.StackName)
		if err != nil {
			return err
		}
		stack = found != nil
	}
	if !stack {
		return errors.New("No chain is deployed. Run make demo first.") //nolint:revive,staticcheck // a whole sentence for the reader, not a cause
	}
	if err := d.screen.Beside(ctx, []stand.Step{d.build()}); err != nil {
		return err
	}
	before, err := emulator.Groups(ctx)
	if err != nil {
		return err
	}
	var tiers any
	if err := json.Unmarshal([]byte(changedTiers), &tiers); err != nil {
		return fmt.Errorf("reading the changed chain: %w", err)
	}
	line, err := json.Marshal(tiers)
	if err != nil {
		return fmt.Errorf("writing the changed chain: %w", err)
	}
	if err := d.deploy(ctx, emulator, "cdk deploy, with a changed chain", "tiers="+string(line)); err != nil {
		return err
	}
	after, err := d.show(ctx, emulator, tiers)
	if err != nil {
		return err
	}
	d.difference(before, after)
	d.screen.Heading("Next: make demo deploys the first chain again, make demo-down deletes everything.")
	return nil
}

func (d *demo) down(ctx context.Context) error {
	emulator, err := stand.Attach(ctx, d.dir)
	if err != nil {
		return err
	}
	if emulator == nil {
		d.screen.Print("The demo is not running: nothing to delete.")
		return nil
	}
	failure := d.destroy(ctx, emulator)
	if errors.Is(failure, context.Canceled) {
		return failure
	}
	// Even after a failure: the emulator has everything in memory, so nothing outlives it.
	err = d.screen.Step(fmt.Sprintf("stopping MiniStack (process %d)", emulator.PID), func() error {
		return emulator.Stop(ctx)
	})
	if err := errors.Join(failure, err); err != nil {
		return err
	}
	if !emulator.PortFree(ctx) {
		return fmt.Errorf("stopping MiniStack (process %d): something still listens on port %d", emulator.PID, emulator.Port)
	}
	d.screen.Heading(fmt.Sprintf("MiniStack has stopped: no stack, security group or process is left, and port %d is free.", emulator.Port))
	return nil
}

// destroy deletes the stack and shows that no group is left. It first waits for an interrupted
// deploy, which may still be in progress in the emulator.
func (d *demo) destroy(ctx context.Context, emulator *stand.MiniStack) error {
	stack, err := emulator.Settle(ctx, stand.StackName)
	if err != nil {
		return err
	}
	if stack != nil {
		if err := d.cdkStep(ctx, emulator, "cdk destroy", func(cdk stand.CDK) error { return cdk.Destroy(ctx) }); err != nil {
			return err
		}
	}
	groups, err := emulator.Groups(ctx)
	if err != nil {
		return err
	}
	if len(groups) > 0 {
		return fmt.Errorf("security groups are left:\n%s", indent(groups.Text()))
	}
	d.screen.Print("  %-52s none", "security groups left, as EC2 reports them")
	return nil
}

// start starts an emulated AWS.
func (d *demo) start(emulator **stand.MiniStack) stand.Step {
	return stand.Step{What: "starting MiniStack, an emulated AWS", Do: func(ctx context.Context) (err error) {
		// The log of an earlier emulated AWS is useless.
		if err := os.Remove(stand.CDK{Dir: d.dir}.LogFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing the old log: %w", err)
		}
		*emulator, err = stand.Start(ctx, filepath.Join(d.root, "build", "tools", "venv"), d.dir)
		return err
	}}
}

// build compiles the Lambda for this machine, on which the demo runs it. The CDK app uses the cached
// build.
func (d *demo) build() stand.Step {
	return stand.Step{What: "compiling the Lambda for this machine (" + runtime.GOARCH + ")", Do: func(ctx context.Context) error {
		_, err := bootstrap.Build(ctx, d.root, runtime.GOARCH)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}}
}

func (d *demo) cdk(emulator *stand.MiniStack) stand.CDK {
	return stand.CDK{
		Root: d.root,
		Dir:  d.dir,
		// make demo compiled the app with the demo. The command of cdk.json would compile it again.
		Command: filepath.Join(d.root, "build", "tools", "cdk"), Direct: true,
		// The CDK's own validation of templates takes half the time of a deploy. make deploy keeps it.
		Environment: append(emulator.Environment(), "CDK_VALIDATION=false"),
		Context:     []string{"vpcId=new", "arch=" + runtime.GOARCH},
	}
}

func (d *demo) bootstrap(ctx context.Context, emulator *stand.MiniStack) error {
	stack, err := emulator.Stack(ctx, stand.BootstrapStackName)
	if err != nil || stack != nil {
		return err
	}
	return d.cdkStep(ctx, emulator, "cdk bootstrap", func(cdk stand.CDK) error { return cdk.Bootstrap(ctx) })
}

func (d *demo) deploy(ctx context.Context, emulator *stand.MiniStack, what string, settings ...string) error {
	if _, err := emulator.Settle(ctx, stand.StackName); err != nil {
		return err
	}
	return d.cdkStep(ctx, emulator, what, func(cdk stand.CDK) error { return cdk.Deploy(ctx, settings...) })
}

// cdkStep runs the CDK CLI as a step. It adds CloudFormation's reasons to a failure.
func (d *demo) cdkStep(ctx context.Context, emulator *stand.MiniStack, what string, do func(stand.CDK) error) error {
	begun := time.Now()
	cdk := d.cdk(emulator)
	err := d.screen.Step(what, func() error { return do(cdk) })
	if err == nil || ctx.Err() != nil {
		return err
	}
	var reasons string
	// The CLI may have failed before the stack existed. Then CloudFormation has no reasons.
	if failures, problem := emulator.Failures(ctx, stand.StackName, begun); problem == nil && len(failures) > 0 {
		reasons = "\nCloudFormation says:\n" + indent(strings.Join(failures, "\n"))
	}
	return fmt.Errorf("%w%s\nThe whole log: %s", err, reasons, cdk.LogFile())
}

// show prints the stack's outputs and EC2's groups, and returns the groups. tiers is the stack's
// property, nil for the default.
func (d *demo) show(ctx context.Context, emulator *stand.MiniStack, tiers any) (stand.Groups, error) {
	outputs, err := emulator.Outputs(ctx, stand.StackName)
	if err != nil {
		return nil, err
	}
	groups, err := emulator.Groups(ctx)
	if err != nil {
		return nil, err
	}
	d.screen.Heading("Outputs of stack " + stand.StackName)
	var rows [][]string
	for _, output := range outputs {
		rows = append(rows, []string{output.Key, output.Value})
	}
	d.screen.Table(rows)

	d.screen.Heading("Security groups, as EC2 reports them")
	rows = [][]string{{"GROUP", "ID", "DESCRIPTION"}}
	for _, group := range groups {
		rows = append(rows, []string{group.Name, group.ID, group.Description})
	}
	d.screen.Table(rows)

	d.screen.Heading("Rules, as EC2 reports them")
	rows = [][]string{{"GROUP", "DIRECTION", "PROTOCOL", "PORTS", "PEER", "DESCRIPTION"}}
	for _, group := range groups {
		for _, rule := range group.Rules {
			rows = append(rows, []string{group.Name, rule.Direction, rule.Protocol, rule.Ports, rule.Peer, rule.Description})
		}
	}
	d.screen.Table(rows)

	picture, err := draw(tiers, outputs, groups)
	if err != nil {
		return nil, err
	}
	d.screen.Heading("The chain")
	d.screen.Print("%s", indent(picture))
	return groups, nil
}

// draw returns a picture of the chain, with the IDs from the stack's outputs.
func draw(tiers any, outputs []stand.Output, groups stand.Groups) (string, error) {
	if len(groups) == 0 {
		return "", errors.New("EC2 reports no security group")
	}
	properties := map[string]any{"VpcId": groups[0].VPCID}
	if tiers != nil {
		properties["Tiers"] = tiers
	}
	spec, err := chain.Parse(properties, chain.DefaultAnswerBytes)
	if err != nil {
		return "", fmt.Errorf("drawing the chain: %w", err)
	}
	ids := make(map[string]string)
	for _, output := range outputs {
		if tier, found := strings.CutSuffix(output.Key, "SecurityGroupId"); found {
			ids[tier] = output.Value
		}
	}
	return plan.Picture(chain.Desired(spec), ids), nil
}

func (d *demo) difference(before, after stand.Groups) {
	lines := stand.Difference(before.Text(), after.Text())
	if len(lines) == 0 {
		d.screen.Heading("Nothing changed: EC2 has the same groups and rules as before.")
		return
	}
	d.screen.Heading("What changed, as EC2 reports it")
	for _, line := range lines {
		d.screen.Print("  %s", line)
	}
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}
