package world

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// awkward has characters that XML and forms must escape, and others that they must preserve.
const awkward = " <a href=\"x\">&amp; 'b' + %20\n\tüµ😀]]> "

// sdkClient returns a real client of the SDK.
func sdkClient(transport http.RoundTripper, endpoint *string) *ec2.Client {
	return ec2.New(ec2.Options{
		Region: "us-east-1", BaseEndpoint: endpoint, HTTPClient: &http.Client{Transport: transport}, Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, nil
		}),
	})
}

// overListener returns the SDK's client over a real network.
func overListener(t *testing.T, client *Client) *ec2.Client {
	t.Helper()
	server := httptest.NewServer(client)
	t.Cleanup(server.Close)
	if !strings.HasPrefix(server.URL, "http://127.0.0.1:") {
		t.Fatalf("the server listens on %s", server.URL)
	}
	return sdkClient(server.Client().Transport, &server.URL)
}

// groupIDs has the IDs of the groups in every world of these tests, and of a rule of db. They
// depend on names only.
type groupIDs struct{ web, db, home, far, lone, standard, rule string }

func populate(t *testing.T, w *World) groupIDs {
	t.Helper()
	w.AddVPC("vpc-1", IPv6)
	w.AddVPC("vpc-2")
	w.AddVPC("vpc-3")
	w.AddVPC("vpc-default", Default)
	w.Peer("vpc-1", "vpc-2")
	w.AddPrefixList("pl-1", "com.amazonaws.global.cloudfront.origin-facing", 55, false)
	w.AddPrefixList("pl-6", "six", 2, true)
	builder := w.Client("builder")
	create := func(name, vpcID string, tags ...types.Tag) string {
		out, err := builder.CreateSecurityGroup(t.Context(), &ec2.CreateSecurityGroupInput{
			GroupName: &name, Description: aws.String("the " + name), VpcId: &vpcID,
			TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeSecurityGroup, Tags: tags}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return *out.GroupId
	}
	ids := groupIDs{
		web: create("web", "vpc-1", tag("Name", "web"), tag("odd", awkward), tag("empty", "")), db: create("db", "vpc-1", tag("Name", "db")),
		home: create("home", "vpc-default"), far: create("far", "vpc-2"), lone: create("lone", "vpc-3"),
	}
	out, err := builder.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{filter("group-name", "default"), filter("vpc-id", "vpc-1")}})
	if err != nil || len(out.SecurityGroups) != 1 {
		t.Fatal(out, err)
	}
	ids.standard = *out.SecurityGroups[0].GroupId
	rules, err := builder.DescribeSecurityGroupRules(t.Context(), &ec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{filter("group-id", ids.db)}})
	if err != nil || len(rules.SecurityGroupRules) != 2 {
		t.Fatal(rules, err)
	}
	ids.rule = *rules.SecurityGroupRules[0].SecurityGroupRuleId
	for id, groups := range map[string][]string{"eni-1": {ids.web, ids.standard}, "eni-2": {ids.standard}} {
		if err := w.Attach(id, awkward+id, groups...); err != nil {
			t.Fatal(err)
		}
	}
	w.Forget()
	return ids
}

func tag(key, value string) types.Tag { return types.Tag{Key: &key, Value: &value} }

func tagged(kind types.ResourceType, tags ...types.Tag) []types.TagSpecification {
	return []types.TagSpecification{{ResourceType: kind, Tags: tags}}
}

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: &name, Values: values}
}

func permission(protocol string, from, to int32) types.IpPermission {
	return types.IpPermission{IpProtocol: &protocol, FromPort: &from, ToPort: &to}
}

// everything returns permissions with every kind of protocol and peer.
func everything(ids groupIDs) []types.IpPermission {
	web, ssh := permission("tcp", 443, 443), permission("6", 22, 22)
	web.IpRanges = []types.IpRange{{CidrIp: aws.String("0.0.0.0/0"), Description: aws.String("a & b, {c}=[d]; (e) #1 $2 @3 *4 !5 +6:/-_.")}, {CidrIp: aws.String("192.0.2.77/24")}}
	web.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: aws.String("2001:DB8::1/32"), Description: aws.String("six & seven")}, {CidrIpv6: aws.String("::/0")}}
	web.PrefixListIds = []types.PrefixListId{{PrefixListId: aws.String("pl-6"), Description: aws.String("a list")}}
	web.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: &ids.db, UserId: aws.String(Account), Description: aws.String("the database")}, {GroupId: &ids.far}}
	ssh.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: &ids.web}}
	ping, any6, all, esp := permission("icmp", 8, -1), permission("58", -1, -1), permission("-1", 1, 2), types.IpPermission{IpProtocol: aws.String("50")}
	ping.IpRanges = []types.IpRange{{CidrIp: aws.String("10.0.0.0/8")}}
	any6.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: aws.String("fe80::/10")}}
	all.IpRanges = []types.IpRange{{CidrIp: aws.String("203.0.113.7/32"), Description: aws.String("all of it")}}
	esp.IpRanges = []types.IpRange{{CidrIp: aws.String("198.51.100.0/24")}}
	return []types.IpPermission{web, ssh, ping, any6, all, esp}
}

// open returns a permission with one range.
func open(protocol string, from, to int32, cidr, description string) []types.IpPermission {
	one := permission(protocol, from, to)
	one.IpRanges = []types.IpRange{{CidrIp: &cidr, Description: &description}}
	return []types.IpPermission{one}
}

// many returns a permission with different ranges.
func many(count int) []types.IpPermission {
	one := permission("tcp", 1, 1)
	for i := range count {
		one.IpRanges = append(one.IpRanges, types.IpRange{CidrIp: aws.String(fmt.Sprintf("10.0.%d.0/24", i))})
	}
	return []types.IpPermission{one}
}

// scenario is a sequence of calls. All but the last must succeed.
type scenario struct {
	name    string
	prepare func(*World, *Client)
	calls   []any
	// want is the error code of the last call, "cut" if it has no answer.
	want string
}

