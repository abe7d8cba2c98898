package world

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

var groupText = regexp.MustCompile(`^[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}$`)

func answered[T any](out *T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return out, nil
}

// known returns a group that a call names. The group must exist and be old enough for EC2 to know
// it ("Eventual consistency in the Amazon EC2 API").
func (w *World) known(id string) (*group, error) {
	g := w.existing(id)
	if g == nil || time.Since(g.born) < w.Newborn {
		return nil, groupNotFound(id)
	}
	return g, nil
}

// CreateSecurityGroup creates a group with EC2's default egress.
func (c *Client) CreateSecurityGroup(ctx context.Context, in *ec2.CreateSecurityGroupInput, _ ...func(*ec2.Options)) (*ec2.CreateSecurityGroupOutput, error) {
	w, out := c.world, &ec2.CreateSecurityGroupOutput{}
	err := c.do(ctx, request{operation: "CreateSecurityGroup", write: true, input: in, effect: func(view) error {
		name, description, vpcID := strings.TrimRight(text(in.GroupName), " "), text(in.Description), text(in.VpcId)
		_, known := w.vpcs[vpcID]
		switch {
		case !known:
			return fail("InvalidVpcID.NotFound", "The vpc ID '%s' does not exist", vpcID)
		case !groupText.MatchString(name) || strings.HasPrefix(strings.ToLower(name), "sg-"):
			return fail("InvalidParameterValue", "Value (%s) for parameter GroupName is invalid. Group names may not be in the format sg-*. Character sets beyond ASCII are not supported.", name)
		case !groupText.MatchString(description):
			return fail("InvalidParameterValue", "Value (%s) for parameter GroupDescription is invalid. Character sets beyond ASCII are not supported.", description)
		}
		tags, err := specified(types.ResourceTypeSecurityGroup, in.TagSpecifications)
		if err != nil {
			return err
		}
		all := w.all()
		for _, other := range all {
			if other.vpcID == vpcID && strings.EqualFold(other.name, name) {
				return fail("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", name, vpcID)
			}
		}
		quota := w.GroupQuota
		if quota == 0 {
			quota = defaultGroupQuota
		}
		if ofThisAccount(all) >= quota {
			return fail("SecurityGroupLimitExceeded", "The maximum number of security groups has been reached.")
		}
		out.GroupId = aws.String(w.add(name, description, vpcID, tags).id)
		out.Tags = listed(tags)
		return nil
	}})
	return answered(out, err)
}

// young is the maximum age of groups that a read from a lagging replica omits.
const young = time.Minute

// DescribeSecurityGroups lists groups. Permissions are grouped as in EC2: by protocol and ports,
// with all their peers.
func (c *Client) DescribeSecurityGroups(ctx context.Context, in *ec2.DescribeSecurityGroupsInput, _ ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupsOutput, error) {
	w, out := c.world, &ec2.DescribeSecurityGroupsOutput{}
	err := c.do(ctx, request{operation: "DescribeSecurityGroups", input: in, filters: in.Filters, effect: func(seen view) error {
		for _, id := range in.GroupIds {
			if !strings.HasPrefix(id, "sg-") {
				return fail("InvalidGroupId.Malformed", "Invalid id: %q (expecting \"sg-...\")", id)
			}
			if g := w.groups[id]; g == nil || g.stateAt(seen.at).gone || !g.isVisible() {
				return groupNotFound(id)
			}
		}
		var shown []types.SecurityGroup
		for _, g := range w.visible(seen) {
			if len(in.GroupIds) > 0 && !slices.Contains(in.GroupIds, g.id) {
				continue
			}
			matches, err := w.matches(g, in.Filters, seen)
			if err != nil {
				return err
			}
			if matches {
				shown = append(shown, w.described(g, seen))
			}
		}
		var err error
		out.SecurityGroups, out.NextToken, err = page(w, shown, func(one types.SecurityGroup) string { return text(one.GroupId) }, in.MaxResults, in.NextToken)
		return err
	}})
	return answered(out, err)
}

