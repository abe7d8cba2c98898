package world

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
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

// place is a world with two VPCs and a default one, and somebody who calls it.
type place struct {
	*testing.T

	w *World
	c *Client
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{T: t, w: &World{}}
	p.w.AddVPC("vpc-1")
	p.w.AddVPC("vpc-2")
	p.w.AddVPC("vpc-d", Default)
	p.w.AddVPC("vpc-6", IPv6)
	p.c = p.w.Client("test")
	return p
}

// create makes a group in vpc-1, or says with which code EC2 refuses it.
func (p *place) create(name, description, vpc string, tags ...types.Tag) (id, code string) {
	out, err := p.c.CreateSecurityGroup(p.Context(), &ec2.CreateSecurityGroupInput{
		GroupName: &name, Description: &description, VpcId: &vpc, TagSpecifications: tagged(types.ResourceTypeSecurityGroup, tags...),
	})
	if err != nil {
		code, _ = failure(err)
		return "", code
	}
	return *out.GroupId, ""
}

func (p *place) group(name string) string {
	p.Helper()
	id, code := p.create(name, "a group", "vpc-1")
	if code != "" {
		p.Fatalf("creating %s: %s", name, code)
	}
	return id
}

func (p *place) code(err error) string {
	if err == nil {
		return ""
	}
	code, _ := failure(err)
	return code
}

func (p *place) authorize(id string, permissions []types.IpPermission) string {
	_, err := p.c.AuthorizeSecurityGroupIngress(p.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: permissions})
	return p.code(err)
}

func (p *place) revoke(id string, permissions []types.IpPermission) (unknown int, code string) {
	out, err := p.c.RevokeSecurityGroupIngress(p.Context(), &ec2.RevokeSecurityGroupIngressInput{GroupId: &id, IpPermissions: permissions})
	if err != nil {
		return 0, p.code(err)
	}
	return len(out.UnknownIpPermissions), ""
}

func (p *place) remove(id string) string {
	_, err := p.c.DeleteSecurityGroup(p.Context(), &ec2.DeleteSecurityGroupInput{GroupId: &id})
	return p.code(err)
}

func (p *place) found(in *ec2.DescribeSecurityGroupsInput) []string {
	p.Helper()
	out, err := p.c.DescribeSecurityGroups(p.Context(), in)
	if err != nil {
		p.Fatal(err)
	}
	var names []string
	for _, one := range out.SecurityGroups {
		names = append(names, *one.GroupName)
	}
	return names
}

// is compares what came with what the rule says.
func (p *place) is(got, want any) {
	p.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		p.Errorf("got %v, want %v", got, want)
	}
}

// shows looks for a line in the printed world.
func (p *place) shows(line string, want bool) {
	p.Helper()
	if strings.Contains(p.w.String(), line) != want {
		p.Errorf("%q is there: %v, want %v:\n%s", line, !want, want, p.w)
	}
}

func refer(id, description string) []types.IpPermission {
	one := permission("tcp", 80, 80)
	one.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: &id, Description: &description}}
	return []types.IpPermission{one}
}

func protocol(name string) []types.IpPermission {
	return []types.IpPermission{{IpProtocol: &name, IpRanges: []types.IpRange{{CidrIp: aws.String("10.0.0.0/8")}}}}
}

// The pages that say what EC2 does.
const (
	createPage    = "API reference, CreateSecurityGroup"
	userGuide     = "VPC user guide, Security groups"
	rulesPage     = "VPC user guide, Security group rules"
	quotaPage     = "VPC user guide, Amazon VPC quotas"
	permPage      = "API reference, IpPermission"
	rangePage     = "API reference, IpRange"
	pairPage      = "API reference, UserIdGroupPair"
	authorizePage = "API reference, AuthorizeSecurityGroupIngress"
	revokePage    = "API reference, RevokeSecurityGroupIngress"
	describePage  = "API reference, DescribeSecurityGroups"
	deletePage    = "API reference, DeleteSecurityGroup"
	updatePage    = "API reference, UpdateSecurityGroupRuleDescriptionsIngress"
	tagPage       = "EC2 user guide, Tag restrictions"
	lagPage       = "EC2 developer guide, Eventual consistency in the Amazon EC2 API"
	throttlePage  = "EC2 developer guide, Request throttling for the Amazon EC2 API"
	twicePage     = "aws/aws-sdk-go issue 1340, hashicorp/terraform-provider-aws issue 2587"
)

