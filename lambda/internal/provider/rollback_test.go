package provider_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"sgchain/lambda/internal/proof/world"
)

// A peer of a chain is deleted, an update fails, and its rollback succeeds with every rule that
// still exists.
func TestRollbackWithDeletedPeers(t *testing.T) {
	t.Parallel()
	const list, listed = "pl-0123456789abcdef0", "com.amazonaws.us-east-1.s3"
	for name, test := range map[string]struct {
		source func(r *rig) string
		goes   func(r *rig, source string)
	}{
		"a group of this account": {func(r *rig) string { return r.peerGroup() }, func(r *rig, source string) { r.deleteOutOfBand(source) }},
		"a group of another account": {
			func(r *rig) string {
				return world.OtherAccount + "/" + r.world.AddOtherAccountGroup(world.OtherAccount, "theirs", peeredVPC, false)
			},
			func(r *rig, source string) {
				if err := r.world.RemoveOtherAccountGroup(strings.TrimPrefix(source, world.OtherAccount+"/")); err != nil {
					r.t.Error(err)
				}
			},
		},
		"a prefix list": {func(*rig) string { return list }, func(r *rig, _ string) { r.world.AddPrefixList("pl-0aaaaaaaaaaaaaaaa", listed, 1, false) }},
		"a prefix list by its name": {
			func(*rig) string { return listed },
			func(r *rig, _ string) {
				r.world.AddPrefixList(list, "renamed", 1, false, netip.MustParsePrefix("192.0.2.0/24"))
			},
		},
		"a group that is shared no longer, by its name": {
			func(r *rig) string {
				r.world.AddOtherAccountGroup(world.OtherAccount, "theirs", vpcID, true)
				return "group/theirs"
			},
			func(r *rig, _ string) { r.world.Unshare("theirs") },
		},
		"a prefix list by a name that another one has as well": {
			func(*rig) string { return "list/" + listed },
			func(r *rig, _ string) { r.world.AddPrefixList("pl-0aaaaaaaaaaaaaaaa", listed, 1, false) },
		},
		"a list that becomes heavy":          {func(*rig) string { return list }, func(r *rig, _ string) { r.world.AddPrefixList(list, listed, 61, false) }},
		"the right to look up prefix lists":  {func(*rig) string { return listed }, func(r *rig, _ string) { r.ec2.Deny("DescribeManagedPrefixLists") }},
		"the right to look up VPCs":          {func(*rig) string { return "vpc" }, func(r *rig, _ string) { r.ec2.Deny("DescribeVpcs") }},
		"a VPC that is not connected longer": {func(r *rig) string { return r.peerGroup() }, func(r *rig, _ string) { r.world.Unpeer(vpcID, peeredVPC) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, func(t *testing.T, r *rig) {
				r.world.AddVPC(peeredVPC)
				r.world.Peer(vpcID, peeredVPC)
				r.world.AddPrefixList(list, listed, 1, false, netip.MustParsePrefix("192.0.2.0/24"))
				source := test.source(r)
				old := props(tier("Web", "Ports", 443, "Sources", source), tier("App", "Ports", 6060))
				id := r.succeeds(r.create(old)).PhysicalResourceID
				before := r.world.String()
				test.goes(r, source)
				now := props(tier("Web", "Ports", []any{443, 444}, "Sources", source), tier("App", "Ports", 6060))
				r.update(id, now, old) // another resource fails, whatever this one answers
				back := r.succeeds(r.rollback(id, old, now))
				if after := r.world.String(); rulesOf(after) != rulesOf(before) || back.PhysicalResourceID != id {
					t.Errorf("after the rollback:\n%s\nbefore the update:\n%s", after, before)
				}
			})
		})
	}
}

// rulesOf returns the chain's groups and their rules from a printed world.
func rulesOf(text string) string {
	var groups []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, " ") {
			groups = append(groups, "")
		}
		groups[len(groups)-1] += line
	}
	return strings.Join(slices.DeleteFunc(groups, func(group string) bool { return !strings.Contains(group, "tag sgchain:stack-id") }), "")
}

