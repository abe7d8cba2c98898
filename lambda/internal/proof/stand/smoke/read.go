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

// lag is how long EC2 may go on showing what was there before.
const lag = 30 * time.Second

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
