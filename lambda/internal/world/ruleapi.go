package world

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// ruleID is the ID of a rule of a group. One that is made again gets the same here.
func ruleID(groupID string, r rule) string {
	hash := fnv.New64a()
	_, _ = fmt.Fprintf(hash, "%s/%t/%s/%d/%d/%s", groupID, r.egress, r.protocol, r.from, r.to, r.peer)
	return fmt.Sprintf("sgr-0%016x", hash.Sum64())
}

// DescribeSecurityGroupRules lists rules one by one, with their tags.
func (c *Client) DescribeSecurityGroupRules(ctx context.Context, in *ec2.DescribeSecurityGroupRulesInput, _ ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupRulesOutput, error) {
	w, out := c.world, &ec2.DescribeSecurityGroupRulesOutput{}
	err := c.do(ctx, request{operation: "DescribeSecurityGroupRules", input: in, effect: func(seen view) error {
		var shown []types.SecurityGroupRule
		for i, id := range slices.Sorted(maps.Keys(w.groups)) {
			g := w.groups[id]
			if g.at(seen.at).gone || (seen.blink && i%2 == 1 && time.Since(g.born) < young) {
				continue
			}
			for _, one := range g.at(seen.at).rules {
				ruleID := ruleID(id, one)
				matches, err := ruleMatches(in.Filters, id, ruleID, one)
				if err != nil {
					return err
				}
				if (matches || w.IgnoreFilters) && (len(in.SecurityGroupRuleIds) == 0 || slices.Contains(in.SecurityGroupRuleIds, ruleID)) {
					shown = append(shown, one.described(id, ruleID))
				}
			}
		}
		slices.SortFunc(shown, func(a, b types.SecurityGroupRule) int {
			return strings.Compare(text(a.SecurityGroupRuleId), text(b.SecurityGroupRuleId))
		})
		var err error
		out.SecurityGroupRules, out.NextToken, err = page(w, shown, func(one types.SecurityGroupRule) string { return text(one.SecurityGroupRuleId) }, in.MaxResults, in.NextToken)
		return err
	}})
	return answered(out, err)
}

func ruleMatches(filters []types.Filter, groupID, ruleID string, one rule) (bool, error) {
	for _, filter := range filters {
		value, has := "", true
		key, isTag := strings.CutPrefix(text(filter.Name), "tag:")
		switch {
		case isTag:
			value, has = one.tags[key]
		case key == "group-id":
			value = groupID
		case key == "security-group-rule-id":
			value = ruleID
		default:
			return false, fail("InvalidParameterValue", "The filter '%s' is invalid", key)
		}
		if !has || !slices.Contains(filter.Values, value) {
			return false, nil
		}
	}
	return true, nil
}

// described is a rule as EC2 shows it alone: without ports where the protocol has none
// they are -1 (API reference, SecurityGroupRule).
func (r rule) described(groupID, ruleID string) types.SecurityGroupRule {
	out := types.SecurityGroupRule{
		SecurityGroupRuleId: aws.String(ruleID), GroupId: aws.String(groupID), GroupOwnerId: aws.String(Account),
		IsEgress: aws.Bool(r.egress), IpProtocol: aws.String(r.protocol), FromPort: aws.Int32(r.from), ToPort: aws.Int32(r.to),
	}
	if r.description != "" {
		out.Description = aws.String(r.description)
	}
	switch {
	case strings.HasPrefix(r.peer, "sg-"):
		out.ReferencedGroupInfo = &types.ReferencedSecurityGroup{GroupId: aws.String(r.peer), UserId: aws.String(Account)}
	case strings.HasPrefix(r.peer, "pl-"):
		out.PrefixListId = aws.String(r.peer)
	case strings.Contains(r.peer, ":"):
		out.CidrIpv6 = aws.String(r.peer)
	default:
		out.CidrIpv4 = aws.String(r.peer)
	}
	for _, key := range slices.Sorted(maps.Keys(r.tags)) {
		out.Tags = append(out.Tags, types.Tag{Key: aws.String(key), Value: aws.String(r.tags[key])})
	}
	return out
}

// resource is what a call of CreateTags or DeleteTags names: a group, or one of its rules.
type resource struct {
	group *group
	rule  *rule // nil where it is the group
}

