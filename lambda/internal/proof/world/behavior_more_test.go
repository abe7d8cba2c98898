package world

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// More pages that document EC2's behavior.
const (
	filterPage     = "API reference, type Filter; gjbae1212/gossm issue 47; ansible-collections/amazon.aws issue 2393"
	sharePage      = "VPC user guide, Share security groups with AWS Organizations, Share your VPC subnets with other accounts"
	peerPage       = "VPC peering guide, Update your security groups to reference peer security groups; hashicorp/terraform-provider-aws issues 25811, 30664"
	stalePage      = "VPC peering guide, Identify your stale security group rules; " + pairPage
	transitPage    = "aws-cloudformation/cloudformation-coverage-roadmap issue 2310"
	networksPage   = "boto/boto3 issue 569"
	interfacePage  = "EC2 user guide, Requester-managed network interfaces; API reference, NetworkInterface"
	permissionPage = "EC2 developer guide, Grant permission to tag Amazon EC2 resources during creation; Error codes for the Amazon EC2 API"
	retryPage      = "SDK for Go developer guide, Retries and timeouts; API reference, CreateSecurityGroup, which has no client token"
)

// moreScenarios returns scenarios with other accounts, filters, interfaces and refusals.
func moreScenarios(ids groupIDs) []scenario {
	pair := func(id, account string) []types.IpPermission {
		one := permission("tcp", 7, 7)
		one.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: &id}}
		if account != "" {
			one.UserIdGroupPairs[0].UserId = &account
		}
		return []types.IpPermission{one}
	}
	in := func(permissions []types.IpPermission) *ec2.AuthorizeSecurityGroupIngressInput {
		return &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &ids.web, IpPermissions: permissions}
	}
	groups := func(filters ...types.Filter) *ec2.DescribeSecurityGroupsInput {
		return &ec2.DescribeSecurityGroupsInput{Filters: filters}
	}
	first := scenarioWorld()
	own := first.AddOtherAccountGroup(OtherAccount, "own", "vpc-1", false)
	shared := first.AddOtherAccountGroup(OtherAccount, "shared", "vpc-1", true)
	far := first.AddOtherAccountGroup(OtherAccount, "far away", "vpc-2", false)
	others := func(w *World, _ *Client) {
		w.AddOtherAccountGroup(OtherAccount, "own", "vpc-1", false)
		w.AddOtherAccountGroup(OtherAccount, "shared", "vpc-1", true)
		w.AddOtherAccountGroup(OtherAccount, "far away", "vpc-2", false)
	}
	lasting := func(err error, calls ...any) scenario {
		code, _ := failure(err)
		return scenario{name: "permanently refused: " + code, prepare: func(_ *World, c *Client) { c.FailAt(1, Fault{Err: err, Lasting: true}) }, calls: calls, want: code}
	}
	all := []scenario{
		{name: "another account's groups", prepare: others, calls: []any{
			in(pair(own, "")), in(pairOn(8, shared, OtherAccount)), in(pairOn(9, far, OtherAccount)), groups(), groups(filter("owner-id", OtherAccount)),
			&ec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{filter("group-id", ids.web, shared)}},
		}},
		{name: "another account's group twice", prepare: others, calls: []any{in(pair(own, "")), in(pair(own, OtherAccount))}, want: "InvalidPermission.Duplicate"},
		{name: "another account's group by the wrong account", prepare: others, calls: []any{in(pair(own, "111111111111"))}, want: "InvalidGroup.NotFound"},
		{name: "describe another account's group", prepare: others, calls: []any{&ec2.DescribeSecurityGroupsInput{GroupIds: []string{own}}}, want: "InvalidGroup.NotFound"},
		{name: "change a shared group", prepare: others, calls: []any{&ec2.DeleteSecurityGroupInput{GroupId: &shared}}, want: "UnauthorizedOperation"},
		{name: "a deleted peer", prepare: func(w *World, c *Client) {
			others(w, c)
			c.FailAt(2, Fault{Do: func() { _ = w.RemoveOtherAccountGroup(far) }})
		}, calls: []any{in(pair(far, "")), groups(filter("group-id", ids.web)), &ec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{filter("group-id", ids.web)}}}},
		{name: "interfaces of every kind", prepare: func(w *World, _ *Client) {
			for _, description := range slices.Sorted(keys(Describes())) {
				_ = w.AttachAs(Describes()[description], fmt.Sprintf("eni-%03d", len(description)), description, ids.web)
			}
		}, calls: []any{&ec2.DescribeNetworkInterfacesInput{}}},
		{name: "wildcards", calls: []any{groups(filter("tag:Name", "w*", "?b")), groups(filter("group-name", `\*`)), groups(filter("tag:odd", "*amp;*"))}},
		{name: "too many values", calls: []any{groups(filter("group-id", slices.Repeat([]string{"sg-1"}, 201)...))}, want: "FilterLimitExceeded"},
		{name: "denied operation", prepare: func(_ *World, c *Client) { c.Deny("DescribeVpcs") }, calls: []any{groups(), &ec2.DescribeVpcsInput{}}, want: "UnauthorizedOperation"},
		{name: "repeated create", prepare: func(_ *World, c *Client) { c.FailAt(1, Fault{Repeated: true}) }, calls: []any{
			&ec2.CreateSecurityGroupInput{GroupName: aws.String("n"), Description: aws.String("d"), VpcId: aws.String("vpc-1")},
		}, want: "InvalidGroup.Duplicate"},
	}
	for _, name := range slices.Sorted(keys(Refusals())) {
		all = append(all, lasting(Refusals()[name](), in(pair(ids.db, ""))))
	}
	return all
}