// peerGroup creates a group of this account in the peered VPC.
func (r *rig) peerGroup() string {
	r.t.Helper()
	made, err := r.world.Client("other").CreateSecurityGroup(r.t.Context(), &ec2.CreateSecurityGroupInput{
		GroupName: aws.String("peer"), Description: aws.String("peer"), VpcId: aws.String(peeredVPC),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return *made.GroupId
}

// A rule that the failed update revoked and that EC2 no longer accepts does not fail the rollback.
func TestRollbackLeavesOutRulesOfDeletedPeers(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, r *rig) {
		r.world.AddVPC(peeredVPC)
		r.world.Peer(vpcID, peeredVPC)
		gone := r.world.AddOtherAccountGroup(world.OtherAccount, "theirs", peeredVPC, false)
		old := props(tier("Web", "Ports", 443, "Sources", []any{world.OtherAccount + "/" + gone, "203.0.113.0/24"}))
		id := r.succeeds(r.create(old)).PhysicalResourceID
		now := props(tier("Web", "Ports", 443, "Sources", "198.51.100.0/24"))
		r.succeeds(r.update(id, now, old))
		if err := r.world.RemoveOtherAccountGroup(gone); err != nil {
			t.Fatal(err)
		}
		back := r.succeeds(r.rollback(id, old, now))
		group := attribute(back, "Web")
		if !r.world.AllowsFrom(netip.MustParseAddr("203.0.113.9"), group, "tcp", 443) || r.world.AllowsFrom(netip.MustParseAddr("198.51.100.9"), group, "tcp", 443) {
			t.Errorf("after the rollback:\n%s", r.world)
		}
		if warnings := fmt.Sprint(back.Data["Warnings"]); !strings.Contains(warnings, "lacks the rule ingress tcp 443 from "+world.OtherAccount+"/"+gone) {
			t.Errorf("warnings %q", warnings)
		}
	})
}

// An update replaces a rule for a prefix list by one for all addresses. At the rollback the
// permission to look the list up is missing. The new rule stays, because the list's entries may use
// either. The next update corrects it.
func TestRollbackKeepsRulesIfLookUpFails(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, r *rig) {
		const listed = "com.amazonaws.us-east-1.s3"
		both, outside := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("203.0.113.9")
		r.world.AddPrefixList("pl-0123456789abcdef0", listed, 1, false, netip.MustParsePrefix("192.0.2.0/24"))
		old := props(tier("Web", "Ports", []any{443, 444}, "Sources", listed), tier("App", "Ports", 6060))
		id := r.succeeds(r.create(old)).PhysicalResourceID
		now := props(tier("Web", "Ports", []any{443, 8443}, "Sources", "internet"), tier("App", "Ports", 6060))
		r.succeeds(r.update(id, now, old))
		r.ec2.Deny("DescribeManagedPrefixLists")
		back := r.succeeds(r.rollback(id, old, now))
		group := attribute(back, "Web")
		for port, want := range map[int32]bool{443: true, 444: false, 8443: false} { // 8443 replaces no rule
			if is := r.world.AllowsFrom(both, group, "tcp", port); is != want {
				t.Errorf("after the rollback port %d is open: %t, want %t", port, is, want)
			}
		}
		warnings := fmt.Sprint(back.Data["Warnings"])
		for _, want := range []string{
			"tier Web lacks the rule ingress tcp 443 from " + listed, "tier Web lacks the rule ingress tcp 444 from " + listed,
			"tier Web keeps the rule ingress tcp 443 from 0.0.0.0/0", "its peer could not be looked up",
		} {
			if !strings.Contains(warnings, want) {
				t.Errorf("warnings %q, want %q", warnings, want)
			}
		}
		r.ec2.Allow()
		again := props(tier("Web", "Ports", []any{443, 444}, "Sources", listed), tier("App", "Ports", 6060))
		again["Revision"] = "2"
		r.succeeds(r.update(id, again, old))
		if !r.world.AllowsFrom(both, group, "tcp", 444) || r.world.AllowsFrom(outside, group, "tcp", 443) {
			t.Errorf("after the next update:\n%s", r.world)
		}
	})
}