func scenarios(ids groupIDs) []scenario {
	cidr := open("tcp", 80, 80, "0.0.0.0/0", "x")
	list, listIn6 := permission("tcp", 443, 443), permission("tcp", 443, 443)
	list.PrefixListIds = []types.PrefixListId{{PrefixListId: aws.String("pl-1")}}
	listIn6.PrefixListIds = []types.PrefixListId{{PrefixListId: aws.String("pl-none")}}
	pair := func(id, description string) []types.IpPermission {
		one := permission("tcp", 1, 2)
		one.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: &id, Description: &description}}
		return []types.IpPermission{one}
	}
	create := func(name, description, vpcID string, tags ...types.Tag) *ec2.CreateSecurityGroupInput {
		return &ec2.CreateSecurityGroupInput{GroupName: &name, Description: &description, VpcId: &vpcID, TagSpecifications: tagged(types.ResourceTypeSecurityGroup, tags...)}
	}
	in := func(permissions []types.IpPermission) *ec2.AuthorizeSecurityGroupIngressInput {
		return &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &ids.web, IpPermissions: permissions}
	}
	out := func(permissions []types.IpPermission) *ec2.AuthorizeSecurityGroupEgressInput {
		return &ec2.AuthorizeSecurityGroupEgressInput{GroupId: &ids.web, IpPermissions: permissions}
	}
	groups := func(filters ...types.Filter) *ec2.DescribeSecurityGroupsInput {
		return &ec2.DescribeSecurityGroupsInput{Filters: filters}
	}
	interfaces := func(filters ...types.Filter) *ec2.DescribeNetworkInterfacesInput {
		return &ec2.DescribeNetworkInterfacesInput{Filters: filters}
	}
	rules := func(filters ...types.Filter) *ec2.DescribeSecurityGroupRulesInput {
		return &ec2.DescribeSecurityGroupRulesInput{Filters: filters}
	}
	byID := func(ruleIDs ...string) *ec2.DescribeSecurityGroupRulesInput {
		return &ec2.DescribeSecurityGroupRulesInput{SecurityGroupRuleIds: ruleIDs}
	}
	label := func(id string, tags ...types.Tag) *ec2.CreateTagsInput {
		return &ec2.CreateTagsInput{Resources: []string{id}, Tags: tags}
	}
	remove := func(id string) *ec2.DeleteSecurityGroupInput { return &ec2.DeleteSecurityGroupInput{GroupId: &id} }
	numbered := func(from, to int) []types.Tag {
		var tags []types.Tag
		for i := from; i < to; i++ {
			tags = append(tags, tag(fmt.Sprint("k", i), fmt.Sprint(i)))
		}
		return tags
	}
	broken := func(fault Fault) func(*World, *Client) { return func(_ *World, c *Client) { c.FailAt(1, fault) } }
	denied := func(code string) func(*World, *Client) { return broken(Fault{Err: NewError(code, awkward)}) }

	return append(moreScenarios(ids), []scenario{
		{name: "create with tags", calls: []any{create(" New & b ", " by & by #1 ", "vpc-1", tag("Name", "new"), tag("odd", awkward), tag("nothing", "")), create("bare", "d", "vpc-default"), groups()}},
		{name: "create two kinds of tags", calls: []any{&ec2.CreateSecurityGroupInput{
			GroupName: aws.String("n"), Description: aws.String("d"), VpcId: aws.String("vpc-2"),
			TagSpecifications: append(tagged(types.ResourceTypeSecurityGroup, tag("a", "1"), tag("b", "2")), tagged(types.ResourceTypeSecurityGroup, tag("c", "3"))...),
		}}},
		{name: "create with a bad name", calls: []any{create("a<b>&\"c'\nd", "d", "vpc-1")}, want: "InvalidParameterValue"},
		{name: "create with a bad text", calls: []any{create("n", "ü", "vpc-1")}, want: "InvalidParameterValue"},
		{name: "create like an ID", calls: []any{create("sg-n", "d", "vpc-1")}, want: "InvalidParameterValue"},
		{name: "create in no VPC", calls: []any{create("n", "d", "vpc-<none>")}, want: "InvalidVpcID.NotFound"},
		{name: "create with a tag of no name", calls: []any{create("n", "d", "vpc-1", tag("a", ""), tag("", "b"))}, want: "InvalidParameterValue"},
		{name: "create with AWS's tag", calls: []any{create("n", "d", "vpc-1", tag("aws:x", "1"))}, want: "InvalidParameterValue"},
		{name: "create with too many tags", calls: []any{create("n", "d", "vpc-1", numbered(0, maxTags+1)...)}, want: "TagLimitExceeded"},
		{name: "create twice", calls: []any{create("WEB", "d", "vpc-1")}, want: "InvalidGroup.Duplicate"},
		{name: "create too many", prepare: func(w *World, _ *Client) { w.GroupQuota = 10 }, calls: []any{create("n", "d", "vpc-1"), create("m", "d", "vpc-1")}, want: "SecurityGroupLimitExceeded"},

		{name: "describe all", calls: []any{&ec2.DescribeSecurityGroupsInput{}}},
		{name: "describe some", calls: []any{&ec2.DescribeSecurityGroupsInput{GroupIds: []string{ids.db, ids.web}}}},
		{name: "describe by filters", calls: []any{
			in(everything(ids)), out(everything(ids)), groups(filter("tag:Name", "web", "db"), filter("vpc-id", "vpc-1")), groups(filter("tag-key", "odd")),
			groups(filter("tag:odd", awkward)), groups(filter("group-id", ids.db, ids.far)), groups(filter("group-name", "home")),
			groups(filter("ip-permission.group-id", ids.db)), groups(filter("egress.ip-permission.group-id", ids.far)),
		}},
		{name: "describe none", calls: []any{groups(filter("group-name", "none")), groups(filter("group-name")), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{}, Filters: []types.Filter{}}}},
		{name: "describe in pages", prepare: func(w *World, _ *Client) { w.PageSize = 2 }, calls: []any{&ec2.DescribeSecurityGroupsInput{MaxResults: aws.Int32(5)}, groups(filter("vpc-id", "vpc-1"))}},
		{name: "describe in pages of five", calls: []any{&ec2.DescribeSecurityGroupsInput{MaxResults: aws.Int32(5)}}},
		{name: "describe by an unknown filter", calls: []any{groups(filter("<x>", "1"))}, want: "InvalidParameterValue"},
		{name: "describe too few", calls: []any{&ec2.DescribeSecurityGroupsInput{MaxResults: aws.Int32(4)}}, want: "InvalidParameterValue"},
		{name: "describe with an invalid token", calls: []any{&ec2.DescribeSecurityGroupsInput{NextToken: aws.String("a+b&c=d")}}, want: "InvalidParameterValue"},
		{name: "describe a malformed ID", calls: []any{&ec2.DescribeSecurityGroupsInput{GroupIds: []string{"<web>"}}}, want: "InvalidGroupId.Malformed"},
		{name: "describe an unknown group", calls: []any{&ec2.DescribeSecurityGroupsInput{GroupIds: []string{ids.db, "sg-none"}}}, want: "InvalidGroup.NotFound"},

		{name: "describe interfaces", calls: []any{interfaces(), interfaces(filter("group-id", ids.web, ids.db)), interfaces(filter("group-id", ids.db))}},
		{name: "describe interfaces in pages", prepare: func(w *World, _ *Client) { w.PageSize = 1 }, calls: []any{&ec2.DescribeNetworkInterfacesInput{MaxResults: aws.Int32(1000)}}},
		{name: "describe interfaces by an unknown filter", calls: []any{interfaces(filter("x", "1"))}, want: "InvalidParameterValue"},

		{name: "tag", calls: []any{&ec2.CreateTagsInput{Resources: []string{ids.web, ids.db}, Tags: []types.Tag{tag("odd", "even"), tag("new", awkward), tag("gone", "")}}, groups()}},
		{name: "tag too much", calls: []any{label(ids.lone, numbered(0, 30)...), label(ids.lone, numbered(20, 60)...)}, want: "TagLimitExceeded"},
		{name: "tag too long", calls: []any{label(ids.web, tag("k", strings.Repeat("x", maxTagText+1)))}, want: "InvalidParameterValue"},
		{name: "tag an unknown group", calls: []any{&ec2.CreateTagsInput{Resources: []string{ids.web, "sg-none"}, Tags: []types.Tag{tag("a", "b")}}}, want: "InvalidGroup.NotFound"},
		{name: "tag a newborn group", prepare: func(w *World, _ *Client) { w.Newborn = time.Hour }, calls: []any{create("n", "d", "vpc-1"), label(ids.web, tag("a", "b"))}, want: "InvalidGroup.NotFound"},

		{name: "untag", calls: []any{
			&ec2.DeleteTagsInput{Resources: []string{ids.web, ids.db}, Tags: []types.Tag{{Key: aws.String("odd")}, tag("Name", "web"), {Key: aws.String("none")}}}, groups(),
		}},
		{name: "untag an unknown group", calls: []any{&ec2.DeleteTagsInput{Resources: []string{ids.web, "sg-none"}, Tags: []types.Tag{{Key: aws.String("odd")}}}}, want: "InvalidGroup.NotFound"},

		{name: "list rules", calls: []any{
			&ec2.AuthorizeSecurityGroupIngressInput{GroupId: &ids.web, IpPermissions: everything(ids), TagSpecifications: tagged(types.ResourceTypeSecurityGroupRule, tag("rule", awkward), tag("empty", ""))},
			out(everything(ids)), rules(), rules(filter("group-id", ids.web, ids.far), filter("tag:rule", awkward)), rules(filter("security-group-rule-id", ids.rule, "sgr-none")),
			byID(ids.rule), rules(filter("tag:none", "")),
		}},
		{name: "list rules in pages", prepare: func(w *World, _ *Client) { w.PageSize = 2 }, calls: []any{&ec2.DescribeSecurityGroupRulesInput{MaxResults: aws.Int32(1000)}}},
		{name: "list rules by an unknown filter", calls: []any{rules(filter("tag-key", "1"))}, want: "InvalidParameterValue"},
		{name: "list too few rules", calls: []any{&ec2.DescribeSecurityGroupRulesInput{MaxResults: aws.Int32(4)}}, want: "InvalidParameterValue"},
		{name: "list a malformed rule ID", calls: []any{byID(ids.rule, ids.web)}, want: "InvalidSecurityGroupRuleId.Malformed"},
		{name: "list an unknown rule", calls: []any{byID(ids.rule, "sgr-none")}, want: "InvalidSecurityGroupRuleId.NotFound"},
		{name: "tag rules and groups", calls: []any{
			&ec2.CreateTagsInput{Resources: []string{ids.rule, ids.web}, Tags: []types.Tag{tag("new", awkward), tag("empty", ""), tag("old", "1")}}, rules(), groups(),
			&ec2.DeleteTagsInput{Resources: []string{ids.web, ids.rule}, Tags: []types.Tag{{Key: aws.String("new")}, tag("empty", ""), tag("old", "2")}}, rules(), groups(),
			&ec2.DeleteTagsInput{Resources: []string{ids.rule}}, rules(),
		}},
		{name: "tag an unknown rule", calls: []any{&ec2.CreateTagsInput{Resources: []string{ids.web, "sgr-none"}, Tags: []types.Tag{tag("a", "b")}}}, want: "InvalidSecurityGroupRuleId.NotFound"},
		{name: "untag an unknown rule", calls: []any{&ec2.DeleteTagsInput{Resources: []string{ids.web, "sgr-none"}, Tags: []types.Tag{tag("a", "b")}}}, want: "InvalidSecurityGroupRuleId.NotFound"},
		{name: "tag a rule too long", calls: []any{label(ids.rule, tag("k", strings.Repeat("x", maxTagText+1)))}, want: "InvalidParameterValue"},
		{name: "authorize with tags of a group", calls: []any{&ec2.AuthorizeSecurityGroupIngressInput{GroupId: &ids.web, IpPermissions: cidr, TagSpecifications: tagged(types.ResourceTypeSecurityGroup, tag("a", "b"))}}, want: "InvalidParameterValue"},

		{name: "describe VPCs", calls: []any{&ec2.DescribeVpcsInput{}, &ec2.DescribeVpcsInput{Filters: []types.Filter{filter("vpc-id", "vpc-1", "vpc-x")}}}},
		{name: "describe VPCs in pages", prepare: func(w *World, _ *Client) { w.PageSize = 1 }, calls: []any{&ec2.DescribeVpcsInput{MaxResults: aws.Int32(1000)}}},
		{name: "describe VPCs by an unknown filter", calls: []any{&ec2.DescribeVpcsInput{Filters: []types.Filter{filter("x", "1")}}}, want: "InvalidParameterValue"},
		{name: "describe prefix lists", calls: []any{
			&ec2.DescribeManagedPrefixListsInput{}, &ec2.DescribeManagedPrefixListsInput{Filters: []types.Filter{filter("prefix-list-id", "pl-6")}},
			&ec2.DescribeManagedPrefixListsInput{Filters: []types.Filter{filter("prefix-list-name", "six", "seven")}},
		}},
		{name: "describe prefix lists in pages", prepare: func(w *World, _ *Client) { w.PageSize = 1 }, calls: []any{&ec2.DescribeManagedPrefixListsInput{MaxResults: aws.Int32(100)}}},
		{name: "describe prefix lists by an unknown filter", calls: []any{&ec2.DescribeManagedPrefixListsInput{Filters: []types.Filter{filter("x", "1")}}}, want: "InvalidParameterValue"},

		{name: "authorize", calls: []any{
			&ec2.AuthorizeSecurityGroupIngressInput{GroupId: &ids.web, IpPermissions: everything(ids), TagSpecifications: tagged(types.ResourceTypeSecurityGroupRule, tag("rule", awkward))},
			&ec2.AuthorizeSecurityGroupEgressInput{GroupId: &ids.web, IpPermissions: everything(ids), TagSpecifications: tagged(types.ResourceTypeSecurityGroupRule, tag("rule", awkward))},
			groups(),
		}},
		{name: "authorize nothing", calls: []any{in(nil), out([]types.IpPermission{})}},
		{name: "authorize twice", calls: []any{in(cidr), in(cidr)}, want: "InvalidPermission.Duplicate"},
		{name: "authorize the default again", calls: []any{out(open("-1", -1, -1, "0.0.0.0/0", ""))}, want: "InvalidPermission.Duplicate"},
		{name: "authorize the same at once", calls: []any{in(append(open("tcp", 80, 80, "10.1.2.3/8", ""), open("6", 80, 80, "10.0.0.0/8", "other")...))}, want: "InvalidParameterValue"},
		{name: "authorize too much", calls: []any{in(many(60)), in(open("udp", 1, 1, "10.0.0.0/8", ""))}, want: "RulesPerSecurityGroupLimitExceeded"},
		{name: "authorize a list with a large weight", calls: []any{in([]types.IpPermission{list}), in(many(6))}, want: "RulesPerSecurityGroupLimitExceeded"},
		{name: "authorize with tags of AWS", calls: []any{&ec2.AuthorizeSecurityGroupIngressInput{GroupId: &ids.web, IpPermissions: cidr, TagSpecifications: tagged(types.ResourceTypeSecurityGroupRule, tag("aws:", ""))}}, want: "InvalidParameterValue"},
		{name: "authorize with a bad description", calls: []any{in(open("tcp", 80, 80, "0.0.0.0/0", "a<b>&\"c\""))}, want: "InvalidParameterValue"},
		{name: "authorize a group with an ampersand", calls: []any{in(pair(ids.db, "a & b"))}, want: "InvalidParameterValue"},
		{name: "authorize a bad range", calls: []any{in(open("tcp", 80, 80, "10.0.0.0/33", ""))}, want: "InvalidParameterValue"},
		{name: "authorize without ports", calls: []any{in([]types.IpPermission{{IpProtocol: aws.String("tcp"), IpRanges: cidr[0].IpRanges}})}, want: "InvalidParameterValue"},
		{name: "authorize ports in reverse order", calls: []any{in(open("tcp", 80, 79, "10.0.0.0/8", ""))}, want: "InvalidParameterValue"},
		{name: "authorize an unknown protocol", calls: []any{in(open("<tcp>", 80, 80, "10.0.0.0/8", ""))}, want: "InvalidParameterValue"},
		{name: "authorize a bad ICMP code", calls: []any{out(open("icmp", -1, 3, "10.0.0.0/8", ""))}, want: "InvalidParameterValue"},
		{name: "authorize an unknown list", calls: []any{in([]types.IpPermission{listIn6})}, want: "InvalidPrefixListID.NotFound"},
		{name: "authorize an unknown group", calls: []any{in(pair("sg-none", ""))}, want: "InvalidGroup.NotFound"},
		{name: "authorize a malformed group ID", calls: []any{in(pair("&", ""))}, want: "InvalidGroupId.Malformed"},
		{name: "authorize a group of an unconnected VPC", calls: []any{in(pair(ids.lone, ""))}, want: "InvalidGroup.NotFound"},

		{name: "revoke", calls: []any{
			in(everything(ids)), out(everything(ids)),
			&ec2.RevokeSecurityGroupIngressInput{GroupId: &ids.web, IpPermissions: everything(ids)[1:]}, groups(),
			&ec2.RevokeSecurityGroupEgressInput{GroupId: &ids.web, IpPermissions: everything(ids)[:1]}, groups(),
			&ec2.RevokeSecurityGroupEgressInput{GroupId: &ids.db, IpPermissions: open("-1", -1, -1, "0.0.0.0/0", "")}, groups(),
		}},
		{name: "revoke in the default VPC", calls: []any{
			&ec2.RevokeSecurityGroupIngressInput{GroupId: &ids.home, IpPermissions: append(open("tcp", 80, 80, "10.0.0.0/8", "a & b"), open("tcp", 80, 80, "0.0.0.0/0", "")...)},
			&ec2.RevokeSecurityGroupEgressInput{GroupId: &ids.home, IpPermissions: append(open("icmp", 3, 4, "10.0.0.0/8", ""), open("-1", -1, -1, "0.0.0.0/0", "")...)},
			groups(),
		}},
		{name: "revoke an unknown rule", calls: []any{&ec2.RevokeSecurityGroupIngressInput{GroupId: &ids.web, IpPermissions: cidr}}, want: "InvalidPermission.NotFound"},
		{name: "revoke an unknown egress rule", calls: []any{&ec2.RevokeSecurityGroupEgressInput{GroupId: &ids.web, IpPermissions: cidr}}, want: "InvalidPermission.NotFound"},
		{name: "revoke from no group", calls: []any{&ec2.RevokeSecurityGroupIngressInput{GroupId: aws.String("sg-none"), IpPermissions: cidr}}, want: "InvalidGroup.NotFound"},

		{name: "describe rules", calls: []any{
			in(everything(ids)), in(cidr), out(cidr),
			&ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{GroupId: &ids.web, IpPermissions: append(pairWithout(everything(ids)[0]), open("tcp", 80, 80, "0.0.0.0/0", "now & then")...)},
			&ec2.UpdateSecurityGroupRuleDescriptionsEgressInput{GroupId: &ids.web, IpPermissions: open("tcp", 80, 80, "0.0.0.0/0", "")}, groups(),
		}},
		{name: "describe an unknown rule", calls: []any{&ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{GroupId: &ids.web, IpPermissions: cidr}}, want: "InvalidPermission.NotFound"},
		{name: "describe an unknown egress rule", calls: []any{&ec2.UpdateSecurityGroupRuleDescriptionsEgressInput{GroupId: &ids.web, IpPermissions: cidr}}, want: "InvalidPermission.NotFound"},
		{name: "describe a rule badly", calls: []any{in(cidr), &ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{GroupId: &ids.web, IpPermissions: open("tcp", 80, 80, "0.0.0.0/0", "<")}}, want: "InvalidParameterValue"},

		{name: "delete", calls: []any{remove(ids.db), groups()}},
		{name: "delete a group in use", calls: []any{remove(ids.web)}, want: "DependencyViolation"},
		{name: "delete a group that a rule names", calls: []any{in(pair(ids.db, "")), remove(ids.db)}, want: "DependencyViolation"},
		{name: "delete the default", calls: []any{remove(ids.standard)}, want: "CannotDelete"},
		{name: "delete twice", calls: []any{remove(ids.db), remove(ids.db)}, want: "InvalidGroup.NotFound"},

		{name: "not allowed", prepare: broken(Fault{Err: Unauthorized("DeleteSecurityGroup")}), calls: []any{remove(ids.db)}, want: "UnauthorizedOperation"},
		{name: "too many calls", prepare: func(w *World, _ *Client) { w.Throttles = true }, calls: slices.Repeat([]any{in(nil)}, 51), want: "RequestLimitExceeded"},
		{name: "throttled", prepare: denied("RequestLimitExceeded"), calls: []any{in(cidr)}, want: "RequestLimitExceeded"},
		{name: "internal error", prepare: denied("InternalError"), calls: []any{groups()}, want: "InternalError"},
		{name: "unavailable", prepare: denied("Unavailable"), calls: []any{create("n", "d", "vpc-1")}, want: "Unavailable"},
		{name: "failed after taking effect", prepare: broken(Fault{Err: NewError("InternalError", "no"), Lost: true}), calls: []any{create("n", "d", "vpc-1")}, want: "InternalError"},
		{name: "lost", prepare: broken(Fault{Lost: true}), calls: []any{create("n", "d", "vpc-1")}, want: "cut"},
		{name: "cut", prepare: broken(Fault{Cut: true}), calls: []any{create("n", "d", "vpc-1")}, want: "cut"},
		{name: "cut with an answer on the way", prepare: func(_ *World, c *Client) { c.FailAt(2, Fault{Cut: true, Lost: true}) }, calls: []any{in(cidr), out(cidr)}, want: "cut"},
		{name: "broken line", prepare: broken(Fault{Err: ErrCut}), calls: []any{in(cidr)}, want: "cut"},
	}...)
}

