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

// holder returns the group that has a rule now and the rule's index in it, or nil.
func (w *World) holder(ruleID string) (*group, int) {
	if !strings.HasPrefix(ruleID, rulePrefix) {
		return nil, 0
	}
	for _, g := range w.groups {
		if place := g.latest().placeOf(ruleID); place >= 0 {
			return g, place
		}
	}
	return nil, 0
}

// placeOf returns the index of the rule with an ID, or -1.
func (s *state) placeOf(ruleID string) int {
	for i := range s.rules {
		if s.rules[i].id == ruleID {
			return i
		}
	}
	return -1
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
		shown, err := w.rulesShown(in, seen)
		if err != nil {
			return err
		}
		id := func(one *types.SecurityGroupRule) string { return text(one.SecurityGroupRuleId) }
		slices.SortFunc(shown, func(a, b *types.SecurityGroupRule) int { return strings.Compare(id(a), id(b)) })
		shown, out.NextToken, err = page(w, shown, id, in.MaxResults, in.NextToken)
		if err == nil && len(shown) > 0 {
			out.SecurityGroupRules = make([]types.SecurityGroupRule, len(shown))
			for i, one := range shown {
				out.SecurityGroupRules[i] = *one
			}
		}
		return err
	}})
	return answered(out, err)
}

// rulesShown lists the rules that a call asks for.
func (w *World) rulesShown(in *ec2.DescribeSecurityGroupRulesInput, seen view) ([]*types.SecurityGroupRule, error) {
	var shown []*types.SecurityGroupRule
	for _, g := range w.visible(seen) {
		now, tagged := g.stateAt(seen.at), g.stateAt(seen.tagsAt)
		for i := range now.rules {
			one := &now.rules[i]
			tags := one.tags
			if tagged != now {
				tags = nil
				if place := tagged.placeOf(one.id); place >= 0 {
					tags = tagged.rules[place].tags
				}
			}
			matches, err := w.selects(in.Filters, g.id, one.id, tags)
			if err != nil {
				return nil, err
			}
			if matches && (len(in.SecurityGroupRuleIds) == 0 || slices.Contains(in.SecurityGroupRuleIds, one.id)) {
				shown = append(shown, w.describedRules(g, now, seen)[i])
			}
		}
	}
	return shown, nil
}

// showed reports whether a rule exists in the view of a call.
func (w *World) showed(ruleID string, seen view) bool {
	for _, g := range w.groups {
		if g.isVisible() && g.stateAt(seen.at).placeOf(ruleID) >= 0 {
			return true
		}
	}
	return false
}

// selects reports whether a rule matches filters.
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

// describedRule returns a rule as DescribeSecurityGroupRules shows it. The ports are -1 if the
// protocol has none.
func (w *World) describedRule(g *group, r *rule, seen view) types.SecurityGroupRule {
	out := types.SecurityGroupRule{
		SecurityGroupRuleId: aws.String(r.id), GroupId: aws.String(g.id), GroupOwnerId: aws.String(ofAccount(g.owner)),
		IsEgress: aws.Bool(r.egress), IpProtocol: aws.String(r.protocol), FromPort: aws.Int32(r.from), ToPort: aws.Int32(r.to), Tags: listed(r.tags),
	}
	if r.description != "" {
		out.Description = aws.String(r.description)
	}
	switch {
	case strings.HasPrefix(r.peer, "sg-"):
		out.ReferencedGroupInfo = w.referencedInfo(g, *r, seen)
	case strings.HasPrefix(r.peer, "pl-"):
		out.PrefixListId = aws.String(r.peer)
	case r.prefix.Addr().Is6():
		out.CidrIpv6 = aws.String(r.peer)
	default:
		out.CidrIpv4 = aws.String(r.peer)
	}
	return out
}