// named finds what an ID names.
func (w *World) named(id string) (resource, error) {
	if !strings.HasPrefix(id, "sgr-") {
		g, err := w.known(id)
		return resource{group: g}, err
	}
	for _, g := range w.all() {
		for _, one := range g.now().rules {
			if ruleID(g.id, one) == id {
				return resource{group: g, rule: &one}, nil
			}
		}
	}
	return resource{}, fail("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", id)
}

func (t resource) tags() map[string]string {
	if t.rule != nil {
		return t.rule.tags
	}
	return t.group.now().tags
}

func (t resource) set(tags map[string]string) {
	t.group.set(func(s *state) {
		if t.rule == nil {
			s.tags = tags
			return
		}
		s.rules = slices.Clone(s.rules)
		place := slices.IndexFunc(s.rules, t.rule.same)
		s.rules[place].tags = tags
	})
}

// owners are the groups of what a call names.
func (w *World) owners(ids []string) []*group {
	var groups []*group
	for _, id := range ids {
		if one, err := w.named(id); err == nil {
			groups = append(groups, one.group)
		} else if g := w.living(id); g != nil {
			groups = append(groups, g)
		}
	}
	return groups
}

// CreateTags sets tags on groups and rules, on all or none.
func (c *Client) CreateTags(ctx context.Context, in *ec2.CreateTagsInput, _ ...func(*ec2.Options)) (*ec2.CreateTagsOutput, error) {
	w := c.world
	err := c.do(ctx, request{operation: "CreateTags", write: true, input: in, touches: in.Resources, effect: func(view) error {
		asked := map[string]string{}
		for _, tag := range in.Tags {
			asked[text(tag.Key)] = text(tag.Value)
		}
		if err := checkTags(asked); err != nil {
			return err
		}
		return w.retag(in.Resources, func(tags map[string]string) error {
			maps.Copy(tags, asked)
			return checkTags(othersThanAWS(tags))
		})
	}})
	return answered(&ec2.CreateTagsOutput{}, err)
}

// DeleteTags takes tags away from groups and rules; one with a value only where the value
// is the same (API reference, DeleteTags).
func (c *Client) DeleteTags(ctx context.Context, in *ec2.DeleteTagsInput, _ ...func(*ec2.Options)) (*ec2.DeleteTagsOutput, error) {
	w := c.world
	err := c.do(ctx, request{operation: "DeleteTags", write: true, input: in, touches: in.Resources, effect: func(view) error {
		return w.retag(in.Resources, func(tags map[string]string) error {
			for _, tag := range in.Tags {
				if tag.Value == nil || tags[text(tag.Key)] == *tag.Value {
					delete(tags, text(tag.Key))
				}
			}
			return nil
		})
	}})
	return answered(&ec2.DeleteTagsOutput{}, err)
}

// retag changes the tags of resources, of all or none.
func (w *World) retag(ids []string, change func(map[string]string) error) error {
	resources, after := make([]resource, len(ids)), make([]map[string]string, len(ids))
	for i, id := range ids {
		one, err := w.named(id)
		if err != nil {
			return err
		}
		tags := maps.Clone(one.tags())
		if tags == nil {
			tags = map[string]string{}
		}
		if err = change(tags); err != nil {
			return err
		}
		resources[i], after[i] = one, tags
	}
	for i, one := range resources {
		one.set(after[i])
	}
	return nil
}

// othersThanAWS leaves out the tags that AWS set: they do not count (EC2 user guide, "Tag
// restrictions").
func othersThanAWS(tags map[string]string) map[string]string {
	others := maps.Clone(tags)
	maps.DeleteFunc(others, func(key, _ string) bool { return strings.HasPrefix(key, "aws:") })
	return others
}

// SetTag gives a group a tag, of AWS too, or takes it away.
func (w *World) SetTag(groupID, key, value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if g := w.living(groupID); g != nil {
		w.tag(g, key, value)
	}
}

// RuleTags is the tags of a group's rules, by the rules as World prints them.
func (w *World) RuleTags(groupID string) map[string]map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string]map[string]string{}
	if g := w.living(groupID); g != nil {
		for _, one := range g.now().rules {
			all[one.text(nil)] = maps.Clone(one.tags)
		}
	}
	return all
}