// pairWithout returns a permission without the descriptions of its groups.
func pairWithout(one types.IpPermission) []types.IpPermission {
	one.UserIdGroupPairs = slices.Clone(one.UserIdGroupPairs)
	for i := range one.UserIdGroupPairs {
		one.UserIdGroupPairs[i].Description = nil
	}
	return []types.IpPermission{one}
}

// result is what a scenario returned and left behind, as text.
type result struct {
	Answers       []string
	Code, Message string
	Calls         []string
	World         string

	answers []any
	err     error
}

// run makes the calls of a scenario, and follows the tokens of pages.
func runScenario(t *testing.T, one scenario, access func(*Client) any) result {
	t.Helper()
	w := &World{}
	populate(t, w)
	client := w.Client("caller")
	if one.prepare != nil {
		one.prepare(w, client)
	}
	var got result
	caller := access(client)
	for i := 0; i < len(one.calls) && got.err == nil; i++ {
		for in := one.calls[i]; in != nil && got.err == nil; {
			var answer any
			answer, got.err = invoke(t.Context(), caller, in)
			if got.err == nil {
				got.answers, got.Answers = append(got.answers, answer), append(got.Answers, plain(printed(answer)))
				in = following(in, answer)
			}
		}
		if got.err != nil && i < len(one.calls)-1 {
			t.Fatalf("call %d of %d fails: %v", i+1, len(one.calls), got.err)
		}
	}
	got.Code, got.Message = failure(got.err)
	for _, call := range w.Calls() {
		got.Calls = append(got.Calls, plain(call.String()))
	}
	got.World = w.String()
	return got
}