// visible lists the groups that a describe call sees, by ID.
func (w *World) visible(seen view) []*group {
	var visible []*group
	for i, g := range w.byID {
		if !g.stateAt(seen.at).gone && g.isVisible() && (!seen.blink || i%2 == 0 || time.Since(g.born) >= young) {
			visible = append(visible, g)
		}
	}
	return visible
}

// page returns one page of a list that is sorted by ID. EC2 may return fewer entries than
// requested. A token is the end of the previous page, so that additions and removals between two
// pages do not shift other entries.
func page[T any](w *World, all []T, id func(T) string, asked *int32, token *string) ([]T, *string, error) {
	if asked != nil && (*asked < 5 || *asked > 1000) {
		return nil, nil, fail("InvalidParameterValue", "Value ( %d ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.", *asked)
	}
	if token != nil {
		last, found := strings.CutPrefix(*token, "after ")
		if !found {
			return nil, nil, fail("InvalidParameterValue", "Unable to parse pagination token")
		}
		all = slices.DeleteFunc(all, func(one T) bool { return id(one) <= last })
	}
	size := len(all)
	if asked != nil {
		size = int(*asked)
	}
	if w.PageSize > 0 {
		size = min(w.PageSize, max(size, 1))
	}
	if size >= len(all) {
		return all, nil, nil
	}
	return all[:size], aws.String("after " + id(all[size-1])), nil
}

func (w *World) matches(g *group, filters []types.Filter, seen view) (bool, error) {
	if w.IgnoreFilters {
		return true, nil
	}
	shown, tagged := g.stateAt(seen.at), g.stateAt(seen.tagsAt)
	for _, filter := range filters {
		key, isTag := strings.CutPrefix(text(filter.Name), "tag:")
		if isTag {
			if value, has := tagged.tags[key]; !has || !meets(filter.Values, value) {
				return false, nil
			}
			continue
		}
		values, err := filtered(g, shown, tagged, text(filter.Name))
		if err != nil {
			return false, err
		}
		if !slices.ContainsFunc(values, func(value string) bool { return meets(filter.Values, value) }) {
			return false, nil
		}
	}
	return true, nil
}

// filtered returns the values of a group that a filter examines, except for tags.
func filtered(g *group, shown, tagged *state, name string) ([]string, error) {
	switch {
	case name == "tag-key":
		return slices.Collect(maps.Keys(tagged.tags)), nil
	case name == "vpc-id":
		return []string{g.vpcID}, nil
	case name == "group-name":
		return []string{g.name}, nil
	case name == "group-id":
		return []string{g.id}, nil
	case name == "owner-id":
		return []string{ofAccount(g.owner)}, nil
	case name == "ip-permission.group-id" || name == "egress.ip-permission.group-id":
		var peers []string
		for _, rule := range shown.rules {
			if rule.egress == strings.HasPrefix(name, "egress.") {
				peers = append(peers, rule.peer)
			}
		}
		return peers, nil
	default:
		return nil, fail("InvalidParameterValue", "The filter '%s' is invalid", name)
	}
}

// DescribeNetworkInterfaces lists network interfaces.
func (c *Client) DescribeNetworkInterfaces(ctx context.Context, in *ec2.DescribeNetworkInterfacesInput, _ ...func(*ec2.Options)) (*ec2.DescribeNetworkInterfacesOutput, error) {
	w, out := c.world, &ec2.DescribeNetworkInterfacesOutput{}
	err := c.do(ctx, request{operation: "DescribeNetworkInterfaces", input: in, filters: in.Filters, effect: func(view) error {
		var shown []types.NetworkInterface
		for _, id := range slices.Sorted(maps.Keys(w.interfaces)) {
			matches, err := w.meetsInterface(in.Filters, id, w.interfaces[id])
			if err != nil {
				return err
			}
			if matches {
				shown = append(shown, w.describedInterface(id, w.interfaces[id]))
			}
		}
		var err error
		out.NetworkInterfaces, out.NextToken, err = page(w, shown, func(one types.NetworkInterface) string { return text(one.NetworkInterfaceId) }, in.MaxResults, in.NextToken)
		return err
	}})
	return answered(out, err)
}