// scenarioWorld returns a world with the VPCs of the scenarios.
func scenarioWorld() *World {
	w := &World{}
	w.AddVPC("vpc-1", IPv6)
	w.AddVPC("vpc-2")
	return w
}

func keys[T any](from map[string]T) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range from {
			if !yield(key) {
				return
			}
		}
	}
}

func pairOn(port int32, id, account string) []types.IpPermission {
	one := permission("tcp", port, port)
	one.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: &id, UserId: &account}}
	return []types.IpPermission{one}
}

// users lists the accounts that EC2 shows for the peers of a group's inbound rules.
func (p *fixture) users(id string) []string {
	p.Helper()
	out, err := p.c.DescribeSecurityGroups(p.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{id}})
	if err != nil {
		p.Fatal(err)
	}
	var users []string
	for _, permission := range out.SecurityGroups[0].IpPermissions {
		for _, pair := range permission.UserIdGroupPairs {
			users = append(users, aws.ToString(pair.UserId))
		}
	}
	return users
}

// TestOtherAccounts tests groups that this account does not own.
func TestOtherAccounts(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		rule, source string
		test         func(p *fixture)
	}{
		{"a group of another account is shown only if it is shared, with its owner", sharePage, func(p *fixture) {
			own, shared := p.w.AddOtherAccountGroup(OtherAccount, "own", "vpc-1", false), p.w.AddOtherAccountGroup(OtherAccount, "shared", "vpc-1", true)
			p.is(p.found(&ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{filter("group-id", own, shared)}}), "[shared]")
			out, err := p.c.DescribeSecurityGroups(p.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{shared}})
			p.is(p.code(err), "")
			p.is(*out.SecurityGroups[0].OwnerId, OtherAccount)
			_, err = p.c.DescribeSecurityGroups(p.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{own}})
			p.is(p.code(err), "InvalidGroup.NotFound")
		}},
		{"only its owner can change a group", sharePage, func(p *fixture) {
			own, shared := p.w.AddOtherAccountGroup(OtherAccount, "own", "vpc-1", false), p.w.AddOtherAccountGroup(OtherAccount, "shared", "vpc-1", true)
			p.is(p.authorize(own, open("tcp", 80, 80, "10.0.0.0/8", "")), "InvalidGroup.NotFound")
			p.is(p.authorize(shared, open("tcp", 80, 80, "10.0.0.0/8", "")), "UnauthorizedOperation")
			p.is(p.remove(shared), "UnauthorizedOperation")
			_, err := p.c.CreateTags(p.Context(), &ec2.CreateTagsInput{Resources: []string{own}, Tags: []types.Tag{tag("a", "b")}})
			p.is(p.code(err), "InvalidGroup.NotFound")
		}},
		{"a shared VPC shows its owner, and accepts groups of this account", sharePage, func(p *fixture) {
			p.w.AddVPC("vpc-s", OwnedBy(OtherAccount))
			out, err := p.c.DescribeVpcs(p.Context(), &ec2.DescribeVpcsInput{Filters: []types.Filter{filter("vpc-id", "vpc-s")}})
			p.is(p.code(err), "")
			p.is(*out.Vpcs[0].OwnerId, OtherAccount)
			id, code := p.create("web", "a group", "vpc-s")
			p.is(code, "")
			groups, err := p.c.DescribeSecurityGroups(p.Context(), &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{filter("vpc-id", "vpc-s")}})
			p.is(p.code(err), "")
			p.is(len(groups.SecurityGroups), 1) // the owner's default group is hidden
			p.is(*groups.SecurityGroups[0].OwnerId, Account)
			p.is(p.remove(id), "")
		}},
		{"a rule names a group by its ID; the account does not identify it", peerPage, func(p *fixture) {
			web, own := p.group("web"), p.w.AddOtherAccountGroup(OtherAccount, "own", "vpc-1", false)
			p.is(p.authorize(web, refer(own, "")), "")
			p.is(p.authorize(web, pairOn(80, own, OtherAccount)), "InvalidPermission.Duplicate")
			p.is(p.authorize(web, pairOn(81, own, "111111111111")), "InvalidGroup.NotFound")
			p.is(p.users(web), "["+OtherAccount+"]")
			_, code := p.revoke(web, pairOn(80, own, OtherAccount))
			p.is(code, "")
		}},
		{"a deleted group of another VPC leaves a stale rule, without an account", stalePage, func(p *fixture) {
			p.w.Peer("vpc-1", "vpc-2")
			web, far := p.group("web"), p.w.AddOtherAccountGroup(OtherAccount, "far", "vpc-2", false)
			p.is(p.authorize(web, refer(far, "")), "")
			p.is(p.users(web), "["+OtherAccount+"]")
			p.is(p.code(p.w.RemoveOtherAccountGroup(far)), "")
			p.is(p.users(web), "[]") // one entry, which is empty
			p.is(len(p.users(web)), 1)
			p.is(p.authorize(web, pairOn(81, far, OtherAccount)), "InvalidGroup.NotFound")
			_, code := p.revoke(web, pairOn(80, far, OtherAccount))
			p.is(code, "")
			p.is(p.authorize(web, refer(far, "")), "InvalidGroup.NotFound")
		}},
		{"the owner cannot delete a group that a rule of the same VPC names", deletePage, func(p *fixture) {
			web, own := p.group("web"), p.w.AddOtherAccountGroup(OtherAccount, "own", "vpc-1", false)
			p.is(p.authorize(web, refer(own, "")), "")
			p.is(p.code(p.w.RemoveOtherAccountGroup(own)), "DependencyViolation")
		}},
		{"the account of a peer behind a transit gateway is not shown", transitPage, func(p *fixture) {
			p.w.Transit("vpc-1", "vpc-2")
			web, far := p.group("web"), p.w.AddOtherAccountGroup(OtherAccount, "far", "vpc-2", false)
			p.is(p.authorize(web, pairOn(80, far, OtherAccount)), "")
			p.is(p.users(web), "[]")
			p.is(len(p.users(web)), 1)
			p.is(p.authorize(web, refer(far, "")), "InvalidPermission.Duplicate")
		}},
		{"groups of unconnected VPCs are on different networks", networksPage, func(p *fixture) {
			web, far := p.group("web"), p.w.AddOtherAccountGroup(OtherAccount, "far", "vpc-2", false)
			_, err := p.c.AuthorizeSecurityGroupIngress(p.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &web, IpPermissions: refer(far, "")})
			code, message := failure(err)
			p.is(code+": "+message, "InvalidGroup.NotFound: You have specified two resources that belong to different networks.")
		}},
		{"a rule stays when the connection ends, and can be revoked", stalePage, func(p *fixture) {
			p.w.Peer("vpc-1", "vpc-2")
			web, far := p.group("web"), p.w.AddOtherAccountGroup(OtherAccount, "far", "vpc-2", false)
			p.is(p.authorize(web, refer(far, "")), "")
			p.w.Unpeer("vpc-1", "vpc-2")
			p.is(len(p.users(web)), 1)
			p.is(p.authorize(web, pairOn(81, far, OtherAccount)), "InvalidGroup.NotFound")
			_, code := p.revoke(web, refer(far, ""))
			p.is(code, "")
		}},
		{"another account's groups do not count against the quota", quotaPage, func(p *fixture) {
			p.w.GroupQuota = 5
			p.w.AddOtherAccountGroup(OtherAccount, "own", "vpc-1", false)
			p.group("a")
			_, code := p.create("b", "a group", "vpc-1")
			p.is(code, "SecurityGroupLimitExceeded")
		}},
	} {
		t.Run(one.rule, func(t *testing.T) {
			t.Parallel()
			t.Log("source: " + one.source)
			one.test(newFixture(t))
		})
	}
}