// plain removes empty lists: EC2 writes them and the methods do not. The SDK reads them but does
// not write them.
func plain(text string) string { return emptyLists.ReplaceAllString(text, "") }

var emptyLists = regexp.MustCompile(`"[A-Za-z0-9]+":\[\],?|,"[A-Za-z0-9]+":\[\]`)

func operation(in any) string {
	return strings.TrimSuffix(reflect.TypeOf(in).Elem().Name(), "Input")
}

// invoke calls the caller's method that takes an input.
func invoke(ctx context.Context, caller, in any) (any, error) {
	results := reflect.ValueOf(caller).MethodByName(operation(in)).Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(in)})
	if err, failed := reflect.TypeAssert[error](results[1]); failed {
		return nil, err
	}
	return results[0].Interface(), nil
}

// following returns the input for the next page after an answer, or nil.
func following(in, answer any) any {
	token := reflect.ValueOf(answer).Elem().FieldByName("NextToken")
	if !token.IsValid() || token.IsNil() {
		return nil
	}
	next := reflect.New(reflect.TypeOf(in).Elem())
	next.Elem().Set(reflect.ValueOf(in).Elem())
	next.Elem().FieldByName("NextToken").Set(token)
	return next.Interface()
}

func failure(err error) (code, message string) {
	var refused interface {
		ErrorCode() string
		ErrorMessage() string
	}
	switch {
	case err == nil:
		return "", ""
	case errors.As(err, &refused):
		return refused.ErrorCode(), refused.ErrorMessage()
	default:
		return "cut", ""
	}
}

