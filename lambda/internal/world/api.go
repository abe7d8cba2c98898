package world

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Account is the owner of every group.
const Account = "123456789012"

// APIError is an error as EC2 gives it.
type APIError struct{ Code, Message string }

func (e *APIError) Error() string { return "api error " + e.Code + ": " + e.Message }

// ErrorCode is EC2's code.
func (e *APIError) ErrorCode() string { return e.Code }

// ErrorMessage is EC2's text.
func (e *APIError) ErrorMessage() string { return e.Message }

func fail(code, format string, args ...any) error {
	return &APIError{Code: code, Message: fmt.Sprintf(format, args...)}
}

// NewError makes an error for a Fault.
func NewError(code, message string) error { return &APIError{Code: code, Message: message} }

var groupText = regexp.MustCompile(`^[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}$`)

// CreateSecurityGroup makes a group with EC2's default egress.
func (w *World) CreateSecurityGroup(ctx context.Context, in *ec2.CreateSecurityGroupInput, _ ...func(*ec2.Options)) (*ec2.CreateSecurityGroupOutput, error) {
	out := &ec2.CreateSecurityGroupOutput{}
	err := w.call(ctx, "CreateSecurityGroup", true, func() error {
		name, description := strings.TrimSpace(aws.ToString(in.GroupName)), aws.ToString(in.Description)
		home, known := w.vpcs[aws.ToString(in.VpcId)]
		switch {
		case !known:
			return fail("InvalidVpcID.NotFound", "The vpc ID '%s' does not exist", aws.ToString(in.VpcId))
		case !groupText.MatchString(name) || strings.HasPrefix(strings.ToLower(name), "sg-"):
			return fail("InvalidParameterValue", "Value (%s) for parameter GroupName is invalid", name)
		case !groupText.MatchString(description):
			return fail("InvalidParameterValue", "Value (%s) for parameter GroupDescription is invalid", description)
		}
		for _, other := range w.groups {
			if other.vpcID == aws.ToString(in.VpcId) && strings.EqualFold(other.name, name) {
				return fail("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", name, other.vpcID)
			}
		}
		w.serial++
		made := &group{id: fmt.Sprintf("sg-%017x", w.serial), name: name, description: description, vpcID: aws.ToString(in.VpcId), tags: specified(in.TagSpecifications), born: time.Now()}
		made.rules = []rule{{egress: true, protocol: "-1", from: -1, to: -1, peer: "0.0.0.0/0"}}
		if home.hasIPv6 {
			made.rules = append(made.rules, rule{egress: true, protocol: "-1", from: -1, to: -1, peer: "::/0"})
		}
		w.groups[made.id] = made
		out.GroupId = aws.String(made.id)
		return nil
	})
	return answered(out, err)
}

func answered[T any](out *T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return out, nil
}