// DescribeVpcs lists VPCs with their ranges.
func (c *Client) DescribeVpcs(ctx context.Context, in *ec2.DescribeVpcsInput, _ ...func(*ec2.Options)) (*ec2.DescribeVpcsOutput, error) {
	w, out := c.world, &ec2.DescribeVpcsOutput{}
	err := c.do(ctx, request{operation: "DescribeVpcs", input: in, filters: in.Filters, effect: func(view) error {
		var shown []types.Vpc
		for _, id := range slices.Sorted(maps.Keys(w.vpcs)) {
			matches, err := filteredBy(in.Filters, map[string]string{"vpc-id": id})
			if err != nil {
				return err
			}
			one := types.Vpc{VpcId: aws.String(id), OwnerId: aws.String(ofAccount(w.vpcs[id].owner))}
			associated := types.VpcCidrBlockState{State: types.VpcCidrBlockStateCodeAssociated}
			for _, prefix := range w.vpcs[id].ranges {
				if prefix.Addr().Is6() {
					one.Ipv6CidrBlockAssociationSet = append(one.Ipv6CidrBlockAssociationSet, types.VpcIpv6CidrBlockAssociation{Ipv6CidrBlock: aws.String(prefix.String()), Ipv6CidrBlockState: &associated})
				} else {
					one.CidrBlockAssociationSet = append(one.CidrBlockAssociationSet, types.VpcCidrBlockAssociation{CidrBlock: aws.String(prefix.String()), CidrBlockState: &associated})
				}
			}
			if matches || w.IgnoreFilters {
				shown = append(shown, one)
			}
		}
		var err error
		out.Vpcs, out.NextToken, err = page(w, shown, func(one types.Vpc) string { return text(one.VpcId) }, in.MaxResults, in.NextToken)
		return err
	}})
	return answered(out, err)
}

// managedPrefix begins the names of AWS-managed lists. EC2 shows no maximum number of entries for
// those (VPC user guide, "AWS-managed prefix lists", has their weights).
const managedPrefix = "com.amazonaws."

// DescribeManagedPrefixLists lists prefix lists.
func (c *Client) DescribeManagedPrefixLists(ctx context.Context, in *ec2.DescribeManagedPrefixListsInput, _ ...func(*ec2.Options)) (*ec2.DescribeManagedPrefixListsOutput, error) {
	w, out := c.world, &ec2.DescribeManagedPrefixListsOutput{}
	err := c.do(ctx, request{operation: "DescribeManagedPrefixLists", input: in, filters: in.Filters, effect: func(view) error {
		var shown []types.ManagedPrefixList
		for _, id := range slices.Sorted(maps.Keys(w.lists)) {
			list := w.lists[id]
			matches, err := filteredBy(in.Filters, map[string]string{"prefix-list-id": id, "prefix-list-name": list.name})
			if err != nil {
				return err
			}
			one := types.ManagedPrefixList{PrefixListId: aws.String(id), PrefixListName: aws.String(list.name), AddressFamily: aws.String("IPv4")}
			if list.ipv6 {
				one.AddressFamily = aws.String("IPv6")
			}
			if !strings.HasPrefix(list.name, managedPrefix) {
				one.MaxEntries = aws.Int32(int32(list.weight)) //nolint:gosec // a small number
			}
			if matches || w.IgnoreFilters {
				shown = append(shown, one)
			}
		}
		var err error
		out.PrefixLists, out.NextToken, err = page(w, shown, func(one types.ManagedPrefixList) string { return text(one.PrefixListId) }, in.MaxResults, in.NextToken)
		return err
	}})
	return answered(out, err)
}

// filteredBy matches values, by filter name, against filters.
func filteredBy(filters []types.Filter, values map[string]string) (bool, error) {
	for _, filter := range filters {
		value, known := values[text(filter.Name)]
		if !known {
			return false, fail("InvalidParameterValue", "The filter '%s' is invalid", text(filter.Name))
		}
		if !meets(filter.Values, value) {
			return false, nil
		}
	}
	return true, nil
}

