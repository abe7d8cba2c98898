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

// fixture is a world with several VPCs, and a client.
type fixture struct {
	*testing.T

	w *World
	c *Client
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	p := &fixture{T: t, w: &World{}}
	p.w.AddVPC("vpc-1")
	p.w.AddVPC("vpc-2")
	p.w.AddVPC("vpc-d", Default)
	p.w.AddVPC("vpc-6", IPv6)
	p.c = p.w.Client("test")
	return p
}

// create creates a group, or returns EC2's error code.
func (p *fixture) create(name, description, vpc string, tags ...types.Tag) (id, code string) {
	out, err := p.c.CreateSecurityGroup(p.Context(), &ec2.CreateSecurityGroupInput{
		GroupName: &name, Description: &description, VpcId: &vpc, TagSpecifications: tagged(types.ResourceTypeSecurityGroup, tags...),
	})
	if err != nil {
		code, _ = failure(err)
		return "", code
	}
	return *out.GroupId, ""
}

func (p *fixture) group(name string) string {
	p.Helper()
	id, code := p.create(name, "a group", "vpc-1")
	if code != "" {
		p.Fatalf("creating %s: %s", name, code)
	}
	return id
}

func (p *fixture) code(err error) string {
	if err == nil {
		return ""
	}
	code, _ := failure(err)
	return code
}

func (p *fixture) authorize(id string, permissions []types.IpPermission) string {
	_, err := p.c.AuthorizeSecurityGroupIngress(p.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: permissions})
	return p.code(err)
}

func (p *fixture) revoke(id string, permissions []types.IpPermission) (unknown int, code string) {
	out, err := p.c.RevokeSecurityGroupIngress(p.Context(), &ec2.RevokeSecurityGroupIngressInput{GroupId: &id, IpPermissions: permissions})
	if err != nil {
		return 0, p.code(err)
	}
	return len(out.UnknownIpPermissions), ""
}

func (p *fixture) remove(id string) string {
	_, err := p.c.DeleteSecurityGroup(p.Context(), &ec2.DeleteSecurityGroupInput{GroupId: &id})
	return p.code(err)
}

func (p *fixture) found(in *ec2.DescribeSecurityGroupsInput) []string {
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

// is compares an observed value with the documented one.
func (p *fixture) is(got, want any) {
	p.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		p.Errorf("got %v, want %v", got, want)
	}
}