// A look-up that fails for a moment does not make the rollback leave out or keep any rule.
func TestRollbackRetriesLookUp(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, r *rig) {
		const listed = "com.amazonaws.us-east-1.s3"
		r.world.AddPrefixList("pl-0123456789abcdef0", listed, 1, false, netip.MustParsePrefix("192.0.2.0/24"))
		old, now := props(tier("Web", "Ports", 443, "Sources", listed)), props(tier("Web", "Ports", 443, "Sources", "internet"))
		id := r.succeeds(r.create(old)).PhysicalResourceID
		before := r.world.String()
		r.succeeds(r.update(id, now, old))
		r.ec2.FailOperation("DescribeManagedPrefixLists", world.Fault{Err: world.NewError("InternalError", "An internal error has occurred")})
		time.AfterFunc(12*time.Second, func() { r.ec2.FailOperation("DescribeManagedPrefixLists", world.Fault{}) }) // after the wait for older runs
		back := r.succeeds(r.rollback(id, old, now))
		if after := r.world.String(); rulesOf(after) != rulesOf(before) || back.Data["Warnings"] != "" {
			t.Errorf("warnings %v, after the rollback:\n%s\nbefore the update:\n%s", back.Data["Warnings"], after, before)
		}
	})
}

// If the previous rules fill the group, no rule is kept instead of the one that cannot be looked
// up, and the rollback succeeds. A kept rule may name a tier as well as a range.
func TestRollbackKeepsRulesThatFit(t *testing.T) {
	t.Parallel()
	const listed = "com.amazonaws.us-east-1.s3"
	ranges := func(third, count int) []any {
		var list []any
		for i := range count {
			list = append(list, fmt.Sprintf("10.%d.%d.0/24", third, i))
		}
		return list
	}
	for name, test := range map[string]struct {
		old, now any
		keeps    bool
	}{
		"there is room":    {append(ranges(1, 9), listed), ranges(2, 10), true},
		"there is none":    {append(ranges(1, 59), listed), ranges(2, 40), false},
		"a rule of a tier": {[]any{listed}, "Alb", true},
		"a way to itself":  {[]any{listed}, "self", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, func(t *testing.T, r *rig) {
				r.world.AddPrefixList("pl-0123456789abcdef0", listed, 1, false, netip.MustParsePrefix("192.0.2.0/24"))
				old := props(tier("Alb", "Ports", 443), tier("Web", "Ports", 443, "Sources", test.old))
				id := r.succeeds(r.create(old)).PhysicalResourceID
				now := props(tier("Alb", "Ports", 443), tier("Web", "Ports", 443, "Sources", test.now))
				r.succeeds(r.update(id, now, old))
				r.ec2.Deny("DescribeManagedPrefixLists")
				back := r.succeeds(r.rollback(id, old, now))
				if keeps := strings.Contains(fmt.Sprint(back.Data["Warnings"]), "tier Web keeps the rule ingress tcp 443 from "); keeps != test.keeps {
					t.Errorf("the rollback keeps rules of the failed update: %t, want %t:\n%s", keeps, test.keeps, r.world)
				}
			})
		})
	}
}

// In a rollback the arithmetic refuses nothing, and EC2's own refusal does not fail it.
func TestRollbackRevokesFirstIfGroupIsFull(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, r *rig) {
		r.world.RuleQuota = 5
		door := func(port int, sources ...any) properties {
			return having(props(tier("Web", "Ports", port, "Sources", sources)), "RuleQuota", 5)
		}
		old := door(443, "203.0.113.0/26", "203.0.113.64/26", "203.0.113.128/26", "203.0.113.192/26", "198.51.100.0/24")
		created := r.succeeds(r.create(old))
		id := created.PhysicalResourceID
		now := door(443, "192.0.2.0/26", "192.0.2.64/26", "192.0.2.128/26")
		r.succeeds(r.update(id, now, old))
		r.authorizeOutOfBand(attribute(created, "Web"), tcpFrom(443, "203.0.0.0/16"))  // these share flows with what the rollback needs,
		r.authorizeOutOfBand(attribute(created, "Web"), tcpFrom(443, "198.51.0.0/16")) // and fill the group
		back := r.succeeds(r.rollback(id, old, now))
		if !r.world.AllowsFrom(netip.MustParseAddr("203.0.113.200"), attribute(back, "Web"), "tcp", 443) {
			t.Errorf("after the rollback:\n%s", r.world)
		}
		if warnings := fmt.Sprint(back.Data["Warnings"]); !strings.Contains(warnings, "the rollback revoked old rules first") {
			t.Errorf("warnings %q", warnings)
		}
	})
}

