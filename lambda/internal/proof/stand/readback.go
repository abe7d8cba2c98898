package stand

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Group is one security group as EC2 reports it.
type Group struct {
	ID, Name, Description, VPCID string
	Tags                         map[string]string
	Rules                        []Rule
}

// Rule is one rule of a group as EC2 reports it, with the name of a peer group.
type Rule struct {
	ID          string
	Direction   string // "ingress" or "egress"
	Protocol    string // "tcp", "udp", "icmp", "icmpv6", a number, or "all"
	Ports       string // "443", "8000-8010" or "all"
	Peer        string // a CIDR, a prefix list or a group's name
	Description string
}

// String returns the rule as one line of text, without its ID.
func (r Rule) String() string {
	what := r.Protocol + " " + r.Ports
	if r.Protocol == "all" {
		what = "all traffic"
	}
	preposition := map[string]string{"ingress": "from", "egress": "to"}[r.Direction]
	line := fmt.Sprintf("%s %s %s %s", r.Direction, what, preposition, r.Peer)
	if r.Description != "" {
		line += fmt.Sprintf(" %q", r.Description)
	}
	return line
}

// Groups is the security groups of an account, sorted by name.
type Groups []Group

// Groups reads the security groups that match all filters from EC2. It omits each VPC's group
// "default", which no user can create or delete.
func (a *Account) Groups(ctx context.Context, filters ...ec2types.Filter) (Groups, error) {
	client := a.EC2()
	var found []ec2types.SecurityGroup
	pages := ec2.NewDescribeSecurityGroupsPaginator(client, &ec2.DescribeSecurityGroupsInput{Filters: filters})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading security groups: %w", err)
		}
		found = append(found, page.SecurityGroups...)
	}
	names := make(map[string]string)
	for _, group := range found {
		names[aws.ToString(group.GroupId)] = aws.ToString(group.GroupName)
	}
	var groups Groups
	for _, group := range found {
		if aws.ToString(group.GroupName) == "default" {
			continue
		}
		rules, err := readRules(ctx, client, aws.ToString(group.GroupId), names)
		if err != nil {
			return nil, err
		}
		tags := make(map[string]string)
		for _, tag := range group.Tags {
			tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
		groups = append(groups, Group{
			ID:          aws.ToString(group.GroupId),
			Name:        aws.ToString(group.GroupName),
			Description: aws.ToString(group.Description),
			VPCID:       aws.ToString(group.VpcId),
			Tags:        tags,
			Rules:       rules,
		})
	}
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return groups, nil
}

func readRules(ctx context.Context, client *ec2.Client, groupID string, names map[string]string) ([]Rule, error) {
	pages := ec2.NewDescribeSecurityGroupRulesPaginator(client, &ec2.DescribeSecurityGroupRulesInput{
		Filters: []ec2types.Filter{{Name: aws.String("group-id"), Values: []string{groupID}}},
	})
	var rules []Rule
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading rules of security group (%s): %w", groupID, err)
		}
		for _, rule := range page.SecurityGroupRules {
			if aws.ToString(rule.GroupId) != groupID {
				return nil, fmt.Errorf("reading rules of security group (%s): got one of %s", groupID, aws.ToString(rule.GroupId))
			}
			rules = append(rules, describe(rule, names))
		}
	}
	slices.SortFunc(rules, func(a, b Rule) int {
		return cmp.Or(
			strings.Compare(b.Direction, a.Direction), // ingress first
			strings.Compare(a.Protocol, b.Protocol),
			cmp.Compare(firstPort(a), firstPort(b)),
			strings.Compare(a.Peer, b.Peer),
			strings.Compare(a.Description, b.Description),
		)
	})
	return rules, nil
}

// describe converts a rule of EC2. It names an unknown peer group by its ID.
func describe(rule ec2types.SecurityGroupRule, names map[string]string) Rule {
	r := Rule{
		ID:          aws.ToString(rule.SecurityGroupRuleId),
		Direction:   "ingress",
		Protocol:    aws.ToString(rule.IpProtocol),
		Description: aws.ToString(rule.Description),
	}
	if aws.ToBool(rule.IsEgress) {
		r.Direction = "egress"
	}
	from, to := aws.ToInt32(rule.FromPort), aws.ToInt32(rule.ToPort)
	switch {
	case r.Protocol == "-1":
		r.Protocol, r.Ports = "all", "all"
	case from == to:
		r.Ports = strconv.Itoa(int(from))
	default:
		r.Ports = fmt.Sprintf("%d-%d", from, to)
	}
	// EC2 gives a rule exactly one of these. The text shows if there are several or none.
	var peers []string
	for _, peer := range []*string{rule.CidrIpv4, rule.CidrIpv6, rule.PrefixListId} {
		if peer != nil {
			peers = append(peers, *peer)
		}
	}
	if group := rule.ReferencedGroupInfo; group != nil {
		id := aws.ToString(group.GroupId)
		peers = append(peers, cmp.Or(names[id], id))
	}
	r.Peer = strings.Join(peers, "+")
	return r
}

func firstPort(r Rule) int {
	first, _, _ := strings.Cut(r.Ports, "-")
	port, err := strconv.Atoi(first)
	if err != nil {
		return -1 // "all"
	}
	return port
}

// Text returns a line for each group and for each rule. Every rule's line names its group.
func (g Groups) Text() string {
	var text strings.Builder
	for _, group := range g {
		fmt.Fprintf(&text, "%s %q\n", group.Name, group.Description)
		for _, rule := range group.Rules {
			fmt.Fprintf(&text, "%s %s\n", group.Name, rule)
		}
	}
	return text.String()
}

// Difference returns the lines that only one of two texts has, removed ones ("- ") before added
// ones ("+ "), each in the order of its text.
func Difference(before, after string) []string {
	lines := func(text string) []string {
		return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return line == "" })
	}
	old, current := lines(before), lines(after)
	var list []string
	for _, line := range old {
		if !slices.Contains(current, line) {
			list = append(list, "- "+line)
		}
	}
	for _, line := range current {
		if !slices.Contains(old, line) {
			list = append(list, "+ "+line)
		}
	}
	return list
}