func byMethods(c *Client) any { return c }

func inProcess(c *Client) any { return sdkClient(c.RoundTripper(), nil) }

func TestWireMatchesMethods(t *testing.T) {
	t.Parallel()
	for _, one := range scenarios(populate(t, &World{})) {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			var want, got result
			// The clock stands still in the bubble, so that throttling does not depend on it.
			synctest.Test(t, func(t *testing.T) {
				want = runScenario(t, one, byMethods)
				got = runScenario(t, one, inProcess)
			})
			if want.Code != one.want {
				t.Fatalf("the scenario ends with %q, want %q: %v", want.Code, one.want, want.err)
			}
			if one.want == "cut" && (!errors.Is(want.err, ErrCut) || !errors.Is(got.err, ErrCut)) {
				t.Errorf("the errors are %v and %v", want.err, got.err)
			}
			same(t, "in process", want, got)
			if one.name == "too many calls" {
				return // depends on the real clock
			}
			got = runScenario(t, one, func(c *Client) any { return overListener(t, c) })
			same(t, "over a listener", want, got)
			if one.want == "cut" && !errors.Is(got.err, io.EOF) {
				t.Errorf("the error over a listener is %v", got.err)
			}
		})
	}
}

func same(t *testing.T, access string, want, got result) {
	t.Helper()
	if printed(want) != printed(got) {
		t.Errorf("the method returns\n%s\nthe SDK %s returns\n%s", printed(want), access, printed(got))
	}
}