// A rollback to properties that today's rules refuse, and an update from them, are served. An
// update to them is refused, and nothing is written.
func TestRollbackToRefusedProperties(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, r *rig) {
		// As an earlier release accepted it: the first tier is open to the internet.
		old, meant := props(tier("Web", "Ports", 443, "Sources", []any{})), props(tier("Web", "Ports", 443))
		id := r.succeeds(r.create(meant)).PhysicalResourceID
		now := props(tier("Web", "Ports", []any{443, 80}))
		r.succeeds(r.update(id, now, old))
		r.succeeds(r.rollback(id, old, now))
		before := r.world.String()
		r.forget()
		r.fails(r.update(id, old, now), "Tiers[0].Sources")
		if r.writesNothing(); r.world.String() != before {
			t.Errorf("the world changed:\n%s", r.world)
		}
		r.succeeds(r.destroy(id, old))
	})
}

// A Delete succeeds with properties of any size and shape, with as many calls as with its own.
func TestDeleteIgnoresProperties(t *testing.T) {
	t.Parallel()
	var tiers, peers []any
	for i := range 4000 {
		tiers = append(tiers, tier(fmt.Sprint("T", i), "Ports", i))
		peers = append(peers, fmt.Sprint("nobody-", i))
	}
	for name, hostile := range map[string]properties{
		"tiers":   props(tiers...),
		"peers":   props(tier("Web", "Ports", 443, "Sources", peers)),
		"text":    having(props(), "Tiers", strings.Repeat("[", 200_000)),
		"timeout": having(props(), "ServiceTimeout", []any{"1e9"}),
		"nothing": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, func(t *testing.T, r *rig) {
				id := r.succeeds(r.create(props(tier("Z", "Ports", 443), tier("M", "Ports", 6060), tier("A", "Ports", 5432)))).PhysicalResourceID
				r.forget()
				r.succeeds(r.destroy(id, hostile))
				if n := len(r.world.Calls()); n != 3+1+2 || len(r.world.Groups()) != 0 {
					t.Errorf("%d calls; left: %v", n, r.world.Groups())
				}
			})
		})
	}
}

// An update is dated some seconds after the last change of status. It is cancelled while it writes,
// and then does not write during its rollback.
func TestCancelledUpdateWithClockSkew(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{"while it waits": 5 * time.Second, "while it writes": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, func(t *testing.T, r *rig) {
				old := props(tier("Web", "Ports", 443))
				id := r.succeeds(r.create(old)).PhysicalResourceID
				r.world.Latency = 3 * time.Second
				var tiers []any
				for i := range 12 {
					tiers = append(tiers, tier(fmt.Sprint("T", i), "Ports", 1000+i))
				}
				now := props(append([]any{tier("Web", "Ports", 443)}, tiers...)...)
				r.stack.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", id)
				r.stack.updated = time.Now()
				<-time.After(4 * time.Second)
				event := r.event(cfn.RequestUpdate, id, now, old)
				answered := make(chan cfn.Response)
				go func() { answered <- r.deliver(event) }()
				<-time.After(after)
				r.stack.set("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS", id)
				<-time.After(5 * time.Second) // what is in flight ends
				writes := r.world.Writes()
				r.fails(<-answered, "the Update request is over")
				if more := r.world.Writes() - writes; more > 0 {
					t.Errorf("%d writes beside the rollback", more)
				}
			})
		})
	}
}

// The Delete of a resource that this provider refused to create succeeds without a read or a write.
func TestDeleteOfUnservedResource(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(r *rig){
		"another type": func(*rig) {}, "another account": func(r *rig) { r.stackID = strings.Replace(stackID, "123456789012", "210987654321", 1) },
		"another Region": func(r *rig) { r.stackID = strings.Replace(stackID, "us-east-1", "eu-west-1", 1) },
		"no stack":       func(r *rig) { r.stackID = "Shop" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.stack.set("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
				change(r)
				send := func(kind cfn.RequestType, id string) cfn.Response {
					event := r.event(kind, id, props(), nil)
					if name == "another type" {
						event.ResourceType = "Custom::Chain"
					}
					return r.deliver(event)
				}
				id := r.fails(send(cfn.RequestCreate, ""), "checking event").PhysicalResourceID
				r.stack.set("ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS", id)
				reads := r.stack.reads
				r.forget()
				r.succeeds(send(cfn.RequestDelete, id))
				if len(r.world.Calls()) != 0 || r.stack.reads != reads {
					t.Errorf("it called %v, and CloudFormation %d times", r.world.Calls(), r.stack.reads-reads)
				}
			})
		})
	}
}
