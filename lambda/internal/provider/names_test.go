package provider_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/proof/world"
)

// All groups by name take one call, and all lists by name another one, at the same time as those by
// ID. A chain without names makes neither call.
func TestNamedPeersAreLookedUpOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sources       []any
		groups, lists int
	}{
		"no names":         {[]any{"10.0.0.0/8"}, 0, 0},
		"names of groups":  {[]any{"group/ops", "group/default", "group/a*b"}, 1, 0},
		"names of lists":   {[]any{"list/office", "list/o*e", "com.amazonaws.{region}.s3"}, 0, 1},
		"names and IDs":    {[]any{"group/ops", "list/office", "pl-0b"}, 1, 2},
		"names of a group": {[]any{"group/ops", "self"}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, func(t *testing.T, r *rig) {
				r.world.AddPrefixList("pl-0a", "office", 1, false)
				r.world.AddPrefixList("pl-0b", "o*e", 1, false) // as a pattern it matches the other one, too
				r.world.AddPrefixList("pl-0c", "com.amazonaws.us-east-1.s3", 1, false)
				r.existingGroup("ops", "of people")
				r.existingGroup("a*b", "of people")
				r.existingGroup("a-b", "which the name of the other one matches as a pattern")
				now := props(tier("Web", "Ports", 443, "Sources", test.sources))
				r.forget()
				id := r.succeeds(r.create(now)).PhysicalResourceID
				if groups, lists := r.operations("DescribeSecurityGroups")-2, r.operations("DescribeManagedPrefixLists"); groups != test.groups || lists != test.lists {
					t.Errorf("%d and %d look-ups, want %d and %d: %v", groups, lists, test.groups, test.lists, r.world.Calls())
				}
				r.forget()
				r.succeeds(r.update(id, now, now))
				if r.world.Writes() != 0 {
					t.Errorf("a second run wrote: %v", r.world.Calls())
				}
			})
		})
	}
}

// A name is compared exactly, with the groups of the chain's own VPC, whatever EC2's filter
// returns.
func TestNamedPeersAreExact(t *testing.T) {
	t.Parallel()
	for name, ignores := range map[string]bool{"EC2": false, "an engine without filters": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, func(t *testing.T, r *rig) {
				r.world.IgnoreFilters = ignores
				r.world.AddVPC(peeredVPC)
				r.peerGroup() // has the name peer, in another VPC
				r.world.AddPrefixList("pl-0a", "office", 1, false)
				r.world.AddPrefixList("pl-0b", "off*", 1, false)
				shared := r.world.AddOtherAccountGroup(world.OtherAccount, "shared", vpcID, true)
				star := r.existingGroup("a*", "of people")
				r.existingGroup("ab", "which the name of the other one matches as a pattern")
				answer := r.succeeds(r.create(props(tier("Web", "Ports", 443, "Sources", []any{"group/a*", "group/default", "group/shared", "list/off*"}))))
				text := r.world.String()
				for _, want := range []string{"443-443 a* ", "443-443 default ", "443-443 shared ", "443-443 pl-0b "} {
					if !strings.Contains(text, "ingress tcp "+want) {
						t.Errorf("there is no rule %s:\n%s", want, text)
					}
				}
				if n := strings.Count(text, "ingress tcp 443-443"); n != 4 || !r.world.Allows(star, attribute(answer, "Web"), "tcp", 443) || !r.world.Allows(shared, attribute(answer, "Web"), "tcp", 443) {
					t.Errorf("%d rules:\n%s", n, text)
				}
				before := r.world.String()
				r.forget()
				r.fails(r.create(props(tier("Db", "Ports", 1, "Sources", []any{"group/A*", "group/peer", "list/OFFICE"}))),
					"looking up peer (group/A*) of tier Db: VPC "+vpcID+" has no security group of this name", "looking up peer (group/peer)", "looking up peer (list/OFFICE)", "Nothing was changed")
				if r.writesNothing(); r.world.String() != before {
					t.Errorf("the world changed:\n%s", r.world)
				}
			})
		})
	}
}

