package main

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/internal/proof/stand"
)

// lag is how long EC2 may still show an earlier state.
const lag = 30 * time.Second

// groups returns every group of the stack.
func (l *lifecycle) groups(ctx context.Context) (stand.Groups, error) {
	found, err := l.account.Groups(ctx, ec2types.Filter{Name: aws.String("tag:sgchain:stack-id"), Values: []string{l.stackARN}})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(group stand.Group) bool { return group.Tags["sgchain:stack-id"] != l.stackARN }), nil
}

// text describes the groups, with the names of their tiers instead of generated names. It omits
// the egress to ::/0 that EC2 adds to a new group in a VPC with IPv6, which the chain accepts.
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

// group returns the ID of a tier's only group.
func (l *lifecycle) group(ctx context.Context, tier string) (string, error) {
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

func (l *lifecycle) settle(ctx context.Context, begun time.Time, want cfntypes.StackStatus) error {
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
	return fmt.Errorf("the stack is %s, want %s\n%s", status, want, strings.Join(reasons, "\n"))
}

func (l *lifecycle) interfaces(ctx context.Context) ([]string, error) {
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

// listen reads the new lines of the log: the physical ID in each event, and the status and ID that
// CloudFormation showed meanwhile.
func (l *lifecycle) listen(ctx context.Context) error {
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

// hash matches a physical ID. The group is the part that identifies it to readers.
var hash = regexp.MustCompile(`(sgchain-[0-9a-f]{8})[0-9a-f]+`)

// shown returns what a line of the log says about CloudFormation, empty if nothing.
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
		return "" // Lambda's own lines are not JSON
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

// rulesOf returns the expected text of the groups of chainOf.
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