// AuthorizeSecurityGroupIngress adds rules.
func (c *Client) AuthorizeSecurityGroupIngress(ctx context.Context, in *ec2.AuthorizeSecurityGroupIngressInput, _ ...func(*ec2.Options)) (*ec2.AuthorizeSecurityGroupIngressOutput, error) {
	err := c.change(ctx, "AuthorizeSecurityGroupIngress", in, in.GroupId, func(g *group) error {
		return c.world.authorize(g, false, in.IpPermissions, in.TagSpecifications)
	})
	return answered(&ec2.AuthorizeSecurityGroupIngressOutput{Return: aws.Bool(true)}, err)
}

// AuthorizeSecurityGroupEgress adds rules.
func (c *Client) AuthorizeSecurityGroupEgress(ctx context.Context, in *ec2.AuthorizeSecurityGroupEgressInput, _ ...func(*ec2.Options)) (*ec2.AuthorizeSecurityGroupEgressOutput, error) {
	err := c.change(ctx, "AuthorizeSecurityGroupEgress", in, in.GroupId, func(g *group) error {
		return c.world.authorize(g, true, in.IpPermissions, in.TagSpecifications)
	})
	return answered(&ec2.AuthorizeSecurityGroupEgressOutput{Return: aws.Bool(true)}, err)
}

// change performs a call that changes one group.
func (c *Client) change(ctx context.Context, operation string, in any, id *string, effect func(*group) error) error {
	return c.do(ctx, request{operation: operation, write: true, input: in, objects: []string{text(id)}, effect: func(view) error {
		g, err := c.world.writable(operation, text(id))
		if err != nil {
			return err
		}
		return effect(g)
	}})
}

func (w *World) authorize(g *group, egress bool, permissions []types.IpPermission, specifications []types.TagSpecification) error {
	tags, err := specified(types.ResourceTypeSecurityGroupRule, specifications)
	if err != nil {
		return err
	}
	rules, err := w.rulesOf(g, egress, permissions, &tags)
	if err != nil {
		return err
	}
	after := slices.Concat(g.latest().rules, rules)[:len(g.latest().rules)]
	var refused error
	for _, one := range rules {
		if placeIn(after, &one) >= 0 {
			refused = fail("InvalidPermission.Duplicate", "the specified rule \"peer: %s, %s, ALLOW\" already exists", one.peer, strings.ToUpper(one.protocol))
		} else if err := w.checkQuota(append(after, one), one); err != nil { // append uses the spare capacity
			refused = err
		}
		if refused != nil {
			break
		}
		after = append(after, one)
	}
	if refused == nil || w.OneByOne {
		g.set(func(s *state) { s.rules = after })
	}
	return refused
}

// RevokeSecurityGroupIngress removes rules.
func (c *Client) RevokeSecurityGroupIngress(ctx context.Context, in *ec2.RevokeSecurityGroupIngressInput, _ ...func(*ec2.Options)) (*ec2.RevokeSecurityGroupIngressOutput, error) {
	out := &ec2.RevokeSecurityGroupIngressOutput{Return: aws.Bool(true)}
	err := c.change(ctx, "RevokeSecurityGroupIngress", in, in.GroupId, func(g *group) (err error) {
		out.UnknownIpPermissions, err = c.world.revoke(g, false, in.IpPermissions)
		return err
	})
	return answered(out, err)
}

// RevokeSecurityGroupEgress removes rules.
func (c *Client) RevokeSecurityGroupEgress(ctx context.Context, in *ec2.RevokeSecurityGroupEgressInput, _ ...func(*ec2.Options)) (*ec2.RevokeSecurityGroupEgressOutput, error) {
	out := &ec2.RevokeSecurityGroupEgressOutput{Return: aws.Bool(true)}
	err := c.change(ctx, "RevokeSecurityGroupEgress", in, in.GroupId, func(g *group) (err error) {
		out.UnknownIpPermissions, err = c.world.revoke(g, true, in.IpPermissions)
		return err
	})
	return answered(out, err)
}