// shows checks whether the printed world contains a line.
func (p *fixture) shows(line string, want bool) {
	p.Helper()
	if strings.Contains(p.w.String(), line) != want {
		p.Errorf("%q in the printed world: %v, want %v:\n%s", line, !want, want, p.w)
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

// The pages that document EC2's behavior.
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

// TestDocumentedBehavior checks every restriction that the world enforces. Each has the page that
// documents it.
func TestDocumentedBehavior(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		rule, source string
		test         func(p *fixture)
	}{
		{"a name has 1 to 255 of the allowed characters", createPage, func(p *fixture) {
			for name, want := range map[string]string{"": "InvalidParameterValue", strings.Repeat("a", 255): "", strings.Repeat("a", 256): "InvalidParameterValue", "a<b": "InvalidParameterValue", "a-b_c ._-:/()#,@[]+=&;{}!$*": ""} {
				_, code := p.create(name, "a group", "vpc-1")
				p.is(code, want)
			}
		}},
		{"a name does not begin with sg-, in any case", createPage, func(p *fixture) {
			for _, name := range []string{"sg-web", "SG-web"} {
				_, code := p.create(name, "a group", "vpc-1")
				p.is(code, "InvalidParameterValue")
			}
		}},
		{"a description has the same characters and cannot be left out", createPage, func(p *fixture) {
			for _, text := range []string{"", "a<b", strings.Repeat("a", 256)} {
				_, code := p.create("web", text, "vpc-1")
				p.is(code, "InvalidParameterValue")
			}
		}},
		{"names are unique in a VPC, without regard to case", userGuide, func(p *fixture) {
			p.group("web")
			_, code := p.create("WEB", "another", "vpc-1")
			p.is(code, "InvalidGroup.Duplicate")
			_, code = p.create("web", "another", "vpc-2")
			p.is(code, "")
		}},
		{"spaces at the end of a name are removed", userGuide, func(p *fixture) {
			p.group("web ")
			p.shows("web \"a group\"", true)
			_, code := p.create("web", "another", "vpc-1")
			p.is(code, "InvalidGroup.Duplicate")
		}},
		{"the VPC has to exist", createPage, func(p *fixture) {
			_, code := p.create("web", "a group", "vpc-0")
			p.is(code, "InvalidVpcID.NotFound")
		}},
		{"a new group allows all outbound IPv4 traffic", userGuide, func(p *fixture) {
			p.group("web")
			p.shows("  egress -1 0.0.0.0/0\n", true)
			p.shows("::/0", false)
		}},
		{"a new group allows all outbound IPv6 traffic in a VPC with IPv6", "hashicorp/terraform-provider-aws, resource aws_security_group, which revokes both", func(p *fixture) {
			_, _ = p.create("web", "a group", "vpc-6")
			p.shows("  egress -1 ::/0\n", true)
		}},
		{"every VPC has a default group that cannot be deleted", deletePage, func(p *fixture) {
			id := p.w.GroupID("default")
			p.is(p.remove(id), "CannotDelete")
		}},
		{"a group with invalid tags is not created", createPage, func(p *fixture) {
			_, code := p.create("web", "a group", "vpc-1", tag("aws:x", "1"))
			p.is(code, "InvalidParameterValue")
			p.shows("web", false)
			_, code = p.create("web", "a group", "vpc-1", tag("Team", "ai"))
			p.is(code, "")
			p.shows("  tag Team=ai\n", true)
		}},
		{"at most 50 tags, keys of 128 and values of 256", tagPage, func(p *fixture) {
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
		{"a rule names groups of its own VPC, or of one that is peered", pairPage, func(p *fixture) {
			web := p.group("web")
			far, _ := p.create("far", "a group", "vpc-2")
			p.is(p.authorize(web, refer(far, "")), "InvalidGroup.NotFound")
			p.w.Peer("vpc-1", "vpc-2")
			p.is(p.authorize(web, refer(far, "")), "")
		}},
		{"the description does not identify a rule", authorizePage, func(p *fixture) {
			web := p.group("web")
			p.is(p.authorize(web, open("tcp", 80, 80, "10.0.0.0/8", "one")), "")
			p.is(p.authorize(web, open("tcp", 80, 80, "10.0.0.0/8", "two")), "InvalidPermission.Duplicate")
		}},
		{"a call may not repeat a permission", twicePage, func(p *fixture) {
			web := p.group("web")
			p.is(p.authorize(web, slices.Concat(open("tcp", 80, 80, "10.0.0.0/8", "one"), open("6", 80, 80, "10.0.0.0/8", "two"))), "InvalidParameterValue")
		}},
		{"a range is stored without its host bits", rangePage, func(p *fixture) {
			web := p.group("web")
			p.is(p.authorize(web, open("tcp", 80, 80, "100.68.0.18/18", "")), "")
			p.shows("ingress tcp 80-80 100.68.0.0/18\n", true)
			p.is(p.authorize(web, open("tcp", 80, 80, "100.68.1.0/18", "")), "InvalidPermission.Duplicate")
		}},
		{"IPv4 cannot be written as IPv6", rangePage, func(p *fixture) {
			one := permission("tcp", 80, 80)
			one.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: aws.String("::ffff:10.0.0.0/104")}}
			p.is(p.authorize(p.group("web"), []types.IpPermission{one}), "InvalidParameterValue")
		}},
		{"four protocols are stored by name", permPage, func(p *fixture) {
			web := p.group("web")
			for number, name := range map[string]string{"6": "tcp", "17": "udp"} {
				p.is(p.authorize(web, open(number, 80, 80, "10.0.0.0/8", "")), "")
				p.is(p.authorize(web, open(name, 80, 80, "10.0.0.0/8", "")), "InvalidPermission.Duplicate")
			}
			p.is(p.authorize(web, open("1", 8, 0, "10.0.0.0/8", "")), "")
			p.shows("ingress icmp 8-0 10.0.0.0/8", true)
		}},
		{"all protocols have no ports", permPage, func(p *fixture) {
			p.is(p.authorize(p.group("web"), open("-1", 80, 90, "10.0.0.0/8", "")), "")
			p.shows("ingress -1 10.0.0.0/8\n", true)
		}},
		{"TCP, UDP and ICMP need ports or types", permPage, func(p *fixture) {
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
		{"all types of ICMP have all codes", permPage, func(p *fixture) {
			web := p.group("web")
			p.is(p.authorize(web, open("icmp", -1, 3, "10.0.0.0/8", "")), "InvalidParameterValue")
			p.is(p.authorize(web, open("icmp", -1, -1, "10.0.0.0/8", "")), "")
		}},
		{"a rule's description has 255 characters, & for ranges only", rangePage + "; " + pairPage, func(p *fixture) {
			web, db := p.group("web"), p.group("db")
			p.is(p.authorize(web, open("tcp", 1, 1, "10.0.0.0/8", "a & b")), "")
			p.is(p.authorize(web, refer(db, "a & b")), "InvalidParameterValue")
			p.is(p.authorize(web, open("tcp", 2, 2, "10.0.0.0/8", "a < b")), "InvalidParameterValue")
			p.is(p.authorize(web, open("tcp", 2, 2, "10.0.0.0/8", strings.Repeat("a", 256))), "InvalidParameterValue")
		}},
		{"a refused Authorize keeps earlier permissions or does not, which is undocumented", authorizePage, func(p *fixture) {
			for _, oneByOne := range []bool{false, true} {
				p.w.OneByOne = oneByOne
				id := p.group(fmt.Sprint("web", oneByOne))
				p.is(p.authorize(id, open("tcp", 80, 80, "10.0.0.0/8", "")), "")
				p.is(p.authorize(id, slices.Concat(open("tcp", 81, 81, "10.0.0.0/8", ""), open("tcp", 80, 80, "10.0.0.0/8", ""))), "InvalidPermission.Duplicate")
				p.shows("81-81", oneByOne)
			}
		}},
		{"a revoke ignores the description", revokePage, func(p *fixture) {
			web := p.group("web")
			p.is(p.authorize(web, open("tcp", 80, 80, "10.0.0.0/8", "one")), "")
			_, code := p.revoke(web, open("tcp", 80, 80, "10.0.0.0/8", ""))
			p.is(code, "")
			p.shows("80-80", false)
		}},
		{"a revoke of an unknown rule is refused, and nothing is revoked", revokePage, func(p *fixture) {
			web := p.group("web")
			p.is(p.authorize(web, open("tcp", 80, 80, "10.0.0.0/8", "")), "")
			_, code := p.revoke(web, slices.Concat(open("tcp", 80, 80, "10.0.0.0/8", ""), open("tcp", 81, 81, "10.0.0.0/8", "")))
			p.is(code, "InvalidPermission.NotFound")
			p.shows("80-80", true)
		}},
		{"in the default VPC an unknown rule is listed, and the rest is revoked", revokePage, func(p *fixture) {
			web, _ := p.create("web", "a group", "vpc-d")
			p.is(p.authorize(web, open("tcp", 80, 80, "10.0.0.0/8", "")), "")
			unknown, code := p.revoke(web, slices.Concat(open("tcp", 80, 80, "10.0.0.0/8", ""), open("tcp", 81, 81, "10.0.0.0/8", "")))
			p.is(code, "")
			p.is(unknown, 1)
			p.shows("80-80", false)
		}},
		{"an omitted description is cleared", updatePage, func(p *fixture) {
			web := p.group("web")
			p.is(p.authorize(web, open("tcp", 80, 80, "10.0.0.0/8", "one")), "")
			_, err := p.c.UpdateSecurityGroupRuleDescriptionsIngress(p.Context(), &ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{GroupId: &web, IpPermissions: open("tcp", 80, 80, "10.0.0.0/8", "")})
			p.is(p.code(err), "")
			p.shows("80-80 10.0.0.0/8\n", true)
			_, err = p.c.UpdateSecurityGroupRuleDescriptionsIngress(p.Context(), &ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{GroupId: &web, IpPermissions: open("tcp", 81, 81, "10.0.0.0/8", "")})
			p.is(p.code(err), "InvalidPermission.NotFound")
		}},
		{"60 rules a direction, IPv4 and IPv6 apart, a group counts in both", quotaPage, func(p *fixture) {
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
		{"a prefix list counts with its weight", rulesPage, func(p *fixture) {
			p.w.AddPrefixList("pl-1", "com.amazonaws.global.cloudfront.origin-facing", 55, false)
			web := p.group("web")
			one := permission("tcp", 443, 443)
			one.PrefixListIds = []types.PrefixListId{{PrefixListId: aws.String("pl-1")}}
			p.is(p.authorize(web, many(6)), "")
			p.is(p.authorize(web, []types.IpPermission{one}), "RulesPerSecurityGroupLimitExceeded")
		}},
		{"groups in a Region and on an interface have quotas", quotaPage, func(p *fixture) {
			p.w.GroupQuota = 6
			p.group("a")
			p.group("b")
			_, code := p.create("c", "a group", "vpc-1")
			p.is(code, "SecurityGroupLimitExceeded")
			p.is(p.code(p.w.Attach("eni-1", "x", slices.Repeat([]string{p.w.GroupID("a")}, 6)...)), "SecurityGroupsPerInterfaceLimitExceeded")
		}},
		{"pages have 5 to 1,000 entries, and an unknown filter is refused", describePage, func(p *fixture) {
			for _, size := range []int32{4, 1001} {
				_, err := p.c.DescribeSecurityGroups(p.Context(), &ec2.DescribeSecurityGroupsInput{MaxResults: &size})
				p.is(p.code(err), "InvalidParameterValue")
			}
			_, err := p.c.DescribeSecurityGroups(p.Context(), &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{filter("nonsense", "x")}})
			p.is(p.code(err), "InvalidParameterValue")
		}},
		{"an unknown ID fails a call that names it, and finds nothing as a filter", describePage, func(p *fixture) {
			_, err := p.c.DescribeSecurityGroups(p.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{"sg-0"}})
			p.is(p.code(err), "InvalidGroup.NotFound")
			_, err = p.c.DescribeSecurityGroups(p.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{"web"}})
			p.is(p.code(err), "InvalidGroupId.Malformed")
			p.is(p.found(&ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{filter("group-id", "sg-0")}}), "[]")
		}},
		{"all filters have to match, one value of each", describePage, func(p *fixture) {
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
		{"a group in use cannot be deleted", deletePage, func(p *fixture) {
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
		{"a group that another group of its VPC names cannot be deleted; its own rules do not matter", deletePage, func(p *fixture) {
			web, db := p.group("web"), p.group("db")
			p.is(p.authorize(web, refer(web, "")), "")
			p.is(p.authorize(db, refer(web, "")), "")
			p.is(p.remove(web), "DependencyViolation")
			p.is(p.remove(db), "")
			p.is(p.remove(web), "")
		}},
		{"a rule in a peered VPC does not prevent a deletion, and becomes stale", deletePage, func(p *fixture) {
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
			one.test(newFixture(t))
		})
	}
}

// inTime runs a test under a virtual clock.
func inTime(t *testing.T, test func(p *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newFixture(t)) })
}

func TestReadsLag(t *testing.T) {
	t.Log("source: " + lagPage)
	inTime(t, func(p *fixture) {
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
	inTime(t, func(p *fixture) {
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
	inTime(t, func(p *fixture) {
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

func TestOutOfBandChanges(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	id, _ := p.create("web", "a group", "vpc-1", tag(ownerTag, "x"))
	for _, one := range []struct {
		deed ChangeKind
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
		{RemoveGroup, "web \"a group\"", true}, // refused: it is in use
	} {
		p.is(p.w.Apply(OutOfBandChange{Deed: one.deed}), id)
		p.shows(one.line, one.want)
	}
	p.w.RemoveOutOfBandInterfaces()
	p.w.Apply(OutOfBandChange{Deed: AttachInterface}) // no effect after RemoveOutOfBandInterfaces
	p.w.Apply(OutOfBandChange{Deed: RemoveGroup})
	p.shows("web \"a group\"", false)
	// Pick selects the tag to remove, possibly the owner's. Then the group has no owner.
	id, _ = p.create("db", "a group", "vpc-1", tag(ownerTag, "x"), tag("Team", "ai"))
	p.is(p.w.Apply(OutOfBandChange{Deed: RemoveTag, Pick: 3}), id)
	p.is(p.w.Tag(id, "Team")+p.w.Tag(id, ownerTag), "ai")
	p.is(p.w.Apply(OutOfBandChange{Deed: RemoveTag}), "")
}

// TestCallNumbersAreRepeatable checks that calls of the same instant get the same numbers
// regardless of the order of their goroutines.
func TestCallNumbersAreRepeatable(t *testing.T) {
	var first string
	for range 30 {
		inTime(t, func(p *fixture) {
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
	p := newFixture(t)
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

// TestTouched checks that the objects of a write are recorded with their previous tags.
func TestTouched(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	id, _ := p.create("web", "a group", "vpc-1", tag("Team", "ai"))
	p.is(p.remove(id), "")
	calls := p.w.Calls()
	p.is(calls[len(calls)-1].Touched[id]["Team"], "ai")
	p.is(p.w.Writes(), 2)
}