// Names of prefix lists need not be unique. An update with a name that several have is refused, and
// a rollback or a delete is not.
func TestAmbiguousNameIsRefused(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, r *rig) {
		r.world.AddPrefixList("pl-0a", "office", 1, false, netip.MustParsePrefix("192.0.2.0/24"))
		old := props(tier("Web", "Ports", []any{443, 444}, "Sources", "list/office"))
		id := r.succeeds(r.create(old)).PhysicalResourceID
		now := props(tier("Web", "Ports", []any{443, 445}, "Sources", []any{"list/office", "203.0.113.0/24"}))
		r.succeeds(r.update(id, now, old))
		r.world.AddPrefixList("pl-0b", "office", 1, false)
		before := r.world.String()
		r.forget()
		r.fails(r.update(id, having(now, "Revision", "2"), now), "looking up peer (list/office) of tier Web: several have this name: pl-0a, pl-0b",
			"Nothing was changed. Write the ID of the intended one instead of the name.")
		if r.writesNothing(); r.world.String() != before {
			t.Errorf("the world changed:\n%s", r.world)
		}
		back := r.succeeds(r.rollback(id, old, now))
		group := attribute(back, "Web")
		if !r.world.AllowsFrom(office, group, "tcp", 443) || r.world.AllowsFrom(netip.MustParseAddr("203.0.113.9"), group, "tcp", 443) || r.world.AllowsFrom(office, group, "tcp", 445) {
			t.Errorf("after the rollback:\n%s", r.world)
		}
		if warnings := fmt.Sprint(back.Data["Warnings"]); !strings.Contains(warnings, "tier Web lacks the rule ingress tcp 444 from list/office: several resources have the name of its peer (pl-0a, pl-0b). Use the ID of one") {
			t.Errorf("warnings %q", warnings)
		}
		r.succeeds(r.destroy(id, old))
	})
}

// An update replaces a prefix list's name by its ID, and opens another port to all addresses. At
// the rollback several lists have the name. The list's entries may use both rules, so both stay
// until the next update.
func TestRollbackWithAmbiguousName(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, r *rig) {
		r.world.AddPrefixList("pl-0a", "office", 1, false, netip.MustParsePrefix("192.0.2.0/24"))
		old := props(tier("Web", "Ports", []any{443, 444}, "Sources", "list/office"))
		id := r.succeeds(r.create(old)).PhysicalResourceID
		now := props(tier("Web", "Ingress", []any{map[string]any{"Ports": 443, "Sources": "pl-0a"}, map[string]any{"Ports": []any{444, 8443}, "Sources": "internet"}}))
		r.succeeds(r.update(id, now, old))
		r.world.AddPrefixList("pl-0b", "office", 1, false)
		back := r.succeeds(r.rollback(id, old, now))
		for port, want := range map[int32]bool{443: true, 444: true, 8443: false} { // 8443 replaces no rule
			if is := r.world.AllowsFrom(office, attribute(back, "Web"), "tcp", port); is != want {
				t.Errorf("after the rollback port %d is open: %t, want %t", port, is, want)
			}
		}
		if warnings := fmt.Sprint(back.Data["Warnings"]); !strings.Contains(warnings, "tier Web keeps the rule ingress tcp 443 from pl-0a") {
			t.Errorf("warnings %q", warnings)
		}
		r.world.AddPrefixList("pl-0b", "another", 1, false)
		r.succeeds(r.update(id, having(old, "Revision", "2"), old))
		if r.world.AllowsFrom(outside, attribute(back, "Web"), "tcp", 444) || !r.world.AllowsFrom(office, attribute(back, "Web"), "tcp", 444) {
			t.Errorf("after the next update:\n%s", r.world)
		}
	})
}