// TestRules holds every rule that the world enforces against where it is written.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		rule, source string
		test         func(p *place)
	}{
		{"a name has 1 to 255 of the allowed characters", createPage, func(p *place) {
			for name, want := range map[string]string{"": "InvalidParameterValue", strings.Repeat("a", 255): "", strings.Repeat("a", 256): "InvalidParameterValue", "a<b": "InvalidParameterValue", "a-b_c ._-:/()#,@[]+=&;{}!$*": ""} {
				_, code := p.create(name, "a group", "vpc-1")
				p.is(code, want)
			}
		}},
		{"a name does not begin with sg-, in any case", createPage, func(p *place) {
			for _, name := range []string{"sg-web", "SG-web"} {
				_, code := p.create(name, "a group", "vpc-1")
				p.is(code, "InvalidParameterValue")
			}
		}},
		{"a description has the same characters and cannot be left out", createPage, func(p *place) {
			for _, text := range []string{"", "a<b", strings.Repeat("a", 256)} {
				_, code := p.create("web", text, "vpc-1")
				p.is(code, "InvalidParameterValue")
			}
		}},
		{"names are unique in a VPC, without regard to case", userGuide, func(p *place) {
			p.group("web")
			_, code := p.create("WEB", "another", "vpc-1")
			p.is(code, "InvalidGroup.Duplicate")
			_, code = p.create("web", "another", "vpc-2")
			p.is(code, "")
		}},
		{"spaces at the end of a name are cut off", userGuide, func(p *place) {
			p.group("web ")
			p.shows("web \"a group\"", true)
			_, code := p.create("web", "another", "vpc-1")
			p.is(code, "InvalidGroup.Duplicate")
		}},
		{"the VPC has to be there", createPage, func(p *place) {
			_, code := p.create("web", "a group", "vpc-0")
			p.is(code, "InvalidVpcID.NotFound")
		}},
		{"a fresh group lets everything out", userGuide, func(p *place) {
			p.group("web")
			p.shows("  egress -1 0.0.0.0/0\n", true)
			p.shows("::/0", false)
		}},
		{"also by IPv6 in a VPC that has it", "hashicorp/terraform-provider-aws, resource aws_security_group, which revokes both", func(p *place) {
			_, _ = p.create("web", "a group", "vpc-6")
			p.shows("  egress -1 ::/0\n", true)
		}},
		{"every VPC has a default group that cannot be deleted", deletePage, func(p *place) {
			id := p.w.GroupID("default")
			p.is(p.remove(id), "CannotDelete")
		}},
		{"tags come with the group or the group does not come", createPage, func(p *place) {
			_, code := p.create("web", "a group", "vpc-1", tag("aws:x", "1"))
			p.is(code, "InvalidParameterValue")
			p.shows("web", false)
			_, code = p.create("web", "a group", "vpc-1", tag("Team", "ai"))
			p.is(code, "")
			p.shows("  tag Team=ai\n", true)
		}},
		{"at most 50 tags, keys of 128 and values of 256", tagPage, func(p *place) {
			_, code := p.create("a", "a group", "vpc-1", tag(strings.Repeat("k", 129), "1"))
			p.is(code, "InvalidParameterValue")
			_, code = p.create("a", "a group", "vpc-1", tag("k", strings.Repeat("v", 257)))
			p.is(code, "InvalidParameterValue")
			var tags []types.Tag
			for i := range 51 {
				tags = append(tags, tag(fmt.Sprint("k", i), "v"))
			}
			_, code = p.create("a", "a group", "vpc-1", tags...)
			p.is(code, "TagLimitExceeded")
			_, code = p.create("a", "a group", "vpc-1", tags[:50]...)
			p.is(code, "")
		}},
		{"a rule names groups of its own VPC, or of one that is peered", pairPage, func(p *place) {
			web := p.group("web")
			far, _ := p.create("far", "a group", "vpc-2")
			p.is(p.authorize(web, refer(far, "")), "InvalidGroup.NotFound")
			p.w.Peer("vpc-1", "vpc-2")
			p.is(p.authorize(web, refer(far, "")), "")
		}},
		{"a rule is the same whatever its description", authorizePage, func(p *place) {
			web := p.group("web")
			p.is(p.authorize(web, open("tcp", 80, 80, "10.0.0.0/8", "one")), "")
			p.is(p.authorize(web, open("tcp", 80, 80, "10.0.0.0/8", "two")), "InvalidPermission.Duplicate")
		}},
		{"a permission stands once in a call", twicePage, func(p *place) {
			web := p.group("web")
			p.is(p.authorize(web, slices.Concat(open("tcp", 80, 80, "10.0.0.0/8", "one"), open("6", 80, 80, "10.0.0.0/8", "two"))), "InvalidParameterValue")
		}},
		{"a range is stored without its host bits", rangePage, func(p *place) {
			web := p.group("web")
			p.is(p.authorize(web, open("tcp", 80, 80, "100.68.0.18/18", "")), "")
			p.shows("ingress tcp 80-80 100.68.0.0/18\n", true)
			p.is(p.authorize(web, open("tcp", 80, 80, "100.68.1.0/18", "")), "InvalidPermission.Duplicate")
		}},
		{"IPv4 is not written as IPv6", rangePage, func(p *place) {
			one := permission("tcp", 80, 80)
			one.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: aws.String("::ffff:10.0.0.0/104")}}
			p.is(p.authorize(p.group("web"), []types.IpPermission{one}), "InvalidParameterValue")
		}},
		{"four protocols are stored by name", permPage, func(p *place) {
			web := p.group("web")
			for number, name := range map[string]string{"6": "tcp", "17": "udp"} {
				p.is(p.authorize(web, open(number, 80, 80, "10.0.0.0/8", "")), "")
				p.is(p.authorize(web, open(name, 80, 80, "10.0.0.0/8", "")), "InvalidPermission.Duplicate")
			}
			p.is(p.authorize(web, open("1", 8, 0, "10.0.0.0/8", "")), "")
			p.shows("ingress icmp 8-0 10.0.0.0/8", true)
		}},
		{"all protocols have no ports", permPage, func(p *place) {
			p.is(p.authorize(p.group("web"), open("-1", 80, 90, "10.0.0.0/8", "")), "")
			p.shows("ingress -1 10.0.0.0/8\n", true)
		}},
		{"TCP, UDP and ICMP need ports or types", permPage, func(p *place) {
			web := p.group("web")
			for _, name := range []string{"tcp", "udp", "icmp"} {
				p.is(p.authorize(web, protocol(name)), "InvalidParameterValue")
			}
			for _, name := range []string{"icmpv6", "50"} {
				p.is(p.authorize(web, protocol(name)), "")
			}
			p.is(p.authorize(web, protocol("256")), "InvalidParameterValue")
			p.is(p.authorize(web, open("tcp", 80, 70000, "10.0.0.0/8", "")), "InvalidParameterValue")
			p.is(p.authorize(web, open("tcp", 90, 80, "10.0.0.0/8", "")), "InvalidParameterValue")
		}},
		{"all types of ICMP have all codes", permPage, func(p *place) {
			web := p.group("web")
			p.is(p.authorize(web, open("icmp", -1, 3, "10.0.0.0/8", "")), "InvalidParameterValue")
			p.is(p.authorize(web, open("icmp", -1, -1, "10.0.0.0/8", "")), "")
		}},
		{"a rule's description has 255 characters, & for ranges only", rangePage + "; " + pairPage, func(p *place) {
			web, db := p.group("web"), p.group("db")
			p.is(p.authorize(web, open("tcp", 1, 1, "10.0.0.0/8", "a & b")), "")
			p.is(p.authorize(web, refer(db, "a & b")), "InvalidParameterValue")
			p.is(p.authorize(web, open("tcp", 2, 2, "10.0.0.0/8", "a < b")), "InvalidParameterValue")
			p.is(p.authorize(web, open("tcp", 2, 2, "10.0.0.0/8", strings.Repeat("a", 256))), "InvalidParameterValue")
		}},
		{"whether a refused Authorize keeps what it could is not written: both", authorizePage, func(p *place) {
			for _, oneByOne := range []bool{false, true} {
				p.w.OneByOne = oneByOne
				id := p.group(fmt.Sprint("web", oneByOne))
				p.is(p.authorize(id, open("tcp", 80, 80, "10.0.0.0/8", "")), "")
				p.is(p.authorize(id, slices.Concat(open("tcp", 81, 81, "10.0.0.0/8", ""), open("tcp", 80, 80, "10.0.0.0/8", ""))), "InvalidPermission.Duplicate")
				p.shows("81-81", oneByOne)
			}
		}},
		{"a revoke finds a rule whatever its description", revokePage, func(p *place) {
			web := p.group("web")
			p.is(p.authorize(web, open("tcp", 80, 80, "10.0.0.0/8", "one")), "")
			_, code := p.revoke(web, open("tcp", 80, 80, "10.0.0.0/8", ""))
			p.is(code, "")
			p.shows("80-80", false)
		}},
		{"a revoke of what is not there is refused, and nothing is revoked", revokePage, func(p *place) {
			web := p.group("web")
			p.is(p.authorize(web, open("tcp", 80, 80, "10.0.0.0/8", "")), "")
			_, code := p.revoke(web, slices.Concat(open("tcp", 80, 80, "10.0.0.0/8", ""), open("tcp", 81, 81, "10.0.0.0/8", "")))
			p.is(code, "InvalidPermission.NotFound")
			p.shows("80-80", true)
		}},
		{"in the default VPC it is listed, and the rest is revoked", revokePage, func(p *place) {
			web, _ := p.create("web", "a group", "vpc-d")
			p.is(p.authorize(web, open("tcp", 80, 80, "10.0.0.0/8", "")), "")
			unknown, code := p.revoke(web, slices.Concat(open("tcp", 80, 80, "10.0.0.0/8", ""), open("tcp", 81, 81, "10.0.0.0/8", "")))
			p.is(code, "")
			p.is(unknown, 1)
			p.shows("80-80", false)
		}},
		{"a description that is left out is cleared", updatePage, func(p *place) {
			web := p.group("web")
			p.is(p.authorize(web, open("tcp", 80, 80, "10.0.0.0/8", "one")), "")
			_, err := p.c.UpdateSecurityGroupRuleDescriptionsIngress(p.Context(), &ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{GroupId: &web, IpPermissions: open("tcp", 80, 80, "10.0.0.0/8", "")})
			p.is(p.code(err), "")
			p.shows("80-80 10.0.0.0/8\n", true)
			_, err = p.c.UpdateSecurityGroupRuleDescriptionsIngress(p.Context(), &ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{GroupId: &web, IpPermissions: open("tcp", 81, 81, "10.0.0.0/8", "")})
			p.is(p.code(err), "InvalidPermission.NotFound")
		}},
		{"60 rules a direction, IPv4 and IPv6 apart, a group counts in both", quotaPage, func(p *place) {
			web, db := p.group("web"), p.group("db")
			p.is(p.authorize(web, many(60)), "")
			p.is(p.authorize(web, open("tcp", 9, 9, "10.0.0.0/8", "")), "RulesPerSecurityGroupLimitExceeded")
			six := permission("tcp", 9, 9)
			six.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: aws.String("2001:db8::/32")}}
			p.is(p.authorize(web, []types.IpPermission{six}), "")
			p.is(p.authorize(web, refer(db, "")), "RulesPerSecurityGroupLimitExceeded")
			_, err := p.c.AuthorizeSecurityGroupEgress(p.Context(), &ec2.AuthorizeSecurityGroupEgressInput{GroupId: &web, IpPermissions: many(59)})
			p.is(p.code(err), "")
		}},
		{"a prefix list counts as often as it is heavy", rulesPage, func(p *place) {
			p.w.AddPrefixList("pl-1", "com.amazonaws.global.cloudfront.origin-facing", 55, false)
			web := p.group("web")
			one := permission("tcp", 443, 443)
			one.PrefixListIds = []types.PrefixListId{{PrefixListId: aws.String("pl-1")}}
			p.is(p.authorize(web, many(6)), "")
			p.is(p.authorize(web, []types.IpPermission{one}), "RulesPerSecurityGroupLimitExceeded")
		}},
		{"groups in a Region and on an interface have quotas", quotaPage, func(p *place) {
			p.w.GroupQuota = 6
			p.group("a")
			p.group("b")
			_, code := p.create("c", "a group", "vpc-1")
			p.is(code, "SecurityGroupLimitExceeded")
			p.is(p.code(p.w.Attach("eni-1", "x", slices.Repeat([]string{p.w.GroupID("a")}, 6)...)), "SecurityGroupsPerInterfaceLimitExceeded")
		}},
		{"pages have 5 to 1,000, and a filter that is not known is refused", describePage, func(p *place) {
			for _, size := range []int32{4, 1001} {
				_, err := p.c.DescribeSecurityGroups(p.Context(), &ec2.DescribeSecurityGroupsInput{MaxResults: &size})
				p.is(p.code(err), "InvalidParameterValue")
			}
			_, err := p.c.DescribeSecurityGroups(p.Context(), &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{filter("nonsense", "x")}})
			p.is(p.code(err), "InvalidParameterValue")
		}},
		{"an unknown ID fails a call that names it, and finds nothing as a filter", describePage, func(p *place) {
			_, err := p.c.DescribeSecurityGroups(p.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{"sg-0"}})
			p.is(p.code(err), "InvalidGroup.NotFound")
			_, err = p.c.DescribeSecurityGroups(p.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{"web"}})
			p.is(p.code(err), "InvalidGroupId.Malformed")
			p.is(p.found(&ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{filter("group-id", "sg-0")}}), "[]")
		}},
		{"all filters have to match, one value of each", describePage, func(p *place) {
			web, _ := p.create("web", "a group", "vpc-1", tag("Team", "ai"))
			p.is(p.authorize(p.group("db"), refer(web, "")), "")
			for want, filters := range map[string][]types.Filter{
				"[web]":    {filter("tag:Team", "x", "ai"), filter("vpc-id", "vpc-1")},
				"[]":       {filter("tag:Team", "ai"), filter("vpc-id", "vpc-2")},
				"[db]":     {filter("ip-permission.group-id", web)},
				"[db web]": {filter("group-name", "web", "db")},
			} {
				names := p.found(&ec2.DescribeSecurityGroupsInput{Filters: filters})
				slices.Sort(names)
				p.is(names, want)
			}
		}},
		{"a group in use cannot be deleted", deletePage, func(p *place) {
			web := p.group("web")
			p.is(p.code(p.w.Attach("eni-1", "x", web)), "")
			p.is(p.remove(web), "DependencyViolation")
			p.is(p.code(p.w.Attach("eni-1", "")), "")
			p.w.Associate(web, "vpc-2")
			p.is(p.remove(web), "DependencyViolation")
			p.w.Associate(web, "")
			p.is(p.remove(web), "")
			p.is(p.remove(web), "InvalidGroup.NotFound")
		}},
		{"nor one that another group of its VPC names; its own rules do not matter", deletePage, func(p *place) {
			web, db := p.group("web"), p.group("db")
			p.is(p.authorize(web, refer(web, "")), "")
			p.is(p.authorize(db, refer(web, "")), "")
			p.is(p.remove(web), "DependencyViolation")
			p.is(p.remove(db), "")
			p.is(p.remove(web), "")
		}},
		{"a rule in a peered VPC does not hold a group, and is stale then", deletePage, func(p *place) {
			web := p.group("web")
			far, _ := p.create("far", "a group", "vpc-2")
			p.w.Peer("vpc-1", "vpc-2")
			p.is(p.authorize(far, refer(web, "")), "")
			p.is(p.remove(web), "")
			_, code := p.revoke(far, refer(web, ""))
			p.is(code, "")
		}},
	} {
		t.Run(one.rule, func(t *testing.T) {
			t.Parallel()
			t.Log("source: " + one.source)
			one.test(newPlace(t))
		})
	}
}