// revoke follows the API reference, RevokeSecurityGroupIngress. In the default VPC, unknown rules
// are listed. Elsewhere they are an error, and nothing is revoked. The description of a rule does
// not matter.
func (w *World) revoke(g *group, egress bool, permissions []types.IpPermission) ([]types.IpPermission, error) {
	rules, err := w.rulesOf(g, egress, permissions, nil)
	if err != nil {
		return nil, err
	}
	var unknown []types.IpPermission
	for _, one := range rules {
		if placeIn(g.latest().rules, &one) >= 0 {
			continue
		}
		if !w.vpcs[g.vpcID].isDefault {
			return nil, fail("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
		}
		one.addTo(&unknown, func() types.UserIdGroupPair { return w.pairOf(g, one, view{at: time.Now()}) })
	}
	g.set(func(s *state) {
		s.rules = without(s.rules, rules)
	})
	return unknown, nil
}

// UpdateSecurityGroupRuleDescriptionsIngress changes descriptions.
func (c *Client) UpdateSecurityGroupRuleDescriptionsIngress(ctx context.Context, in *ec2.UpdateSecurityGroupRuleDescriptionsIngressInput, _ ...func(*ec2.Options)) (*ec2.UpdateSecurityGroupRuleDescriptionsIngressOutput, error) {
	err := c.change(ctx, "UpdateSecurityGroupRuleDescriptionsIngress", in, in.GroupId, func(g *group) error {
		return c.world.describe(g, false, in.IpPermissions)
	})
	return answered(&ec2.UpdateSecurityGroupRuleDescriptionsIngressOutput{Return: aws.Bool(true)}, err)
}

// UpdateSecurityGroupRuleDescriptionsEgress changes descriptions.
func (c *Client) UpdateSecurityGroupRuleDescriptionsEgress(ctx context.Context, in *ec2.UpdateSecurityGroupRuleDescriptionsEgressInput, _ ...func(*ec2.Options)) (*ec2.UpdateSecurityGroupRuleDescriptionsEgressOutput, error) {
	err := c.change(ctx, "UpdateSecurityGroupRuleDescriptionsEgress", in, in.GroupId, func(g *group) error {
		return c.world.describe(g, true, in.IpPermissions)
	})
	return answered(&ec2.UpdateSecurityGroupRuleDescriptionsEgressOutput{Return: aws.Bool(true)}, err)
}

// describe sets descriptions. An omitted description is cleared.
func (w *World) describe(g *group, egress bool, permissions []types.IpPermission) error {
	rules, err := w.rulesOf(g, egress, permissions, nil)
	if err != nil {
		return err
	}
	after := slices.Clone(g.now().rules)
	for _, one := range rules {
		at := placeIn(after, &one)
		if at < 0 {
			return fail("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
		}
		after[at].description = one.description
	}
	g.set(func(s *state) { s.rules = after })
	return nil
}

// DeleteSecurityGroup deletes a group that is not in use and that no other group of its VPC names.
func (c *Client) DeleteSecurityGroup(ctx context.Context, in *ec2.DeleteSecurityGroupInput, _ ...func(*ec2.Options)) (*ec2.DeleteSecurityGroupOutput, error) {
	w, out := c.world, &ec2.DeleteSecurityGroupOutput{GroupId: in.GroupId, Return: aws.Bool(true)}
	err := c.change(ctx, "DeleteSecurityGroup", in, in.GroupId, func(g *group) error {
		if err := w.deletable(g); err != nil {
			return err
		}
		g.set(func(s *state) { *s = state{at: s.at, gone: true} })
		return nil
	})
	return answered(out, err)
}

func (w *World) deletable(g *group) error {
	dependent := fail("DependencyViolation", "resource %s has a dependent object", g.id)
	if g.isDefault {
		return fail("CannotDelete", "the specified group: %q name: %q cannot be deleted by a user", g.id, g.name)
	}
	if len(g.now().associated) > 0 {
		return dependent
	}
	for _, one := range w.interfaces {
		if slices.Contains(one.groups, g.id) {
			return dependent
		}
	}
	for _, other := range w.all() {
		if other != g && other.vpcID == g.vpcID && other.latest().names(g.id) {
			return dependent
		}
	}
	return nil
}