// TestScenariosAreComplete checks that the scenarios cover the API. Every operation succeeds in
// one, every field of every shape is used in one, and every error code ends one.
func TestScenariosAreComplete(t *testing.T) {
	t.Parallel()
	ended, used := map[string]bool{}, map[string]bool{}
	succeeded := map[string]bool{}
	for _, one := range scenarios(populate(t, &World{})) {
		var got result
		synctest.Test(t, func(t *testing.T) { got = runScenario(t, one, byMethods) })
		ended[got.Code] = true
		for _, in := range one.calls {
			note(used, reflect.ValueOf(in))
			succeeded[operation(in)] = succeeded[operation(in)] || one.want == ""
		}
		for _, answer := range got.answers {
			note(used, reflect.ValueOf(answer))
		}
	}
	for method := range reflect.TypeFor[*Client]().Methods() {
		if takesContext(method.Type) && !succeeded[method.Name] {
			t.Errorf("no scenario calls %s", method.Name)
		}
	}
	for shape, entries := range shapes {
		for entry := range strings.FieldsSeq(entries) {
			field, _, _ := strings.Cut(entry, ":")
			if name := shape + "." + field; !used[name] && field != "DryRun" && !strings.HasSuffix(name, "Input.NextToken") {
				t.Errorf("no scenario has %s", name)
			}
		}
	}
	for _, code := range codes(t) {
		if !ended[code] {
			t.Errorf("no scenario ends with %s", code)
		}
	}
}

func takesContext(method reflect.Type) bool {
	return method.NumIn() > 1 && method.In(1) == reflect.TypeFor[context.Context]()
}

// note records the fields that are set.
func note(used map[string]bool, value reflect.Value) {
	switch value.Kind() {
	case reflect.Pointer:
		if !value.IsNil() {
			note(used, value.Elem())
		}
	case reflect.Struct:
		for i := range value.NumField() {
			if field := value.Field(i); !field.IsZero() {
				used[value.Type().Name()+"."+value.Type().Field(i).Name] = true
				note(used, field)
			}
		}
	case reflect.Slice:
		for i := range value.Len() {
			note(used, value.Index(i))
		}
	default:
	}
}

// codes reads the error codes of the calls from the source. It omits those of the wire itself, and
// one that no call returns.
func codes(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := file.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") && name != "wire.go" {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range regexp.MustCompile(`fail\("([A-Za-z.]+)"`).FindAllStringSubmatch(string(text), -1) {
				found[match[1]] = true
			}
		}
	}
	delete(found, "SecurityGroupsPerInterfaceLimitExceeded") // only World.Attach returns it
	if len(found) < 10 {
		t.Fatalf("found only %v", found)
	}
	return slices.Sorted(maps.Keys(found))
}

// post sends a form. It returns the status and the body.
func post(t *testing.T, client *Client, form string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://ec2/", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := client.RoundTripper().RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if request.Form != nil || request.PostForm != nil {
		t.Error("the caller's request was changed")
	}
	return response.StatusCode, string(body)
}

// errorText returns EC2's answer to a request that it refuses.
func errorText(code, message string) string {
	return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>" + code + "</Code><Message>" + message +
		"</Message></Error></Errors><RequestID>00000000-0000-0000-0000-000000000000</RequestID></Response>"
}

// TestRuleXMLMatchesEC2 compares the exact XML of a listed rule.
func TestRuleXMLMatchesEC2(t *testing.T) {
	t.Parallel()
	w := &World{}
	ids := populate(t, w)
	for _, group := range []string{"from db", "to pl"} {
		one := permission("tcp", 443, 443)
		one.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: &ids.db, Description: &group}}
		if group == "to pl" {
			one.UserIdGroupPairs, one.PrefixListIds = nil, []types.PrefixListId{{PrefixListId: aws.String("pl-1")}}
		}
		_, err := w.Client("builder").AuthorizeSecurityGroupIngress(t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{
			GroupId: &ids.far, IpPermissions: []types.IpPermission{one}, TagSpecifications: tagged(types.ResourceTypeSecurityGroupRule, tag("rule", group)),
		})
		if err != nil {
			t.Fatal(err)
		}
		form := url.Values{"Action": {"DescribeSecurityGroupRules"}, "Version": {"2016-11-15"}, "Filter.1.Name": {"tag:rule"}, "Filter.1.Value.1": {group}}
		status, text := post(t, w.Client("caller"), form.Encode())
		text = regexp.MustCompile("sgr-0[0-9a-f]{16}<").ReplaceAllString(text, "sgr-ID<")
		_, text, _ = strings.Cut(text, "</requestId>")
		description, peer := "<description>"+group+"</description>", "<referencedGroupInfo><groupId>"+ids.db+"</groupId><userId>123456789012</userId></referencedGroupInfo>"
		if group == "to pl" {
			description, peer = "", "<prefixListId>pl-1</prefixListId>"
		}
		want := "<securityGroupRuleSet><item>" + description + "<fromPort>443</fromPort><groupId>" + ids.far + "</groupId><groupOwnerId>123456789012</groupOwnerId><ipProtocol>tcp</ipProtocol><isEgress>false</isEgress>" +
			peer + "<securityGroupRuleId>sgr-ID</securityGroupRuleId><tagSet><item><key>rule</key><value>" + group + "</value></item></tagSet><toPort>443</toPort></item></securityGroupRuleSet></DescribeSecurityGroupRulesResponse>"
		if status != http.StatusOK || text != want {
			t.Errorf("status %d\n%s\nwant\n%s", status, text, want)
		}
	}
}