// A group of the chain has to be named by its tier, whichever name it has.
func TestPeerNameOfOwnGroup(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, r *rig) {
		old := props(tier("Web"), tier("App", "Ports", 80))
		id := r.succeeds(r.create(old)).PhysicalResourceID
		name, _, _ := strings.Cut(strings.SplitAfter(r.world.String(), "App to")[0], ` "`)
		for line := range strings.Lines(r.world.String()) {
			if before, _, isTier := strings.Cut(line, ` "Security group of tier Web"`); isTier {
				name = before
			}
		}
		before := r.world.String()
		r.forget()
		r.fails(r.update(id, props(tier("Web"), tier("App", "Ports", 80, "Sources", "group/"+name)), old), "is the group of tier Web of this chain", "Name the tier Web")
		r.fails(r.update(id, props(tier("Web", "GroupName", "front"), tier("App", "Ports", 80, "Sources", "group/Front")), old), `has the peer "group/Front", which is the group of tier Web of this chain. Write Web instead.`)
		if r.writesNothing(); r.world.String() != before {
			t.Errorf("the world changed:\n%s", r.world)
		}
	})
}

// A name that leads to another group or list than the rules is drift, and a repair corrects the
// rules.
func TestDriftOfNamedPeers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.handler.Repairs = true
		r.world.AddPrefixList("pl-0a", "office", 1, false)
		first := r.existingGroup("ops", "of people")
		now := props(tier("Web", "GroupName", "web", "Ports", 443, "Sources", []any{"group/ops", "list/office"}))
		r.succeeds(r.create(now))
		r.reports("check", now, chain.ResultInSync)
		r.world.Revoke("web", "tcp", 443) // EC2 deletes no group that a rule names
		r.deleteOutOfBand(first)
		second := r.existingGroup("ops", "created again")
		r.world.AddPrefixList("pl-0a", "earlier office", 1, false)
		r.world.AddPrefixList("pl-0b", "office", 1, false)
		if first == second {
			t.Fatal("the group has its earlier ID")
		}
		r.reports("check", now, chain.ResultDrift, "ingress tcp 443 from "+second, "ingress tcp 443 from pl-0b")
		r.reports("repair", now, chain.ResultRepaired)
		r.reports("check", now, chain.ResultInSync)
		r.world.AddPrefixList("pl-0a", "office", 1, false)
		if _, err := r.invoke("check", now); err == nil || !strings.Contains(err.Error(), "several have this name: pl-0a, pl-0b") {
			t.Errorf("got %v", err)
		}
	})
}

// A rule that the failed update revoked, and whose peer's name no longer exists, is left out. The
// rollback succeeds, and an update from it does not wait.
func TestRollbackWithDeletedName(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, r *rig) {
		ops := r.existingGroup("ops", "of people")
		old := props(tier("Web", "Ports", 443, "Sources", []any{"group/ops", "203.0.113.0/24"}))
		id := r.succeeds(r.create(old)).PhysicalResourceID
		now := props(tier("Web", "Ports", 443, "Sources", "198.51.100.0/24"))
		r.succeeds(r.update(id, now, old))
		r.deleteOutOfBand(ops)
		back := r.succeeds(r.rollback(id, old, now))
		if !r.world.AllowsFrom(netip.MustParseAddr("203.0.113.9"), attribute(back, "Web"), "tcp", 443) || r.world.AllowsFrom(outside, attribute(back, "Web"), "tcp", 443) {
			t.Errorf("after the rollback:\n%s", r.world)
		}
		if warnings := fmt.Sprint(back.Data["Warnings"]); !strings.Contains(warnings, "tier Web lacks the rule ingress tcp 443 from group/ops: its peer no longer exists") {
			t.Errorf("warnings %q", warnings)
		}
		r.forget()
		r.succeeds(r.update(id, now, old))
		if n := r.operations("DescribeSecurityGroups"); n != 3 {
			t.Errorf("%d reads: a name of the old chain was waited for", n)
		}
		r.forget()
		r.fails(r.update(id, old, now), "looking up peer (group/ops) of tier Web")
		if n := r.operations("DescribeSecurityGroups"); n < 5 {
			t.Errorf("%d reads: EC2 may not show the new groups yet", n)
		}
	})
}