// inTime runs a test under a virtual clock.
func inTime(t *testing.T, test func(p *place)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newPlace(t)) })
}

func TestReadsLag(t *testing.T) {
	t.Log("source: " + lagPage)
	inTime(t, func(p *place) {
		p.w.Lag, p.w.TagLag, p.w.Newborn = 3*time.Second, 5*time.Second, 2*time.Second
		web, _ := p.create("web", "a group", "vpc-1", tag("Team", "ai"))
		mine := &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{filter("tag:Team", "ai")}}
		p.is(p.authorize(web, open("tcp", 80, 80, "10.0.0.0/8", "")), "InvalidGroup.NotFound")
		<-time.After(2 * time.Second)
		p.is(p.authorize(web, open("tcp", 80, 80, "10.0.0.0/8", "")), "")
		p.is(p.found(&ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{filter("group-name", "web")}}), "[]")
		<-time.After(time.Second)
		p.is(p.found(&ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{filter("group-name", "web")}}), "[web]")
		p.is(p.found(mine), "[]")
		<-time.After(2 * time.Second)
		p.is(p.found(mine), "[web]")
		p.is(p.remove(web), "")
		p.is(p.found(mine), "[web]")
		<-time.After(3 * time.Second)
		p.is(p.found(mine), "[]")
	})
}

