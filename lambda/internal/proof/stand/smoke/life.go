package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/internal/proof/stand"
)

// object is JSON.
type object = map[string]any

// chainID is the chain's logical ID in the stack of the CDK app.
const chainID = "Chain"

// life is one chain from its create to its delete.
type life struct {
	account  stand.Account
	cdk      stand.CDK
	screen   *stand.Screen
	stack    string
	vpc      string
	emulated bool

	subnet   string
	stackARN string
	logGroup string
	heard    map[string]bool // lines of the log that have been read
	said     []string        // what of them is to be shown
}

// chainOf is the chain of one moment, in the form of the property Tiers.
func chainOf(appDescription string, appPort int, more ...string) []object {
	tiers := []object{
		{"Name": "Web", "Ports": []any{443}, "Sources": []any{"192.0.2.0/24"}},
		{"Name": "App", "Description": appDescription, "Ports": []any{appPort}},
	}
	for _, name := range more {
		tiers = append(tiers, object{"Name": name, "Ports": []any{5432}})
	}
	return tiers
}

// prepare looks whether there is room for the stack, and changes nothing.
func (l *life) prepare(ctx context.Context) error {
	there, err := l.account.Stack(ctx, l.stack)
	if err != nil {
		return err
	}
	if there != nil {
		return fmt.Errorf("stack %s is there (%s): delete it, or name another one (go run ./lambda/internal/proof/stand/smoke -stack ...)", l.stack, there.StackStatus)
	}
	subnets, err := l.account.EC2().DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{
		Filters: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{l.vpc}}},
	})
	if err != nil {
		return fmt.Errorf("describing subnets of VPC (%s): %w", l.vpc, err)
	}
	if len(subnets.Subnets) == 0 {
		return fmt.Errorf("VPC %s has no subnet in %s, and an interface needs one: make one, or name another VPC", l.vpc, l.account.Region)
	}
	l.subnet = aws.ToString(subnets.Subnets[0].SubnetId)
	return nil
}

// live takes the chain from step to step; the first that is not as it has to be ends it.
func (l *life) live(ctx context.Context) error {
	first, err := json.Marshal(chainOf("the first", 8080, "Db"))
	if err != nil {
		return err
	}
	if err := l.step(ctx, "create: cdk deploy", rulesOf("the first", 8080, "Db"), func() error {
		if err := l.cdk.Deploy(ctx, "tiers="+string(first)); err != nil {
			return fmt.Errorf("%w\nThe whole log: %s", err, l.cdk.LogFile())
		}
		return l.identify(ctx)
	}); err != nil {
		return err
	}
	app, err := l.group(ctx, "App")
	if err != nil {
		return err
	}
	if err := l.attach(ctx, app); err != nil {
		return err
	}
	if err := l.step(ctx, "a rule changes", rulesOf("the first", 9090, "Db"), func() error {
		return l.update(ctx, chainOf("the first", 9090, "Db"), false, cfntypes.StackStatusUpdateComplete)
	}); err != nil {
		return err
	}
	if err := l.step(ctx, "a group is replaced while an interface is attached", rulesOf("the second", 9090, "Db"), func() error {
		return l.replace(ctx, app)
	}); err != nil {
		return err
	}
	// MiniStack sends no Update to roll a replacement back, but a Delete of the new ID in the wrong
	// status, so there the failing update keeps its groups.
	description := "the third"
	if l.emulated {
		description = "the second"
	}
	if err := l.step(ctx, "an update fails and is rolled back", rulesOf("the second", 9090, "Db"), func() error {
		return l.update(ctx, chainOf(description, 7070, "Db"), true, cfntypes.StackStatusUpdateRollbackComplete)
	}); err != nil {
		return err
	}
	if err := l.step(ctx, "a tier is removed", rulesOf("the second", 9090), func() error {
		return l.update(ctx, chainOf("the second", 9090), false, cfntypes.StackStatusUpdateComplete)
	}); err != nil {
		return err
	}
	if err := l.detach(ctx); err != nil {
		return err
	}
	return l.step(ctx, "delete", "", func() error { return l.remove(ctx) })
}

// step does one thing, shows what CloudFormation showed meanwhile, and compares.
func (l *life) step(ctx context.Context, what, want string, do func() error) error {
	err := l.screen.Step(what, do)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if unread := l.listen(ctx); unread != nil {
		l.screen.Print("    the function's log cannot be read: %v", unread)
	}
	for _, text := range l.said {
		l.screen.Print("    %s", text)
	}
	l.said = nil
	if err != nil {
		return err
	}
	var difference []string
	patient, cancel := context.WithTimeout(ctx, lag)
	defer cancel()
	err = l.account.Poll(patient, "reading groups", func() (bool, error) {
		groups, err := l.groups(ctx)
		difference = stand.Difference(text(groups), want)
		return err == nil && len(difference) == 0, err
	})
	if len(difference) > 0 && ctx.Err() == nil {
		return fmt.Errorf("after %q EC2 reports something else than it has to (- reported, + to be):\n%s", what, strings.Join(difference, "\n"))
	}
	if err != nil {
		return err
	}
	l.screen.Print("  %-52s as it has to be", "EC2's groups and rules")
	return nil
}

// identify learns what only the deployed stack can tell.
func (l *life) identify(ctx context.Context) error {
	stack, err := l.account.Stack(ctx, l.stack)
	if err != nil {
		return err
	}
	if stack == nil {
		return fmt.Errorf("describing stack (%s): it is not there after its deploy", l.stack)
	}
	l.stackARN = aws.ToString(stack.StackId)
	resources, err := l.account.CloudFormation().DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{StackName: &l.stackARN})
	if err != nil {
		return fmt.Errorf("describing stack resources (%s): %w", l.stack, err)
	}
	for _, resource := range resources.StackResources {
		if aws.ToString(resource.ResourceType) == "AWS::Logs::LogGroup" {
			l.logGroup = aws.ToString(resource.PhysicalResourceId)
		}
	}
	return nil
}

