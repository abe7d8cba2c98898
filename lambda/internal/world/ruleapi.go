package world

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// rulePrefix begins the IDs of rules.
const rulePrefix = "sgr-"

func ruleNotFound(id string) error {
	return fail("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", id)
}

// holder is the group that has a rule now, and the rule's place in it; nil where no
// group has it.
func (w *World) holder(ruleID string) (*group, int) {
	if !strings.HasPrefix(ruleID, rulePrefix) {
		return nil, 0
	}
	for _, g := range w.groups {
		if place := slices.IndexFunc(g.now().rules, withID(ruleID)); place >= 0 {
			return g, place
		}
	}
	return nil, 0
}

func withID(id string) func(rule) bool {
	return func(r rule) bool { return r.id == id }
}

// DescribeSecurityGroupRules lists rules one by one, with their tags, by ID.
func (c *Client) DescribeSecurityGroupRules(ctx context.Context, in *ec2.DescribeSecurityGroupRulesInput, _ ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupRulesOutput, error) {
	w, out := c.world, &ec2.DescribeSecurityGroupRulesOutput{}
	err := c.do(ctx, request{operation: "DescribeSecurityGroupRules", input: in, filters: in.Filters, effect: func(seen view) error {
		for _, id := range in.SecurityGroupRuleIds {
			if !strings.HasPrefix(id, rulePrefix) {
				return fail("InvalidSecurityGroupRuleId.Malformed", "Invalid id: %q (expecting \"sgr-...\")", id)
			}
			if !w.showed(id, seen) {
				return ruleNotFound(id)
			}
		}
		var shown []types.SecurityGroupRule
		for _, g := range w.visible(seen) {
			tagged := g.at(seen.tagsAt)
			for _, one := range g.at(seen.at).rules {
				var tags map[string]string
				if place := slices.IndexFunc(tagged.rules, withID(one.id)); place >= 0 {
					tags = tagged.rules[place].tags
				}
				matches, err := w.selects(in.Filters, g.id, one.id, tags)
				if err != nil {
					return err
				}
				if matches && (len(in.SecurityGroupRuleIds) == 0 || slices.Contains(in.SecurityGroupRuleIds, one.id)) {
					shown = append(shown, w.describedRule(g, one, seen))
				}
			}
		}
		id := func(one types.SecurityGroupRule) string { return text(one.SecurityGroupRuleId) }
		slices.SortFunc(shown, func(a, b types.SecurityGroupRule) int { return strings.Compare(id(a), id(b)) })
		var err error
		out.SecurityGroupRules, out.NextToken, err = page(w, shown, id, in.MaxResults, in.NextToken)
		return err
	}})
	return answered(out, err)
}

// showed says whether a rule is there in the world that a call sees.
func (w *World) showed(ruleID string, seen view) bool {
	for _, g := range w.groups {
		if g.isVisible() && slices.ContainsFunc(g.at(seen.at).rules, withID(ruleID)) {
			return true
		}
	}
	return false
}

// selects holds a rule against filters.
func (w *World) selects(filters []types.Filter, groupID, ruleID string, tags map[string]string) (bool, error) {
	if w.IgnoreFilters {
		return true, nil
	}
	for _, filter := range filters {
		key, isTag := strings.CutPrefix(text(filter.Name), "tag:")
		value, has := tags[key]
		switch {
		case isTag:
		case text(filter.Name) == "group-id":
			value, has = groupID, true
		case text(filter.Name) == "security-group-rule-id":
			value, has = ruleID, true
		default:
			return false, fail("InvalidParameterValue", "The filter '%s' is invalid", text(filter.Name))
		}
		if !has || !meets(filter.Values, value) {
			return false, nil
		}
	}
	return true, nil
}

// describedRule is a rule as DescribeSecurityGroupRules has it: the ports are -1 where the
// protocol has none.
func (w *World) describedRule(g *group, r rule, seen view) types.SecurityGroupRule {
	out := types.SecurityGroupRule{
		SecurityGroupRuleId: aws.String(r.id), GroupId: aws.String(g.id), GroupOwnerId: aws.String(ofAccount(g.owner)),
		IsEgress: aws.Bool(r.egress), IpProtocol: aws.String(r.protocol), FromPort: aws.Int32(r.from), ToPort: aws.Int32(r.to), Tags: listed(r.tags),
	}
	if r.description != "" {
		out.Description = aws.String(r.description)
	}
	switch {
	case strings.HasPrefix(r.peer, "sg-"):
		out.ReferencedGroupInfo = w.referencedInfo(g, r, seen)
	case strings.HasPrefix(r.peer, "pl-"):
		out.PrefixListId = aws.String(r.peer)
	case r.prefix.Addr().Is6():
		out.CidrIpv6 = aws.String(r.peer)
	default:
		out.CidrIpv4 = aws.String(r.peer)
	}
	return out
}