func TestCallsAreThrottled(t *testing.T) {
	t.Log("source: " + throttlePage)
	inTime(t, func(p *place) {
		p.w.Throttles = true
		web := p.group("web")
		for i := range 50 {
			p.is(p.authorize(web, open("tcp", int32(i), int32(i), "10.0.0.0/8", "")), "")
		}
		more := open("tcp", 99, 99, "10.0.0.0/8", "")
		p.is(p.authorize(web, more), "RequestLimitExceeded")
		<-time.After(200 * time.Millisecond)
		p.is(p.authorize(web, more), "")
		p.is(p.authorize(web, more), "RequestLimitExceeded")
	})
}

func TestFaults(t *testing.T) {
	inTime(t, func(p *place) {
		refused := NewError("InternalError", "An internal error has occurred")
		p.c.FailAt(1, Fault{Err: refused})
		_, code := p.create("a", "a group", "vpc-1")
		p.is(code, "InternalError")
		p.c.FailAt(2, Fault{Lost: true})
		_, err := p.c.CreateSecurityGroup(t.Context(), &ec2.CreateSecurityGroupInput{GroupName: aws.String("b"), Description: aws.String("b"), VpcId: aws.String("vpc-1")})
		p.is(errors.Is(err, ErrCut), true)
		p.shows("b \"b\"", true)
		p.c.FailAt(3, Fault{Late: time.Minute})
		started := time.Now()
		p.group("c")
		p.is(time.Since(started), time.Minute)
		p.c.FailAt(4, Fault{Stale: 30 * time.Second})
		p.is(p.found(&ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{filter("group-name", "c")}}), "[]")
		p.c.FailAt(5, Fault{Do: func() { p.w.Revoke("default", "tcp", 1) }, Cut: true, Lost: true})
		_, _ = p.create("d", "a group", "vpc-1")
		p.shows("d \"a group\"", true)
		_, _ = p.create("e", "a group", "vpc-1")
		p.shows("e \"a group\"", false)
		p.is(p.c.IsCut(), true)
	})
}