// update changes the stack's template, which is the one that the CDK app made, and waits.
func (l *life) update(ctx context.Context, tiers []object, broken bool, want cfntypes.StackStatus) error {
	begun := time.Now()
	if err := l.change(ctx, tiers, broken); err != nil {
		return err
	}
	return l.settle(ctx, begun, want)
}

// change begins an update. A broken neighbor is a second chain that comes after the first and is
// refused, so that CloudFormation rolls the first one back.
func (l *life) change(ctx context.Context, tiers []object, broken bool) error {
	got, err := l.account.CloudFormation().GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: &l.stackARN})
	if err != nil {
		return fmt.Errorf("getting template (%s): %w", l.stack, err)
	}
	var template struct {
		Parameters, Rules, Mappings, Conditions object               `json:",omitempty"`
		Resources                               map[string]*resource `json:",omitempty"`
	}
	if err := json.Unmarshal([]byte(aws.ToString(got.TemplateBody)), &template); err != nil {
		return fmt.Errorf("reading template (%s): %w", l.stack, err)
	}
	chain := template.Resources[chainID]
	if chain == nil {
		return fmt.Errorf("reading template (%s): it has no resource %s", l.stack, chainID)
	}
	chain.Properties["Tiers"] = tiers
	delete(template.Resources, "Broken")
	if broken {
		template.Resources["Broken"] = &resource{Type: chain.Type, DependsOn: []any{chainID}, Properties: object{
			"ServiceToken": chain.Properties["ServiceToken"], "ServiceTimeout": chain.Properties["ServiceTimeout"], "VpcId": "no VPC",
		}}
	}
	body, err := json.Marshal(template)
	if err != nil {
		return fmt.Errorf("writing template (%s): %w", l.stack, err)
	}
	_, err = l.account.CloudFormation().UpdateStack(ctx, &cloudformation.UpdateStackInput{
		StackName: &l.stackARN, TemplateBody: aws.String(string(body)), Capabilities: []cfntypes.Capability{cfntypes.CapabilityCapabilityIam},
	})
	if err != nil {
		return fmt.Errorf("updating stack (%s): %w", l.stack, err)
	}
	return nil
}

// resource is one of a template. Outputs are left out of the template: they name tiers.
type resource struct {
	Type                                string
	Properties                          object `json:",omitempty"`
	DependsOn                           any    `json:",omitempty"`
	Metadata                            object `json:",omitempty"`
	Condition                           string `json:",omitempty"`
	DeletionPolicy, UpdateReplacePolicy string `json:",omitempty"`
}

// replace has App's group replaced. Once CloudFormation has the new group, and while the old one
// still has its doors, a new interface takes the place of the one that is attached, as a rolling
// deploy does it; only that lets the cleanup delete the old group.
func (l *life) replace(ctx context.Context, old string) error {
	begun := time.Now()
	if err := l.change(ctx, chainOf("the second", 9090, "Db"), false); err != nil {
		return err
	}
	var live []stand.Group
	err := l.account.Poll(ctx, "waiting for the group that replaces "+old, func() (bool, error) {
		stack, err := l.account.Stack(ctx, l.stackARN)
		if err != nil {
			return false, err
		}
		if stack == nil || stand.AtRest(stack.StackStatus) {
			return false, errors.New("the stack came to its end before: the cleanup did not wait for the interface")
		}
		detail, err := l.account.CloudFormation().DescribeStackResource(ctx, &cloudformation.DescribeStackResourceInput{StackName: &l.stackARN, LogicalResourceId: aws.String(chainID)})
		if err != nil || detail.StackResourceDetail.ResourceStatus != cfntypes.ResourceStatusUpdateComplete {
			return false, err
		}
		groups, err := l.groups(ctx)
		live = slices.DeleteFunc(groups, func(group stand.Group) bool { return group.Tags["sgchain:tier"] != "App" })
		// Before the operation has begun, the status is that of the one before.
		return len(live) == 2, err
	})
	if err != nil {
		return err
	}
	for _, group := range live {
		if len(group.Rules) < 2 {
			return fmt.Errorf("%s (%q) has lost its doors while interfaces move: it has %d rules", group.ID, group.Description, len(group.Rules))
		}
	}
	retired := slices.IndexFunc(live, func(group stand.Group) bool { return group.ID == old })
	if retired < 0 {
		return fmt.Errorf("%s is gone while an interface is attached to it", old)
	}
	moved, err := l.interfaces(ctx)
	if err != nil {
		return err
	}
	if err := l.attach(ctx, live[1-retired].ID); err != nil {
		return err
	}
	for _, id := range moved {
		if err := l.drop(ctx, id); err != nil {
			return err
		}
	}
	return l.settle(ctx, begun, cfntypes.StackStatusUpdateComplete)
}

// attach makes an interface that is in a group.
func (l *life) attach(ctx context.Context, group string) error {
	_, err := l.account.EC2().CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{
		SubnetId: &l.subnet, Groups: []string{group}, Description: aws.String(l.mark()),
	})
	if err != nil {
		return fmt.Errorf("creating network interface (%s): %w", group, err)
	}
	return nil
}

// mark is the description of the interfaces, by which they are found: an interrupted call may
// have made one.
func (l *life) mark() string { return "make smoke of stack " + l.stack }