// TestFilterLimitsAndWildcards tests the limits and the wildcards of filters in every describe
// call.
func TestFilterLimitsAndWildcards(t *testing.T) {
	t.Parallel()
	t.Log("source: " + filterPage)
	p := newFixture(t)
	web, _ := p.create("web", "a group", "vpc-1", tag("Team", `a*b?c\d`))
	p.is(p.code(p.w.AttachAs(Lambda, "eni-1", "x", web)), "")
	p.w.AddPrefixList("pl-1", "office", 1, false)
	describes := map[string]func(filters ...types.Filter) (int, error){
		"group-id": func(filters ...types.Filter) (int, error) {
			out, err := p.c.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{Filters: append(filters, filter("group-id", "sg-*"), filter("group-name", "web"))})
			return count(out, err, func() int { return len(out.SecurityGroups) }), err
		},
		"security-group-rule-id": func(filters ...types.Filter) (int, error) {
			out, err := p.c.DescribeSecurityGroupRules(t.Context(), &ec2.DescribeSecurityGroupRulesInput{Filters: append(filters, filter("group-id", web))})
			return count(out, err, func() int { return len(out.SecurityGroupRules) }), err
		},
		"network-interface-id": func(filters ...types.Filter) (int, error) {
			out, err := p.c.DescribeNetworkInterfaces(t.Context(), &ec2.DescribeNetworkInterfacesInput{Filters: filters})
			return count(out, err, func() int { return len(out.NetworkInterfaces) }), err
		},
		"vpc-id": func(filters ...types.Filter) (int, error) {
			out, err := p.c.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{Filters: append(filters, filter("vpc-id", "vpc-?"))})
			return count(out, err, func() int { return len(out.Vpcs) }), err
		},
		"prefix-list-name": func(filters ...types.Filter) (int, error) {
			out, err := p.c.DescribeManagedPrefixLists(t.Context(), &ec2.DescribeManagedPrefixListsInput{Filters: filters})
			return count(out, err, func() int { return len(out.PrefixLists) }), err
		},
	}
	for name, describe := range describes {
		numbers := func(n int) (values []string) {
			for i := range n {
				values = append(values, fmt.Sprintf("none-%d", i))
			}
			return values
		}
		for values, want := range map[int]string{197: "", 201: "FilterLimitExceeded"} {
			_, err := describe(filter(name, numbers(values)...))
			p.is(p.code(err), want)
		}
		for size, want := range map[int]string{255: "", 256: "FilterLimitExceeded"} {
			_, err := describe(filter(name, strings.Repeat("x", size)))
			p.is(p.code(err), want)
		}
		for pattern, found := range map[string]bool{"*": true, "?*": true, "x?*": false, `\*`: false} {
			n, err := describe(filter(name, pattern))
			p.is(p.code(err), "")
			p.is(fmt.Sprint(name, pattern, n > 0), fmt.Sprint(name, pattern, found))
		}
	}
	_, err := p.c.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{filter("group-id", slices.Repeat([]string{"sg-1"}, 101)...), filter("group-name", slices.Repeat([]string{"a"}, 100)...)}})
	p.is(p.code(err), "FilterLimitExceeded")
	for pattern, want := range map[string]string{`a\*b\?c\\d`: "[web]", `a*d`: "[web]", `a*b?c\d`: "[]", `a?b?c?d`: "[web]", `a\*b?c*`: "[web]", `A*`: "[]"} {
		p.is(pattern+fmt.Sprint(p.found(&ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{filter("tag:Team", pattern)}})), pattern+want)
	}
}

