package inventory_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/describe"
	"sgchain/lambda/internal/proof/world"
)

// byHand fills the account with groups and rules of another owner.
func (a *account) byHand(d random) {
	client := a.world.Client("somebody")
	names := some(d, 8, []string{"web", "app", "db-sg", "Web App", "internet", "self", "vpc", "2048", "launch-wizard-1", "(ugly) #1", "sg"})
	var peers []string
	for place, name := range names {
		tags := []types.Tag{{Key: aws.String("Team"), Value: aws.String("ä 漢字")}}
		if d.oneIn(2) { // several have the same name, in different cases
			tags = append(tags, types.Tag{Key: aws.String("Name"), Value: aws.String(pick(d, "front", "Front", "FRONT", "漢字", "", "vpc", "9 lives", strings.Repeat("long ", 40)))})
		}
		for range pick(d, 0, 0, 0, 40) {
			tags = append(tags, types.Tag{Key: aws.String(fmt.Sprint("key-", len(tags))), Value: aws.String("v")})
		}
		created, err := client.CreateSecurityGroup(a.t.Context(), &ec2.CreateSecurityGroupInput{
			GroupName: &name, Description: aws.String(pick(d, "made by hand", "Security group of tier Front", " blanks around ", "launch-wizard-1 created 2026-01-01T00:00:00.000Z")), VpcId: aws.String(vpcID),
			TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeSecurityGroup, Tags: tags[:min(len(tags), 43+place%2)]}},
		})
		if err != nil {
			a.t.Fatal(err)
		}
		peers = append(peers, *created.GroupId)
	}
	own := slices.Clone(peers)
	elsewhere, err := client.CreateSecurityGroup(a.t.Context(), &ec2.CreateSecurityGroupInput{GroupName: aws.String("peered"), Description: aws.String("peered"), VpcId: aws.String(peerVPC)})
	if err != nil {
		a.t.Fatal(err)
	}
	peers = append(peers, *elsewhere.GroupId, a.world.AddOtherAccountGroup(world.OtherAccount, "foreign", peerVPC, d.oneIn(2)), a.defaultGroup())
	for _, id := range own {
		for range pick(d, 0, 1, 3, 6, 12, d.IntN(70)) {
			a.authorize(id, d.permission(peers))
		}
		if d.oneIn(3) {
			a.revokeDefault(id)
		}
	}
}

// defaultGroup returns the default group of the VPC.
func (a *account) defaultGroup() string {
	out, err := a.world.Client("somebody").DescribeSecurityGroups(a.t.Context(), &ec2.DescribeSecurityGroupsInput{
		Filters: []types.Filter{{Name: aws.String("vpc-id"), Values: []string{vpcID}}, {Name: aws.String("group-name"), Values: []string{"default"}}},
	})
	if err != nil || len(out.SecurityGroups) != 1 {
		a.t.Fatal(err, out)
	}
	return *out.SecurityGroups[0].GroupId
}

// permission returns a random rule.
func (d random) permission(groups []string) types.IpPermission {
	one := types.IpPermission{IpProtocol: aws.String(pick(d, "tcp", "tcp", "tcp", "udp", "icmp", "icmpv6", "-1", "50", "0", "255"))}
	between := func(from, to int32) { one.FromPort, one.ToPort = &from, &to }
	switch *one.IpProtocol {
	case "tcp", "udp":
		from := pick[int32](d, 0, 22, 80, 443, 8000, int32(d.IntN(60000)))
		between(from, pick(d, from, from, from+10, 65535))
	case "icmp":
		between(pick(d, [2]int32{-1, -1}, [2]int32{8, -1}, [2]int32{3, 4}, [2]int32{0, 0}, [2]int32{255, 255})[0], -1)
		if d.oneIn(2) {
			between(pick[int32](d, 0, 3, 255), pick[int32](d, -1, 0, 4, 255))
		}
	case "icmpv6":
		if d.oneIn(2) {
			between(pick[int32](d, 0, 128, 255), pick[int32](d, -1, 0, 255))
		}
	}
	description := pick(d, nil, nil, aws.String("from the office"), aws.String(" blanks "), aws.String("internet to Web: tcp 80"), aws.String("x"), aws.String(strings.Repeat("y", 255)))
	switch kind := d.IntN(10); {
	case kind < 3 && *one.IpProtocol != "icmpv6":
		if d.oneIn(5) {
			description = aws.String("people & machines")
		}
		one.IpRanges = []types.IpRange{{CidrIp: aws.String(pick(d, "0.0.0.0/0", "10.1.0.0/16", "10.1.0.0/24", "10.0.0.0/8", "0.0.0.0/1", "192.0.2.7/32")), Description: description}}
	case kind < 5 && *one.IpProtocol != "icmp":
		one.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: aws.String(pick(d, "::/0", "2001:db8:1::/56", "2001:db8::/32", "fd00::1/128")), Description: description}}
	case kind < 6:
		one.PrefixListIds = []types.PrefixListId{{PrefixListId: aws.String(pick(d, storageList, edgeList, officeList)), Description: description}}
	default:
		one.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: aws.String(pick(d, groups...)), Description: description}}
	}
	return one
}