func TestRequestsThatEC2Refuses(t *testing.T) {
	t.Parallel()
	const describe, authorize = "Action=DescribeSecurityGroups&Version=2016-11-15", "Action=AuthorizeSecurityGroupIngress&Version=2016-11-15"
	tests := []struct{ form, code, message string }{
		{"", "MissingAction", "The request is missing an action."},
		{"Version=2016-11-15", "MissingAction", "The request is missing an action."},
		{"Action=<Nope>&Version=2016-11-15", "InvalidAction", "The action &lt;Nope&gt; is not valid for this web service."},
		{"Action=DeleteVpc&Version=2016-11-15", "InvalidAction", "The action DeleteVpc is not valid for this web service."},
		{"Action=Forget&Version=2016-11-15", "InvalidAction", "The action Forget is not valid for this web service."},
		{"Action=DescribeSecurityGroups", "NoSuchVersion", "The requested version () of service AmazonEC2 does not exist"},
		{"Action=DescribeSecurityGroups&Version=2015-01-01", "NoSuchVersion", "The requested version (2015-01-01) of service AmazonEC2 does not exist"},
		{describe + "&Nope=1", "UnknownParameter", "The parameter Nope is not recognized"},
		{describe + "&GroupName.1=web", "UnknownParameter", "The parameter GroupName.1 is not recognized"},
		{describe + "&groupId.1=sg-1", "UnknownParameter", "The parameter groupId.1 is not recognized"},
		{describe + "&GroupId.1=sg-1&GroupId.3=sg-3", "UnknownParameter", "The parameter GroupId.3 is not recognized"},
		{describe + "&GroupId.0=sg-1", "UnknownParameter", "The parameter GroupId.0 is not recognized"},
		{describe + "&GroupId=sg-1", "UnknownParameter", "The parameter GroupId is not recognized"},
		{describe + "&GroupId.1.Name=sg-1", "UnknownParameter", "The parameter GroupId.1.Name is not recognized"},
		{describe + "&NextToken=1&NextToken.1=1", "UnknownParameter", "The parameter NextToken.1 is not recognized"},
		{authorize + "&GroupId=sg-1&CidrIp=10.0.0.0/8", "UnknownParameter", "The parameter CidrIp is not recognized"},
		{authorize + "&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8&IpPermissions.1.IpRanges.1.Nope=1", "UnknownParameter", "The parameter IpPermissions.1.IpRanges.1.Nope is not recognized"},
		{"Action=RevokeSecurityGroupEgress&Version=2016-11-15&GroupId=sg-1&SecurityGroupRuleId.1=sgr-1", "UnknownParameter", "The parameter SecurityGroupRuleId.1 is not recognized"},
		{"Action=DescribeNetworkInterfaces&Version=2016-11-15&NetworkInterfaceId.1=eni-1", "UnknownParameter", "The parameter NetworkInterfaceId.1 is not recognized"},
		{authorize + "&IpPermissions.1.Groups.1.VpcId=vpc-1", "UnknownParameter", "The parameter IpPermissions.1.Groups.1.VpcId is not recognized"},
		{describe + "&MaxResults=many", "InvalidParameterValue", "Value (many) for parameter MaxResults is invalid. Expected an integer."},
		{describe + "&MaxResults=4294967301", "InvalidParameterValue", "Value (4294967301) for parameter MaxResults is invalid. Expected an integer."},
		{describe + "&DryRun=yes", "InvalidParameterValue", "Value (yes) for parameter DryRun is invalid. Expected a boolean."},
		{describe + "&MaxResults=5&MaxResults=6", "MalformedQueryString", "The parameter MaxResults is given more than once"},
		{describe + "&NextToken=%zz", "MalformedQueryString", "The query string contains a syntax error: invalid URL escape &#34;%zz&#34;"},
	}
	for _, test := range tests {
		w := &World{}
		populate(t, w)
		client := w.Client("caller")
		status, text := post(t, client, test.form)
		if want := errorText(test.code, test.message); status != http.StatusBadRequest || text != want {
			t.Errorf("%s: status %d\n%s\nwant\n%s", test.form, status, text, want)
		}
		if client.Count() != 0 {
			t.Errorf("%s: the request counts as a call", test.form)
		}
	}
}

