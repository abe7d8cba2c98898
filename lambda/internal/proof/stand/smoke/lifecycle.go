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

// object is a JSON object.
type object = map[string]any

// chainID is the chain's logical ID in the stack of the CDK app.
const chainID = "Chain"

// lifecycle is one chain from its create to its delete.
type lifecycle struct {
	account  stand.Account
	cdk      stand.CDK
	screen   *stand.Screen
	stack    string
	vpc      string
	emulated bool

	subnet   string
	stackARN string
	logGroup string
	heard    map[string]bool // lines of the log that were read
	said     []string        // texts of new lines, to print
}

// chainOf returns the chain of a step, as the property Tiers.
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

// prepare checks that the stack can be created, and changes nothing.
func (l *lifecycle) prepare(ctx context.Context) error {
	there, err := l.account.Stack(ctx, l.stack)
	if err != nil {
		return err
	}
	if there != nil {
		return fmt.Errorf("stack %s exists (%s). Delete it, or choose another name (go run ./lambda/internal/proof/stand/smoke -stack ...)", l.stack, there.StackStatus)
	}
	subnets, err := l.account.EC2().DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{
		Filters: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{l.vpc}}},
	})
	if err != nil {
		return fmt.Errorf("describing subnets of VPC (%s): %w", l.vpc, err)
	}
	if len(subnets.Subnets) == 0 {
		return fmt.Errorf("VPC %s has no subnet in %s, and a network interface needs one. Create one, or use another VPC", l.vpc, l.account.Region)
	}
	l.subnet = aws.ToString(subnets.Subnets[0].SubnetId)
	return nil
}

// play runs the steps, until one differs from what is expected.
func (l *lifecycle) play(ctx context.Context) error {
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
	if err := l.step(ctx, "change a rule", rulesOf("the first", 9090, "Db"), func() error {
		return l.update(ctx, chainOf("the first", 9090, "Db"), false, cfntypes.StackStatusUpdateComplete)
	}); err != nil {
		return err
	}
	if err := l.step(ctx, "replace a group with an interface attached", rulesOf("the second", 9090, "Db"), func() error {
		return l.replace(ctx, app)
	}); err != nil {
		return err
	}
	// To roll back a replacement, MiniStack sends no Update but a Delete of the new ID, in the wrong
	// status. So with MiniStack the failing update replaces no group.
	description := "the third"
	if l.emulated {
		description = "the second"
	}
	if err := l.step(ctx, "fail an update, which rolls back", rulesOf("the second", 9090, "Db"), func() error {
		return l.update(ctx, chainOf(description, 7070, "Db"), true, cfntypes.StackStatusUpdateRollbackComplete)
	}); err != nil {
		return err
	}
	if err := l.step(ctx, "remove a tier", rulesOf("the second", 9090), func() error {
		return l.update(ctx, chainOf("the second", 9090), false, cfntypes.StackStatusUpdateComplete)
	}); err != nil {
		return err
	}
	if err := l.detach(ctx); err != nil {
		return err
	}
	return l.step(ctx, "delete", "", func() error { return l.remove(ctx) })
}

// step does one step, prints what CloudFormation showed the function, and compares the groups.
func (l *lifecycle) step(ctx context.Context, what, want string, do func() error) error {
	err := l.screen.Step(what, do)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if unread := l.listen(ctx); unread != nil {
		l.screen.Print("    reading the function's log: %v", unread)
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
		return fmt.Errorf("after %q EC2's groups differ from the expected ones (- actual, + expected):\n%s", what, strings.Join(difference, "\n"))
	}
	if err != nil {
		return err
	}
	l.screen.Print("  %-52s as expected", "EC2's groups and rules")
	return nil
}

// identify reads the stack's ARN and log group.
func (l *lifecycle) identify(ctx context.Context) error {
	stack, err := l.account.Stack(ctx, l.stack)
	if err != nil {
		return err
	}
	if stack == nil {
		return fmt.Errorf("describing stack (%s): it does not exist after its deploy", l.stack)
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

// update changes the template that the CDK app created, and waits.
func (l *lifecycle) update(ctx context.Context, tiers []object, broken bool, want cfntypes.StackStatus) error {
	begun := time.Now()
	if err := l.change(ctx, tiers, broken); err != nil {
		return err
	}
	return l.settle(ctx, begun, want)
}

// change begins an update. If broken is set, a second chain that depends on the first is refused,
// so that CloudFormation rolls the first one back.
func (l *lifecycle) change(ctx context.Context, tiers []object, broken bool) error {
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

// resource is a resource of a template. The update omits outputs, because they name tiers.
type resource struct {
	Type                                string
	Properties                          object `json:",omitempty"`
	DependsOn                           any    `json:",omitempty"`
	Metadata                            object `json:",omitempty"`
	Condition                           string `json:",omitempty"`
	DeletionPolicy, UpdateReplacePolicy string `json:",omitempty"`
}

// replace replaces App's group. Once CloudFormation has the new group, it replaces the attached
// interface, as a rolling deploy does. The old group still has its rules then. After that, the
// cleanup can delete the old group.
func (l *lifecycle) replace(ctx context.Context, old string) error {
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
		if stack == nil || stand.OperationEnded(stack.StackStatus) {
			return false, errors.New("the operation has ended: the cleanup did not wait for the interface")
		}
		detail, err := l.account.CloudFormation().DescribeStackResource(ctx, &cloudformation.DescribeStackResourceInput{StackName: &l.stackARN, LogicalResourceId: aws.String(chainID)})
		if err != nil || detail.StackResourceDetail.ResourceStatus != cfntypes.ResourceStatusUpdateComplete {
			return false, err
		}
		groups, err := l.groups(ctx)
		live = slices.DeleteFunc(groups, func(group stand.Group) bool { return group.Tags["sgchain:tier"] != "App" })
		// Until the operation begins, the status is that of the previous one.
		return len(live) == 2, err
	})
	if err != nil {
		return err
	}
	for _, group := range live {
		if len(group.Rules) < 2 {
			return fmt.Errorf("%s (%q) lost its rules while interfaces move: it has %d", group.ID, group.Description, len(group.Rules))
		}
	}
	retired := slices.IndexFunc(live, func(group stand.Group) bool { return group.ID == old })
	if retired < 0 {
		return fmt.Errorf("%s was deleted while an interface is attached to it", old)
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

// attach creates an interface in a group.
func (l *lifecycle) attach(ctx context.Context, group string) error {
	_, err := l.account.EC2().CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{
		SubnetId: &l.subnet, Groups: []string{group}, Description: aws.String(l.mark()),
	})
	if err != nil {
		return fmt.Errorf("creating network interface (%s): %w", group, err)
	}
	return nil
}

// mark returns the description that identifies the interfaces: an interrupted call may have
// created one.
func (l *lifecycle) mark() string { return "make smoke of stack " + l.stack }