// authorize adds a rule in either direction, unless it exists.
func (a *account) authorize(id string, one types.IpPermission) {
	client := a.world.Client("somebody")
	_, err := client.AuthorizeSecurityGroupIngress(a.t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: []types.IpPermission{one}})
	if a.serial++; a.serial%3 == 0 {
		_, err = client.AuthorizeSecurityGroupEgress(a.t.Context(), &ec2.AuthorizeSecurityGroupEgressInput{GroupId: &id, IpPermissions: []types.IpPermission{one}})
	}
	var coded interface{ ErrorCode() string }
	if err != nil && (!errors.As(err, &coded) || coded.ErrorCode() != "InvalidPermission.Duplicate") {
		a.t.Fatalf("%v: %s", err, fmt.Sprint(one))
	}
}

func (a *account) revokeDefault(id string) {
	if _, err := a.world.Client("somebody").RevokeSecurityGroupEgress(a.t.Context(), &ec2.RevokeSecurityGroupEgressInput{GroupId: &id, IpPermissions: []types.IpPermission{{
		IpProtocol: aws.String("-1"), IpRanges: []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}},
	}}}); err != nil {
		a.t.Fatal(err)
	}
}

// withoutTags prints the world without tags.
func (a *account) withoutTags() string {
	var lines []string
	for line := range strings.Lines(a.world.String()) {
		if !strings.HasPrefix(strings.TrimSpace(line), "tag ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// TestExistingGroupsAreAdoptedUnchanged describes random groups, has the provider adopt them, and then updates them. The adoption writes
// only tags. The update changes only the descriptions that were announced.
func TestExistingGroupsAreAdoptedUnchanged(t *testing.T) {
	t.Parallel()
	const wanted = 80
	kinds := map[string]int{}
	for seed := uint64(1); seed <= wanted; seed++ {
		synctest.Test(t, func(t *testing.T) {
			d := newRandom(seed)
			var options []world.VPCOption
			if d.oneIn(2) {
				options = append(options, world.IPv6)
			}
			a := newAccount(t, options...)
			a.world.RuleQuota = 1000
			a.addLists()
			a.byHand(d)
			read := a.read()
			found, proof, err := imported(read)
			if err != nil || len(proof.Differences) > 0 {
				t.Fatalf("seed %d: %v\ndiffers: %s\ndescribed as %s\nin %s", seed, err, strings.Join(proof.Differences, "\n"), text(found.Properties()), a.world)
			}
			before := a.withoutTags()
			a.world.Forget()
			now := found.Properties()
			if answer := a.deploy(now, nil); answer.Status != cfn.StatusSuccess {
				t.Fatalf("seed %d: adopting failed: %s\n%s\nin %s", seed, answer.Reason, text(now), a.world)
			}
			for _, call := range a.writes() {
				if kinds[call.Operation]++; call.Operation != "CreateTags" {
					t.Errorf("seed %d: the adoption writes: %s", seed, call)
				}
			}
			if after := a.withoutTags(); after != before {
				t.Errorf("seed %d: adopted:\n%s\nbefore:\n%s", seed, after, before)
			}
			a.world.Forget()
			next := maps.Clone(now)
			next["Revision"] = "2"
			if answer := a.deploy(next, now); answer.Status != cfn.StatusSuccess {
				t.Fatalf("seed %d: updating failed: %s", seed, answer.Reason)
			}
			var got []string
			for _, call := range a.writes() {
				switch kinds["later "+call.Operation]++; in := call.Input.(type) {
				case *ec2.CreateTagsInput:
				case *ec2.UpdateSecurityGroupRuleDescriptionsIngressInput:
					got = append(got, described(*in.GroupId, "ingress", in.IpPermissions)...)
				case *ec2.UpdateSecurityGroupRuleDescriptionsEgressInput:
					got = append(got, described(*in.GroupId, "egress", in.IpPermissions)...)
				default:
					t.Errorf("seed %d: the update writes: %s", seed, call)
				}
			}
			var want []string
			for _, one := range proof.Rewritten {
				want = append(want, one.GroupID+" "+string(one.Rule.Direction)+" "+one.Now)
			}
			slices.Sort(got)
			if slices.Sort(want); !slices.Equal(got, want) {
				t.Errorf("seed %d: it changes the descriptions\n%s\nannounced were\n%s\nof %s\nin %s", seed, strings.Join(got, "\n"), strings.Join(want, "\n"), text(now), before)
			}
		})
		if t.Failed() {
			return
		}
	}
	for _, operation := range []string{"CreateTags", "later UpdateSecurityGroupRuleDescriptionsIngress", "later UpdateSecurityGroupRuleDescriptionsEgress"} {
		if kinds[operation] == 0 {
			t.Errorf("there was no %s", operation)
		}
	}
}

// TestSplitChainsAreAdoptedUnchanged describes the groups of a VPC in two chains that name each other's groups, as if one chain had no
// room for all. It has the provider adopt both.
func TestSplitChainsAreAdoptedUnchanged(t *testing.T) {
	t.Parallel()
	split := 0
	for seed := uint64(1000); seed < 1020; seed++ {
		synctest.Test(t, func(t *testing.T) {
			a := newAccount(t)
			a.world.RuleQuota = 1000
			a.addLists()
			a.byHand(newRandom(seed))
			read := a.read()
			tiers, _ := describe.Choose(groupsOf(read), describe.Options{Account: read.Found.Account})
			if len(tiers) < 2 {
				return
			}
			split++
			before := a.withoutTags()
			for i, half := range [][]describe.Group{tiers[:len(tiers)/2], tiers[len(tiers)/2:]} {
				chains, err := describe.Chains(half, read.Found)
				if err != nil || len(chains) != 1 || len(chains[0].Prove(half, read.Found).Differences) > 0 {
					t.Fatalf("seed %d: %v", seed, err)
				}
				a.logicalID, a.physicalID = fmt.Sprint("Chain", i+1), ""
				if answer := a.deploy(chains[0].Properties(), nil); answer.Status != cfn.StatusSuccess {
					t.Fatalf("seed %d: adopting failed: %s\n%s", seed, answer.Reason, text(chains[0].Properties()))
				}
			}
			for _, call := range a.writes() {
				if call.Operation != "CreateTags" {
					t.Errorf("seed %d: an adoption writes: %s", seed, call)
				}
			}
			if after := a.withoutTags(); after != before {
				t.Errorf("seed %d: adopted:\n%s\nbefore:\n%s", seed, after, before)
			}
		})
	}
	if split < 10 {
		t.Errorf("only %d of them were split", split)
	}
}

// described lists the descriptions that a call writes.
func described(id, direction string, permissions []types.IpPermission) []string {
	var all []string
	add := func(text *string) { all = append(all, id+" "+direction+" "+aws.ToString(text)) }
	for _, one := range permissions {
		for _, peer := range one.IpRanges {
			add(peer.Description)
		}
		for _, peer := range one.Ipv6Ranges {
			add(peer.Description)
		}
		for _, peer := range one.PrefixListIds {
			add(peer.Description)
		}
		for _, peer := range one.UserIdGroupPairs {
			add(peer.Description)
		}
	}
	return all
}