func TestDryRunsHaveNoEffect(t *testing.T) {
	t.Parallel()
	w := &World{}
	all := scenarios(populate(t, w))
	client, before := w.Client("caller"), w.String()
	caller := inProcess(client)
	for _, one := range all {
		in := reflect.New(reflect.TypeOf(one.calls[0]).Elem())
		in.Elem().Set(reflect.ValueOf(one.calls[0]).Elem())
		in.Elem().FieldByName("DryRun").Set(reflect.ValueOf(aws.Bool(true)))
		_, err := invoke(t.Context(), caller, in.Interface())
		if code, message := failure(err); code != "DryRunOperation" || message != "Request would have succeeded, but DryRun flag is set." {
			t.Errorf("%s: %v", one.name, err)
		}
	}
	if client.Count() != 0 || w.String() != before {
		t.Errorf("%d calls counted; the world is\n%s", client.Count(), w)
	}
	if _, err := invoke(t.Context(), caller, &ec2.DescribeSecurityGroupsInput{DryRun: aws.Bool(false)}); err != nil {
		t.Errorf("no dry run: %v", err)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	w := &World{}
	populate(t, w)
	for code, want := range map[string]int{
		"InvalidParameterValue": 400, "UnauthorizedOperation": 403, "InternalError": 500, "RequestLimitExceeded": 503, "Unavailable": 503, "Nope": 400,
	} {
		client := w.Client("caller")
		client.FailAt(1, Fault{Err: fmt.Errorf("wrapped: %w", NewError(code, "a\r\n&lt;"))})
		status, text := post(t, client, "Action=DescribeSecurityGroups&Version=2016-11-15")
		if status != want || text != errorText(code, "a&#xD;&#xA;&amp;lt;") {
			t.Errorf("%s: status %d, not %d: %s", code, status, want, text)
		}
	}
	if status, text := post(t, w.Client("caller"), "Action=DescribeSecurityGroups&Version=2016-11-15&DryRun=true"); status != http.StatusPreconditionFailed {
		t.Errorf("a dry run: status %d: %s", status, text)
	}
}

// TestAnswerXMLMatchesEC2 compares exact XML, because the SDK ignores the case of names.
func TestAnswerXMLMatchesEC2(t *testing.T) {
	t.Parallel()
	w := &World{}
	ids := populate(t, w)
	client := w.Client("caller")
	form := url.Values{"Action": {"DescribeSecurityGroups"}, "Version": {"2016-11-15"}, "GroupId.1": {ids.db}}
	status, text := post(t, client, form.Encode())
	const head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%sResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>00000000-0000-0000-0000-000000000000</requestId>"
	peers := func(ranges, ranges6 string) string {
		return "<item><ipProtocol>-1</ipProtocol><ipRanges>" + ranges + "</ipRanges><ipv6Ranges>" + ranges6 + "</ipv6Ranges><prefixListIds></prefixListIds><groups></groups></item>"
	}
	want := fmt.Sprintf(head, "DescribeSecurityGroups") + "<securityGroupInfo><item><groupDescription>the db</groupDescription><groupId>" + ids.db + "</groupId><groupName>db</groupName>" +
		"<ipPermissions></ipPermissions><ipPermissionsEgress>" + peers("<item><cidrIp>0.0.0.0/0</cidrIp></item>", "<item><cidrIpv6>::/0</cidrIpv6></item>") + "</ipPermissionsEgress>" +
		"<ownerId>123456789012</ownerId><tagSet><item><key>Name</key><value>db</value></item></tagSet><vpcId>vpc-1</vpcId></item></securityGroupInfo></DescribeSecurityGroupsResponse>"
	if status != http.StatusOK || text != want {
		t.Errorf("status %d\n%s\nwant\n%s", status, text, want)
	}
	form = url.Values{"Action": {"DeleteSecurityGroup"}, "Version": {"2016-11-15"}, "GroupId": {ids.db}}
	_, text = post(t, client, form.Encode())
	if want = fmt.Sprintf(head, "DeleteSecurityGroup") + "<groupId>" + ids.db + "</groupId><return>true</return></DeleteSecurityGroupResponse>"; text != want {
		t.Errorf("%s\nwant\n%s", text, want)
	}
}

func TestAnswersWithUnknownFieldsFail(t *testing.T) {
	t.Parallel()
	err := writeFields(&bytes.Buffer{}, reflect.ValueOf(types.SecurityGroup{SecurityGroupArn: aws.String("arn")}))
	if code, message := failure(err); code != "InternalError" || message != "The wire has no name for types.SecurityGroup.SecurityGroupArn" {
		t.Errorf("an ARN: %v", err)
	}
}

// TestWireHonorsLatencyAndDeadlines compares methods and wire under a virtual clock: the duration
// of calls, callers that give up, and concurrent calls.
func TestWireHonorsLatencyAndDeadlines(t *testing.T) {
	t.Parallel()
	for name, access := range map[string]func(*Client) any{"method": byMethods, "in process": inProcess} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &World{Latency: time.Second}
				ids := populate(t, w)
				client, before, started := w.Client("caller"), w.String(), time.Now()
				caller := access(client)
				hasty, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				if _, err := invoke(hasty, caller, &ec2.DeleteSecurityGroupInput{GroupId: &ids.db}); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the impatient caller gets %v", err)
				}
				if took := time.Since(started); took != 300*time.Millisecond || client.Count() != 0 || w.String() != before {
					t.Errorf("the impatient caller waited %v, made %d calls, and left\n%s", took, client.Count(), w)
				}
				// The deadline takes precedence over a later answer.
				client.FailAt(1, Fault{Late: time.Second})
				late, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
				defer cancel()
				if _, err := invoke(late, caller, &ec2.DeleteSecurityGroupInput{GroupId: &ids.web}); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the caller with a late answer gets %v", err)
				}
				w.Forget()
				started = time.Now()
				var group sync.WaitGroup
				for i := range 3 {
					group.Go(func() {
						if _, err := invoke(t.Context(), caller, &ec2.CreateTagsInput{Resources: []string{ids.web}, Tags: []types.Tag{tag(fmt.Sprint(i), "x")}}); err != nil {
							t.Error(err)
						}
					})
				}
				group.Wait()
				if took := time.Since(started); took != time.Second || w.Widest() != 3 || w.Rounds() != 1 {
					t.Errorf("three calls took %v, %d concurrent, in %d rounds", took, w.Widest(), w.Rounds())
				}
			})
		})
	}
}

// TestListenerEndsAbandonedCalls checks with a real server that a hanging call ends when its caller
// no longer waits.
func TestListenerEndsAbandonedCalls(t *testing.T) {
	t.Parallel()
	w := &World{}
	ids := populate(t, w)
	client, before := w.Client("caller"), w.String()
	client.FailAt(1, Fault{Hang: time.Hour})
	ended := make(chan error, 1)
	w.After = func(call Call) { ended <- call.Err }
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := overListener(t, client).DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: &ids.db}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller gets %v", err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) || w.String() != before {
			t.Errorf("the call ended with %v and left\n%s", err, w)
		}
	case <-time.After(10 * time.Second):
		t.Error("the call still hangs")
	}
}

func TestPanicReachesCaller(t *testing.T) {
	t.Parallel()
	w := &World{}
	populate(t, w)
	client := w.Client("caller")
	client.FailAt(1, Fault{Panic: "the end"})
	defer func() {
		if got := recover(); got != "the end" {
			t.Errorf("recovered %v", got)
		}
	}()
	_, err := invoke(t.Context(), inProcess(client), &ec2.DescribeSecurityGroupsInput{})
	t.Errorf("no panic, error %v", err)
}

// TestMissingAnswerCutsConnection compares the effect of a missing answer in ServeHTTP and
// RoundTripper.
func TestMissingAnswerCutsConnection(t *testing.T) {
	t.Parallel()
	w := &World{}
	populate(t, w)
	for name, test := range map[string]struct {
		err, want  error
		gone, goes bool // canceled before the call, or during it
	}{
		"cut":      {err: ErrCut, want: ErrCut},
		"no error": {err: io.ErrUnexpectedEOF, want: io.ErrUnexpectedEOF},
		"gone":     {gone: true, want: context.Canceled},
		"going":    {err: ErrCut, goes: true, want: context.Canceled},
		"unread":   {err: NewError("InternalError", "no"), goes: true, want: context.Canceled},
	} {
		client := w.Client(name)
		ask := func(send func(*http.Request)) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			fault := Fault{Err: test.err}
			if test.goes {
				fault.Do = cancel
			}
			client.Forget()
			client.FailAt(1, fault)
			if test.gone {
				cancel()
			}
			send(httptest.NewRequestWithContext(ctx, http.MethodGet, "/?Action=DescribeSecurityGroups&Version=2016-11-15", http.NoBody))
		}
		ask(func(request *http.Request) {
			defer func() {
				if got, _ := recover().(error); !errors.Is(got, http.ErrAbortHandler) {
					t.Errorf("%s: recovered %v", name, got)
				}
			}()
			client.ServeHTTP(httptest.NewRecorder(), request)
		})
		ask(func(request *http.Request) {
			response, err := client.RoundTripper().RoundTrip(request)
			if err == nil {
				_ = response.Body.Close()
			}
			if !errors.Is(err, test.want) {
				t.Errorf("%s: the error is %v", name, err)
			}
		})
	}
}