func count(_ any, err error, size func() int) int {
	if err != nil {
		return 0
	}
	return size()
}

// TestWildcards includes a pattern that exponential backtracking could not finish.
func TestWildcards(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		pattern, value string
		want           bool
	}{
		{"*", "", true},
		{"**", "x", true},
		{"?", "", false},
		{"?", "ü", true},
		{"??", "ü", false},
		{"a*c", "abcbc", true},
		{"a*c", "abcb", false},
		{`\?`, "?", true},
		{`\?`, "x", false},
		{`\\`, `\`, true},
		{`\a`, "a", true},
		{`x\`, `x\`, true},
		{"*a*b*", "xxaxxbxx", true},
		{"*a*b*", "xxbxxaxx", false},
		{strings.Repeat("a*", 100) + "b", strings.Repeat("a", 250), false},
	} {
		if got := glob(one.pattern, one.value); got != one.want {
			t.Errorf("%q against %q: %v", one.pattern, one.value, got)
		}
	}
}

// TestInterfacesByKind tests the description of each kind of network interface.
func TestInterfacesByKind(t *testing.T) {
	t.Parallel()
	t.Log("source: " + interfacePage)
	p := newFixture(t)
	web := p.group("web")
	for description, kind := range Describes() {
		id := "eni-" + fmt.Sprint(len(description))
		p.is(p.code(p.w.AttachAs(kind, id, description, web)), "")
		out, err := p.c.DescribeNetworkInterfaces(t.Context(), &ec2.DescribeNetworkInterfacesInput{Filters: []types.Filter{filter("network-interface-id", id), filter("group-id", web)}})
		p.is(p.code(err), "")
		one := out.NetworkInterfaces[0]
		p.is(*one.Description, description)
		p.is(one.InterfaceType, kind.Type)
		p.is(*one.RequesterManaged, kind.Requester != "")
		p.is(aws.ToString(one.RequesterId), kind.Requester)
		p.is(one.Attachment != nil, kind.AttachedBy != "")
		if p.is(one.Status, map[bool]string{true: "in-use", false: "available"}[one.Attachment != nil]); one.Attachment != nil {
			p.is(aws.ToString(one.Attachment.InstanceId), kind.Instance)
			p.is(*one.Attachment.InstanceOwnerId, kind.AttachedBy)
		}
		p.is(p.remove(web), "DependencyViolation")
		p.is(p.code(p.w.Attach(id, "")), "")
	}
	// A NAT gateway has no security group but exists.
	p.is(p.code(p.w.AttachAs(NATGateway, "eni-nat", "Interface for NAT Gateway nat-1")), "")
	out, err := p.c.DescribeNetworkInterfaces(t.Context(), &ec2.DescribeNetworkInterfacesInput{})
	p.is(p.code(err), "")
	p.is(len(out.NetworkInterfaces), 1)
	p.is(p.remove(web), "")
}

// TestDeniedOperations checks that a role without one permission is refused that call, with an
// encoded message, and can make all others.
func TestDeniedOperations(t *testing.T) {
	t.Parallel()
	t.Log("source: " + permissionPage)
	p := newFixture(t)
	web := p.group("web")
	p.c.Deny("DescribeNetworkInterfaces", "CreateTags")
	_, err := p.c.DescribeNetworkInterfaces(t.Context(), &ec2.DescribeNetworkInterfacesInput{})
	code, message := failure(err)
	p.is(code, "UnauthorizedOperation")
	p.is(strings.Contains(message, "Encoded authorization failure message: ") && strings.Contains(message, "ec2:DescribeNetworkInterfaces"), true)
	_, code = p.create("db", "a group", "vpc-1", tag("a", "b"))
	p.is(code, "UnauthorizedOperation") // it would also tag
	p.shows("db", false)
	p.is(p.authorize(web, open("tcp", 80, 80, "10.0.0.0/8", "")), "")
	_, err = p.w.Client("other").DescribeNetworkInterfaces(t.Context(), &ec2.DescribeNetworkInterfacesInput{})
	p.is(p.code(err), "")
}

// TestRefusals checks that an error occurs once or permanently, and does not affect other
// operations.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, refusal := range Refusals() {
		p := newFixture(t)
		web := p.group("web")
		p.c.Forget()
		p.c.FailAt(1, Fault{Err: refusal()})
		want, _ := failure(refusal())
		one := open("tcp", 80, 80, "10.0.0.0/8", "")
		p.is(name+p.authorize(web, one), name+want)
		p.is(p.authorize(web, one), "")
		p.c.FailAt(3, Fault{Err: refusal(), Lasting: true})
		for range 3 {
			_, code := p.revoke(web, one)
			p.is(code, want)
		}
		p.is(p.authorize(web, open("tcp", 81, 81, "10.0.0.0/8", "")), "")
		p.c.Forget()
		p.c.FailOperation("DeleteSecurityGroup", Fault{Err: refusal()})
		p.is(p.remove(web), want)
		p.is(p.remove(web), want)
		p.c.Forget()
		p.is(p.remove(web), "")
	}
}

// TestRepeatedCalls tests which answer a caller gets if the first answer is lost and its SDK
// repeats the call.
func TestRepeatedCalls(t *testing.T) {
	t.Parallel()
	t.Log("source: " + retryPage)
	p := newFixture(t)
	p.w.Latency = time.Millisecond
	web := p.group("web")
	repeat := func() {
		p.c.Forget()
		p.c.FailAt(1, Fault{Repeated: true})
	}
	repeat()
	_, code := p.create("db", "a group", "vpc-1")
	p.is(code, "InvalidGroup.Duplicate")
	p.shows("db", true)
	repeat()
	p.is(p.authorize(web, open("tcp", 80, 80, "10.0.0.0/8", "")), "InvalidPermission.Duplicate")
	repeat()
	_, code = p.revoke(web, open("tcp", 80, 80, "10.0.0.0/8", ""))
	p.is(code, "InvalidPermission.NotFound")
	repeat()
	_, err := p.c.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{web}, Tags: []types.Tag{tag("a", "b")}})
	p.is(p.code(err), "")
	repeat()
	p.is(p.remove(web), "InvalidGroup.NotFound")
	p.shows("web", false)
}