func TestHands(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id, _ := p.create("web", "a group", "vpc-1", tag(ownerTag, "x"))
	for _, one := range []struct {
		deed Deed
		line string
		want bool
	}{
		{AddRule, "198.51.100.0/24 \"by hand\"", true},
		{EditDescription, "edited by hand", true},
		{RemoveRule, "egress -1", false},
		{AddTag, "tag Owner=by hand", true},
		{RemoveTag, "tag Owner=by hand", false},
		{AddGroup, "by-hand-1", true},
		{AttachInterface, "interface eni-by-hand-2", true},
		{RemoveGroup, "web \"a group\"", true}, // it is in use
	} {
		p.is(p.w.Play(Hand{Deed: one.deed}), id)
		p.shows(one.line, one.want)
	}
	p.w.RemoveHands()
	p.w.Play(Hand{Deed: AttachInterface}) // they are gone
	p.w.Play(Hand{Deed: RemoveGroup})
	p.shows("web \"a group\"", false)
	// Pick says which tag goes, the owner's too; then the group is nobody's.
	id, _ = p.create("db", "a group", "vpc-1", tag(ownerTag, "x"), tag("Team", "ai"))
	p.is(p.w.Play(Hand{Deed: RemoveTag, Pick: 3}), id)
	p.is(p.w.Tag(id, "Team")+p.w.Tag(id, ownerTag), "ai")
	p.is(p.w.Play(Hand{Deed: RemoveTag}), "")
}

