package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
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

// lag is how long EC2 may go on showing what was there before.
const lag = 30 * time.Second

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

// rulesOf is what EC2 has to report of such a chain.
func rulesOf(appDescription string, appPort int, more ...string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "App %q\n", appDescription)
	fmt.Fprintf(&text, "App ingress tcp %d from Web \"Web to App: tcp %d\"\nApp egress all traffic to 0.0.0.0/0\n", appPort, appPort)
	before := "App"
	for _, name := range more {
		fmt.Fprintf(&text, "%s \"Security group of tier %s\"\n%s ingress tcp 5432 from %s \"%s to %s: tcp 5432\"\n%s egress all traffic to 0.0.0.0/0\n", name, name, name, before, before, name, name)
		before = name
	}
	text.WriteString("Web \"Security group of tier Web\"\nWeb ingress tcp 443 from 192.0.2.0/24 \"192.0.2.0/24 to Web: tcp 443\"\nWeb egress all traffic to 0.0.0.0/0\n")
	return text.String()
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
	// The log goes with the stack; what was read before is shown all the same.
	if unread := l.listen(ctx); unread != nil && want != "" {
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

// groups is every group of the stack, each under the name of its tier.
func (l *life) groups(ctx context.Context) (stand.Groups, error) {
	found, err := l.account.Groups(ctx, ec2types.Filter{Name: aws.String("tag:sgchain:stack-id"), Values: []string{l.stackARN}})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(group stand.Group) bool { return group.Tags["sgchain:stack-id"] != l.stackARN }), nil
}

// text is the groups with the names of their tiers in place of generated names, and without the
// egress to ::/0 that EC2 gives a fresh group in a VPC with IPv6: the chain accepts it.
func text(groups stand.Groups) string {
	var pairs []string
	for _, group := range groups {
		pairs = append(pairs, group.Name, group.Tags["sgchain:tier"])
	}
	var kept strings.Builder
	for line := range strings.Lines(strings.NewReplacer(pairs...).Replace(groups.Text())) {
		if !strings.HasSuffix(line, " egress all traffic to ::/0\n") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// group is the ID of a tier's only group.
func (l *life) group(ctx context.Context, tier string) (string, error) {
	groups, err := l.groups(ctx)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, group := range groups {
		if group.Tags["sgchain:tier"] == tier {
			ids = append(ids, group.ID)
		}
	}
	if len(ids) != 1 {
		return "", fmt.Errorf("finding the security group of tier %s: got %v, want one", tier, ids)
	}
	return ids[0], nil
}

// update changes the stack's template, which is the one that the CDK app made, and waits.
func (l *life) update(ctx context.Context, tiers []object, broken bool, want cfntypes.StackStatus) error {
	begun := time.Now()
	if err := l.change(ctx, tiers, broken); err != nil {
		return err
	}
	return l.settle(ctx, begun, want)
}

func (l *life) settle(ctx context.Context, begun time.Time, want cfntypes.StackStatus) error {
	stack, err := l.account.Settle(ctx, l.stackARN)
	if err != nil {
		return err
	}
	if stack != nil && stack.StackStatus == want {
		return nil
	}
	status := "gone"
	if stack != nil {
		status = string(stack.StackStatus)
	}
	reasons, err := l.account.Failures(ctx, l.stackARN, begun.Add(-time.Second))
	if err != nil {
		return err
	}
	return fmt.Errorf("the stack is %s, and has to be %s\n%s", status, want, strings.Join(reasons, "\n"))
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

func (l *life) interfaces(ctx context.Context) ([]string, error) {
	found, err := l.account.EC2().DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{Filters: []ec2types.Filter{
		{Name: aws.String("vpc-id"), Values: []string{l.vpc}}, {Name: aws.String("description"), Values: []string{l.mark()}},
	}})
	if err != nil {
		return nil, fmt.Errorf("describing network interfaces of VPC (%s): %w", l.vpc, err)
	}
	var ids []string
	for _, one := range found.NetworkInterfaces {
		if aws.ToString(one.VpcId) == l.vpc && aws.ToString(one.Description) == l.mark() {
			ids = append(ids, aws.ToString(one.NetworkInterfaceId))
		}
	}
	return ids, nil
}

func (l *life) drop(ctx context.Context, id string) error {
	if _, err := l.account.EC2().DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: &id}); err != nil {
		return fmt.Errorf("deleting network interface (%s): %w", id, err)
	}
	return nil
}

