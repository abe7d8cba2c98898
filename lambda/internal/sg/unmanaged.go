package sg

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/task"
)

// unmanagedPatience is how long DescribeSecurityGroupRules may lack a rule that its group
// shows, before the rule counts as unmanaged.
const unmanagedPatience = 5 * time.Second

// withUnmanaged finds the rules that the chain did not create: those without its tags. It takes
// one call, and only if the chain keeps such rules or a group was adopted. EC2's default
// egress rules count as the chain's on groups that the chain created.
func (e *Edge) withUnmanaged(ctx context.Context, query Query, observed Observed, members map[string]chain.Identity) (Observed, error) {
	asks := query.Unmanaged
	for i := range observed.State.Groups {
		asks = asks || observed.State.Groups[i].IsReleased()
	}
	asked := observed.State.Identities()
	if !asks || len(asked) == 0 {
		return observed, nil
	}
	wait := task.Backoff{Next: 500 * time.Millisecond, Last: 2 * time.Second}
	for began := time.Now(); ; {
		listed, err := e.listRules(ctx, observed.idsOf(asked), members, observed.moved())
		if err != nil {
			return Observed{}, err
		}
		complete := true
		observed.ruleIDs = map[chain.Identity]map[chain.Rule]string{}
		for i, group := range observed.State.Groups {
			id := observed.GroupIDs[group.Identity]
			observed.State.Groups[i].Unmanaged = slices.DeleteFunc(slices.Clone(group.Rules), func(rule chain.Rule) bool {
				found, known := listed[id][rule.Key()]
				complete = complete && known
				return found.ours || (!group.Adoption.IsForeign() && isDefaultEgress(rule))
			})
			observed.ruleIDs[group.Identity] = map[chain.Rule]string{}
			for _, rule := range group.Rules {
				if found := listed[id][rule.Key()]; found.ours && group.IsReleased() {
					observed.ruleIDs[group.Identity][rule.Key()] = found.id
				}
			}
		}
		if complete || time.Since(began) >= unmanagedPatience {
			return observed, nil
		}
		if err := wait.Wait(ctx); err != nil {
			return Observed{}, err
		}
	}
}

// isDefaultEgress reports whether EC2 added a rule when it created the group. EC2 sets no
// descriptions; that of the IPv4 rule is the chain's.
func isDefaultEgress(rule chain.Rule) bool {
	return rule.Key() == chain.AllTrafficV4() || (rule.Key() == chain.AllTrafficV6() && rule.Description == "")
}

// listedRule is a rule as DescribeSecurityGroupRules shows it.
type listedRule struct {
	id       string
	ours     bool
	provider string // who tagged it
}

// listRules reads the rules of groups, by group and key. The rules of moved groups may have been
// created in another place.
func (e *Edge) listRules(ctx context.Context, groupIDs []string, members map[string]chain.Identity, moved []string) (map[string]map[chain.Rule]listedRule, error) {
	rules, err := everyPage(ctx, []types.Filter{filter(groupIDFilter, groupIDs...)}, func(filters []types.Filter) paginator[*ec2.DescribeSecurityGroupRulesOutput] {
		return ec2.NewDescribeSecurityGroupRulesPaginator(e.API, &ec2.DescribeSecurityGroupRulesInput{Filters: filters, MaxResults: aws.Int32(pageSize)})
	}, func(page *ec2.DescribeSecurityGroupRulesOutput) []types.SecurityGroupRule {
		return page.SecurityGroupRules
	})
	if err != nil {
		return nil, &CallError{Doing: "describing rules of security groups (" + capped(groupIDs) + ")", Err: err}
	}
	listed := map[string]map[chain.Rule]listedRule{}
	for _, one := range rules {
		group := aws.ToString(one.GroupId)
		if !slices.Contains(groupIDs, group) {
			continue // was not asked for
		}
		if listed[group] == nil {
			listed[group] = map[chain.Rule]listedRule{}
		}
		listed[group][ruleOf(one, members).Key()] = listedRule{id: aws.ToString(one.SecurityGroupRuleId), ours: e.Owner.hasCreated(one, slices.Contains(moved, group)), provider: valueOf(one.Tags, chain.TagProvider)}
	}
	return listed, nil
}

// hasCreated reports whether the chain created a rule. Rules of a moved group have the tags of the
// previous place.
func (o Owner) hasCreated(rule types.SecurityGroupRule, isMoved bool) bool {
	if isMoved {
		return valueOf(rule.Tags, chain.TagProvider) != ""
	}
	tags := tagMap(rule.Tags)
	return tags[chain.TagProvider] == o.Provider && tags[chain.TagStackID] == o.Resource.StackID && tags[chain.TagLogicalID] == o.Resource.LogicalID
}

// ruleOf converts a rule as DescribeSecurityGroupRules shows it.
func ruleOf(one types.SecurityGroupRule, members map[string]chain.Identity) chain.Rule {
	permission := types.IpPermission{IpProtocol: one.IpProtocol, FromPort: one.FromPort, ToPort: one.ToPort}
	switch {
	case one.CidrIpv4 != nil:
		permission.IpRanges = []types.IpRange{{CidrIp: one.CidrIpv4, Description: one.Description}}
	case one.CidrIpv6 != nil:
		permission.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: one.CidrIpv6, Description: one.Description}}
	case one.PrefixListId != nil:
		permission.PrefixListIds = []types.PrefixListId{{PrefixListId: one.PrefixListId, Description: one.Description}}
	case one.ReferencedGroupInfo != nil:
		permission.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: one.ReferencedGroupInfo.GroupId, UserId: one.ReferencedGroupInfo.UserId, Description: one.Description}}
	}
	direction := chain.Ingress
	if aws.ToBool(one.IsEgress) {
		direction = chain.Egress
	}
	rules := appendRules(nil, direction, &permission, aws.ToString(one.GroupOwnerId), members)
	if len(rules) == 0 {
		return chain.Rule{}
	}
	return rules[0]
}