// Calls that begin at one instant are numbered the same whichever goroutine comes
// first.
func TestNumbersAreRepeatable(t *testing.T) {
	var first string
	for range 30 {
		inTime(t, func(p *place) {
			p.w.Latency = 100 * time.Millisecond
			p.c.FailAt(3, Fault{Err: NewError("InternalError", "planted")})
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() { _, _ = p.create(fmt.Sprint("group", i), "a group", "vpc-1") })
			}
			all.Wait()
			p.is(p.w.Widest(), 8)
			p.is(p.w.Rounds(), 1)
			p.group("last")
			p.is(p.w.Rounds(), 2)
			if first == "" {
				first = p.w.String()
			}
			p.is(p.w.String(), first)
		})
	}
}

func TestFlows(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	web, db := p.group("web"), p.group("db")
	p.is(p.authorize(db, refer(web, "")), "")
	p.is(p.authorize(db, open("tcp", 5000, 5010, "203.0.113.0/24", "")), "")
	address := netip.MustParseAddr("203.0.113.7")
	got := map[string]bool{
		"by group":         p.w.Allows(web, db, "tcp", 80),
		"other port":       p.w.Allows(web, db, "tcp", 81),
		"other protocol":   p.w.Allows(web, db, "udp", 80),
		"back":             p.w.Allows(db, web, "tcp", 80),
		"in range":         p.w.AllowsFrom(address, db, "tcp", 5005),
		"below range":      p.w.AllowsFrom(address, db, "tcp", 4999),
		"out":              p.w.AllowsTo(web, address, "tcp", 443),
		"group not theirs": p.w.AllowsFrom(address, db, "tcp", 80),
	}
	want := map[string]bool{"by group": true, "in range": true, "out": true, "other port": false, "other protocol": false, "back": false, "below range": false, "group not theirs": false}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// What a write names as its object is kept with the tags from before.
func TestTouched(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id, _ := p.create("web", "a group", "vpc-1", tag("Team", "ai"))
	p.is(p.remove(id), "")
	calls := p.w.Calls()
	p.is(calls[len(calls)-1].Touched[id]["Team"], "ai")
	p.is(p.w.Writes(), 2)
}