func (l *life) detach(ctx context.Context) error {
	ids, err := l.interfaces(ctx)
	failures := []error{err}
	for _, id := range ids {
		failures = append(failures, l.drop(ctx, id))
	}
	return errors.Join(failures...)
}

// remove deletes the stack.
func (l *life) remove(ctx context.Context) error {
	begun := time.Now()
	if _, err := l.account.CloudFormation().DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &l.stackARN}); err != nil {
		return fmt.Errorf("deleting stack (%s): %w", l.stack, err)
	}
	var left *cfntypes.Stack
	err := l.account.Poll(ctx, "waiting for the delete of stack ("+l.stack+")", func() (bool, error) {
		_ = l.listen(ctx) // as long as there is a log
		_ = l.detach(ctx) // an interrupted call may make one only now; takeDown says what is left
		var err error
		left, err = l.account.Stack(ctx, l.stackARN)
		return left == nil || stand.AtRest(left.StackStatus), err
	})
	if err != nil || left == nil {
		return err
	}
	reasons, err := l.account.Failures(ctx, l.stackARN, begun.Add(-time.Second))
	if err != nil {
		return err
	}
	return fmt.Errorf("the stack is %s\n%s", left.StackStatus, strings.Join(reasons, "\n"))
}

// takeDown removes what is left, whatever happened before, and says what it could not remove.
func (l *life) takeDown(ctx context.Context) error {
	failures := []error{l.detach(ctx)} // a cleanup may be waiting for it
	name := l.stack
	if l.stackARN != "" {
		name = l.stackARN
	}
	there, err := l.account.Settle(ctx, name)
	failures = append(failures, err)
	if there != nil {
		l.stackARN = aws.ToString(there.StackId)
		failures = append(failures, l.screen.Step("taking down what is left", func() error { return l.remove(ctx) }))
	}
	if l.stackARN != "" {
		var groups stand.Groups
		patient, cancel := context.WithTimeout(ctx, lag)
		defer cancel()
		_ = l.account.Poll(patient, "reading groups", func() (bool, error) { // what is left is said below
			groups, err = l.groups(ctx)
			return err == nil && len(groups) == 0, nil
		})
		failures = append(failures, err)
		for _, group := range groups {
			failures = append(failures, fmt.Errorf("security group %s is left: aws ec2 delete-security-group --group-id %s", group.ID, group.ID))
		}
	}
	return errors.Join(append(failures, l.detach(ctx))...)
}

// listen reads what CloudFormation has shown the function since the last time: which ID each
// event carried, and which status and ID were recorded meanwhile.
func (l *life) listen(ctx context.Context) error {
	if l.logGroup == "" {
		return nil
	}
	lines, err := l.account.Log(ctx, l.logGroup)
	if err != nil {
		return err
	}
	for _, line := range lines {
		if l.heard[line] {
			continue
		}
		l.heard[line] = true
		if text := shown(line); text != "" {
			l.said = append(l.said, text)
		}
	}
	return nil
}

// hash is as much of a physical ID as tells it from others, and its rest.
var hash = regexp.MustCompile(`(sgchain-[0-9a-f]{8})[0-9a-f]+`)

// shown is what a line of the log says of CloudFormation; empty if nothing.
func shown(line string) string {
	var said struct {
		Message    string `json:"msg"`
		Type       string `json:"type"`
		Resource   string `json:"resource"`
		PhysicalID string `json:"physicalId"`
		Reading    string `json:"reading"`
		Scope      string `json:"scope"`
		Answered   string `json:"answeredId"`
		Status     string `json:"status"`
	}
	if json.Unmarshal([]byte(line), &said) != nil || said.Resource != chainID {
		return "" // what Lambda itself writes is no JSON
	}
	short := func(id string) string { return hash.ReplaceAllString(id, "$1") }
	event := said.Type
	if said.PhysicalID != "" {
		event += " of " + short(said.PhysicalID)
	}
	switch {
	case said.Message == "status":
		return event + ": " + short(said.Reading)
	case said.Scope != "":
		return event + ": " + said.Scope
	case said.Message == "answered":
		return event + ": answered " + said.Status + " as " + short(said.Answered)
	default:
		return ""
	}
}