func specified(specifications []types.TagSpecification) map[string]string {
	tags := map[string]string{}
	for _, specification := range specifications {
		for _, tag := range specification.Tags {
			tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
	}
	return tags
}

// DescribeSecurityGroups lists groups, with the permissions grouped as EC2 does:
// by protocol and ports, with all their peers.
func (w *World) DescribeSecurityGroups(ctx context.Context, in *ec2.DescribeSecurityGroupsInput, _ ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupsOutput, error) {
	out := &ec2.DescribeSecurityGroupsOutput{}
	err := w.call(ctx, "DescribeSecurityGroups", false, func() error {
		var ids []string
		for i, id := range slices.Sorted(maps.Keys(w.groups)) {
			if (len(w.calls) == w.BlinkAt && i%2 == 1) || time.Since(w.groups[id].born) < w.Lag {
				continue
			}
			matches, err := w.matches(w.groups[id], in.Filters)
			if err != nil {
				return err
			}
			if matches {
				ids = append(ids, id)
			}
		}
		start, end := 0, len(ids)
		if in.NextToken != nil {
			start, _ = strconv.Atoi(*in.NextToken)
		}
		if size := w.pageSize(in.MaxResults); size > 0 && start+size < len(ids) {
			end = start + size
			out.NextToken = aws.String(strconv.Itoa(end))
		}
		for _, id := range ids[min(start, end):end] {
			out.SecurityGroups = append(out.SecurityGroups, w.groups[id].described())
		}
		return nil
	})
	return answered(out, err)
}

func (w *World) pageSize(asked *int32) int {
	if w.PageSize > 0 {
		return w.PageSize
	}
	return int(aws.ToInt32(asked))
}

func (w *World) matches(g *group, filters []types.Filter) (bool, error) {
	if w.IgnoreFilters {
		return true, nil
	}
	for _, filter := range filters {
		name := aws.ToString(filter.Name)
		var values []string
		switch key, isTag := strings.CutPrefix(name, "tag:"); {
		case isTag:
			if value, has := g.tags[key]; has {
				values = []string{value}
			}
		case name == "vpc-id":
			values = []string{g.vpcID}
		case name == "group-name":
			values = []string{g.name}
		case name == "group-id":
			values = []string{g.id}
		case name == "ip-permission.group-id" || name == "egress.ip-permission.group-id":
			for _, rule := range g.rules {
				if rule.egress == strings.HasPrefix(name, "egress.") {
					values = append(values, rule.peer)
				}
			}
		default:
			return false, fail("InvalidParameterValue", "The filter '%s' is invalid", name)
		}
		if !slices.ContainsFunc(filter.Values, func(value string) bool { return slices.Contains(values, value) }) {
			return false, nil
		}
	}
	return true, nil
}

func (g *group) described() types.SecurityGroup {
	out := types.SecurityGroup{
		GroupId: aws.String(g.id), GroupName: aws.String(g.name), Description: aws.String(g.description),
		VpcId: aws.String(g.vpcID), OwnerId: aws.String(Account),
	}
	for _, key := range slices.Sorted(maps.Keys(g.tags)) {
		out.Tags = append(out.Tags, types.Tag{Key: aws.String(key), Value: aws.String(g.tags[key])})
	}
	for _, rule := range g.rules {
		list := &out.IpPermissions
		if rule.egress {
			list = &out.IpPermissionsEgress
		}
		rule.addTo(list)
	}
	return out
}

func (r rule) addTo(list *[]types.IpPermission) {
	var from, to *int32
	if r.protocol != "-1" {
		from, to = aws.Int32(r.from), aws.Int32(r.to)
	}
	place := slices.IndexFunc(*list, func(p types.IpPermission) bool {
		return aws.ToString(p.IpProtocol) == r.protocol && aws.ToInt32(p.FromPort) == aws.ToInt32(from) && aws.ToInt32(p.ToPort) == aws.ToInt32(to)
	})
	if place < 0 {
		*list = append(*list, types.IpPermission{IpProtocol: aws.String(r.protocol), FromPort: from, ToPort: to})
		place = len(*list) - 1
	}
	permission := &(*list)[place]
	var description *string
	if r.description != "" {
		description = aws.String(r.description)
	}
	switch {
	case strings.HasPrefix(r.peer, "sg-"):
		permission.UserIdGroupPairs = append(permission.UserIdGroupPairs, types.UserIdGroupPair{GroupId: aws.String(r.peer), UserId: aws.String(Account), Description: description})
	case strings.HasPrefix(r.peer, "pl-"):
		permission.PrefixListIds = append(permission.PrefixListIds, types.PrefixListId{PrefixListId: aws.String(r.peer), Description: description})
	case strings.Contains(r.peer, ":"):
		permission.Ipv6Ranges = append(permission.Ipv6Ranges, types.Ipv6Range{CidrIpv6: aws.String(r.peer), Description: description})
	default:
		permission.IpRanges = append(permission.IpRanges, types.IpRange{CidrIp: aws.String(r.peer), Description: description})
	}
}

// DescribeNetworkInterfaces lists the interfaces on groups.
func (w *World) DescribeNetworkInterfaces(ctx context.Context, in *ec2.DescribeNetworkInterfacesInput, _ ...func(*ec2.Options)) (*ec2.DescribeNetworkInterfacesOutput, error) {
	out := &ec2.DescribeNetworkInterfacesOutput{}
	err := w.call(ctx, "DescribeNetworkInterfaces", false, func() error {
		for _, id := range slices.Sorted(maps.Keys(w.interfaces)) {
			one := w.interfaces[id]
			wanted := func(group string) bool { return len(in.Filters) == 0 || slices.Contains(in.Filters[0].Values, group) }
			if !w.IgnoreFilters && !slices.ContainsFunc(one.groups, wanted) {
				continue
			}
			described := types.NetworkInterface{NetworkInterfaceId: aws.String(id), Description: aws.String(one.description), InterfaceType: types.NetworkInterfaceTypeInterface}
			for _, group := range one.groups {
				described.Groups = append(described.Groups, types.GroupIdentifier{GroupId: aws.String(group)})
			}
			out.NetworkInterfaces = append(out.NetworkInterfaces, described)
		}
		return nil
	})
	return answered(out, err)
}

// CreateTags sets tags on groups.
func (w *World) CreateTags(ctx context.Context, in *ec2.CreateTagsInput, _ ...func(*ec2.Options)) (*ec2.CreateTagsOutput, error) {
	err := w.call(ctx, "CreateTags", true, func() error {
		for _, id := range in.Resources {
			if w.groups[id] == nil {
				return fail("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
			}
		}
		for _, id := range in.Resources {
			for _, tag := range in.Tags {
				w.groups[id].tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
			}
		}
		return nil
	})
	return answered(&ec2.CreateTagsOutput{}, err)
}

// AuthorizeSecurityGroupIngress adds rules, all or none.
func (w *World) AuthorizeSecurityGroupIngress(ctx context.Context, in *ec2.AuthorizeSecurityGroupIngressInput, _ ...func(*ec2.Options)) (*ec2.AuthorizeSecurityGroupIngressOutput, error) {
	err := w.call(ctx, "AuthorizeSecurityGroupIngress", true, func() error {
		return w.authorize(false, in.GroupId, in.IpPermissions, in.TagSpecifications)
	})
	return answered(&ec2.AuthorizeSecurityGroupIngressOutput{Return: aws.Bool(true)}, err)
}

// AuthorizeSecurityGroupEgress adds rules, all or none.
func (w *World) AuthorizeSecurityGroupEgress(ctx context.Context, in *ec2.AuthorizeSecurityGroupEgressInput, _ ...func(*ec2.Options)) (*ec2.AuthorizeSecurityGroupEgressOutput, error) {
	err := w.call(ctx, "AuthorizeSecurityGroupEgress", true, func() error {
		return w.authorize(true, in.GroupId, in.IpPermissions, in.TagSpecifications)
	})
	return answered(&ec2.AuthorizeSecurityGroupEgressOutput{Return: aws.Bool(true)}, err)
}

func (w *World) authorize(egress bool, id *string, permissions []types.IpPermission, tags []types.TagSpecification) error {
	g, rules, err := w.target(egress, id, permissions, specified(tags))
	if err != nil {
		return err
	}
	for _, one := range rules {
		if slices.ContainsFunc(g.rules, one.same) {
			return fail("InvalidPermission.Duplicate", "the specified rule \"peer: %s, %s\" already exists", one.peer, one.protocol)
		}
	}
	g.rules = append(g.rules, rules...)
	return nil
}

func (w *World) target(egress bool, id *string, permissions []types.IpPermission, tags map[string]string) (*group, []rule, error) {
	g := w.groups[aws.ToString(id)]
	if g == nil {
		return nil, nil, fail("InvalidGroup.NotFound", "The security group '%s' does not exist", aws.ToString(id))
	}
	rules, err := w.rulesOf(egress, permissions, tags)
	return g, rules, err
}

// RevokeSecurityGroupIngress removes rules.
func (w *World) RevokeSecurityGroupIngress(ctx context.Context, in *ec2.RevokeSecurityGroupIngressInput, _ ...func(*ec2.Options)) (*ec2.RevokeSecurityGroupIngressOutput, error) {
	out := &ec2.RevokeSecurityGroupIngressOutput{Return: aws.Bool(true)}
	err := w.call(ctx, "RevokeSecurityGroupIngress", true, func() (err error) {
		out.UnknownIpPermissions, err = w.revoke(false, in.GroupId, in.IpPermissions)
		return err
	})
	return answered(out, err)
}

// RevokeSecurityGroupEgress removes rules.
func (w *World) RevokeSecurityGroupEgress(ctx context.Context, in *ec2.RevokeSecurityGroupEgressInput, _ ...func(*ec2.Options)) (*ec2.RevokeSecurityGroupEgressOutput, error) {
	out := &ec2.RevokeSecurityGroupEgressOutput{Return: aws.Bool(true)}
	err := w.call(ctx, "RevokeSecurityGroupEgress", true, func() (err error) {
		out.UnknownIpPermissions, err = w.revoke(true, in.GroupId, in.IpPermissions)
		return err
	})
	return answered(out, err)
}

// revoke follows the API reference, RevokeSecurityGroupIngress: in the default
// VPC what is unknown is listed, elsewhere it is an error and nothing is revoked.
func (w *World) revoke(egress bool, id *string, permissions []types.IpPermission) ([]types.IpPermission, error) {
	g, rules, err := w.target(egress, id, permissions, nil)
	if err != nil {
		return nil, err
	}
	var unknown []types.IpPermission
	for i, one := range rules {
		if !slices.ContainsFunc(g.rules, one.same) {
			if !w.vpcs[g.vpcID].isDefault {
				return nil, fail("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
			}
			unknown = append(unknown, permissions[min(i, len(permissions)-1)])
		}
	}
	g.rules = slices.DeleteFunc(g.rules, func(r rule) bool { return slices.ContainsFunc(rules, r.same) })
	return unknown, nil
}

// UpdateSecurityGroupRuleDescriptionsIngress changes descriptions.
func (w *World) UpdateSecurityGroupRuleDescriptionsIngress(ctx context.Context, in *ec2.UpdateSecurityGroupRuleDescriptionsIngressInput, _ ...func(*ec2.Options)) (*ec2.UpdateSecurityGroupRuleDescriptionsIngressOutput, error) {
	err := w.call(ctx, "UpdateSecurityGroupRuleDescriptionsIngress", true, func() error { return w.describe(false, in.GroupId, in.IpPermissions) })
	return answered(&ec2.UpdateSecurityGroupRuleDescriptionsIngressOutput{Return: aws.Bool(true)}, err)
}

// UpdateSecurityGroupRuleDescriptionsEgress changes descriptions.
func (w *World) UpdateSecurityGroupRuleDescriptionsEgress(ctx context.Context, in *ec2.UpdateSecurityGroupRuleDescriptionsEgressInput, _ ...func(*ec2.Options)) (*ec2.UpdateSecurityGroupRuleDescriptionsEgressOutput, error) {
	err := w.call(ctx, "UpdateSecurityGroupRuleDescriptionsEgress", true, func() error { return w.describe(true, in.GroupId, in.IpPermissions) })
	return answered(&ec2.UpdateSecurityGroupRuleDescriptionsEgressOutput{Return: aws.Bool(true)}, err)
}

func (w *World) describe(egress bool, id *string, permissions []types.IpPermission) error {
	g, rules, err := w.target(egress, id, permissions, nil)
	if err != nil {
		return err
	}
	for _, one := range rules {
		place := slices.IndexFunc(g.rules, one.same)
		if place < 0 {
			return fail("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
		}
		g.rules[place].description = one.description
	}
	return nil
}

// DeleteSecurityGroup removes a group that nothing uses and no other group names.
func (w *World) DeleteSecurityGroup(ctx context.Context, in *ec2.DeleteSecurityGroupInput, _ ...func(*ec2.Options)) (*ec2.DeleteSecurityGroupOutput, error) {
	err := w.call(ctx, "DeleteSecurityGroup", true, func() error {
		id := aws.ToString(in.GroupId)
		if w.groups[id] == nil {
			return fail("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
		}
		for _, one := range w.interfaces {
			if slices.Contains(one.groups, id) {
				return fail("DependencyViolation", "resource %s has a dependent object", id)
			}
		}
		for _, other := range w.groups {
			if other.id != id && slices.ContainsFunc(other.rules, func(r rule) bool { return r.peer == id }) {
				return fail("DependencyViolation", "resource %s has a dependent object", id)
			}
		}
		delete(w.groups, id)
		return nil
	})
	return answered(&ec2.DeleteSecurityGroupOutput{}, err)
}
