package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"sgchain/lambda/internal/proof/world"
)

const (
	peeredVPC  = "vpc-0aaaaaaaaaaaaaaa1"
	transitVPC = "vpc-0aaaaaaaaaaaaaaa2"
)

// abroad returns a rig with groups of another account: shared ones, ones in a peered VPC and ones
// behind a transit gateway. EC2 does not show the owner of the last.
func abroad(tb testing.TB) (r *rig, shared, peered, transit string) {
	tb.Helper()
	r = newRig(tb)
	r.world.AddVPC(peeredVPC, world.OwnedBy(world.OtherAccount))
	r.world.AddVPC(transitVPC, world.OwnedBy(world.OtherAccount))
	r.world.Peer(vpcID, peeredVPC)
	r.world.Transit(vpcID, transitVPC)
	return r, r.world.AddOtherAccountGroup(world.OtherAccount, "shared", vpcID, true),
		r.world.AddOtherAccountGroup(world.OtherAccount, "peered", peeredVPC, false),
		r.world.AddOtherAccountGroup(world.OtherAccount, "transit", transitVPC, false)
}

// A group of another account is compared by its ID. A rule that EC2 shows is the wanted one,
// whether EC2 shows the account or not, and whether the author wrote it or not.
func TestPeersOfOtherAccounts(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]func(shared, peered, transit string) any{
		"shared":                      func(shared, _, _ string) any { return shared },
		"shared, with its account":    func(shared, _, _ string) any { return world.OtherAccount + "/" + shared },
		"peered, with its account":    func(_, peered, _ string) any { return world.OtherAccount + "/" + peered },
		"behind a transit gateway":    func(_, _, transit string) any { return world.OtherAccount + "/" + transit },
		"both spellings":              func(shared, _, _ string) any { return []any{shared, world.OtherAccount + "/" + shared} },
		"both spellings, not visible": func(_, peered, _ string) any { return []any{peered, world.OtherAccount + "/" + peered} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, shared, peered, transit := abroad(t)
				now := props(tier("Web", "Ports", 443, "Sources", source(shared, peered, transit)))
				made := r.succeeds(r.create(now))
				r.forget()
				again := props(tier("Web", "Ports", 443, "Sources", source(shared, peered, transit)))
				again["Revision"] = "2"
				r.succeeds(r.update(made.PhysicalResourceID, again, now))
				r.writesNothing()
				next := props(tier("Web", "Ports", 8443, "Sources", source(shared, peered, transit)))
				r.succeeds(r.update(made.PhysicalResourceID, next, again))
			})
		})
	}
}

// A rule whose group was deleted is still the wanted one, and can be revoked: EC2 leaves out the
// account of a deleted group.
func TestDeletedPeerOfAnotherAccount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _, peered, _ := abroad(t)
		now := props(tier("Web", "Ports", 443, "Sources", []any{world.OtherAccount + "/" + peered, "203.0.113.0/24"}))
		made := r.succeeds(r.create(now))
		if err := r.world.RemoveOtherAccountGroup(peered); err != nil {
			t.Fatal(err)
		}
		again := props(tier("Web", "Ports", 443, "Sources", []any{world.OtherAccount + "/" + peered, "203.0.113.0/24"}))
		again["Revision"] = "2"
		r.forget()
		r.succeeds(r.update(made.PhysicalResourceID, again, now))
		r.writesNothing()
		r.succeeds(r.update(made.PhysicalResourceID, props(tier("Web", "Ports", 443, "Sources", "203.0.113.0/24")), again))
	})
}

// A group of the own account is the same group with or without its account.
func TestPeerWithOwnAccount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		id := r.existingGroup("hand", "by hand")
		now := props(tier("Web", "Ports", 443, "Sources", []any{world.Account + "/" + id, id}))
		made := r.succeeds(r.create(now))
		r.forget()
		next := props(tier("Web", "Ports", 443, "Sources", id))
		r.succeeds(r.update(made.PhysicalResourceID, next, now))
		web := attribute(made, "Web")
		r.fails(r.update(made.PhysicalResourceID, props(tier("Web", "Ports", 443, "Sources", world.Account+"/"+web)), next), web+" is the group of tier Web of this chain")
	})
}

// Whatever the peers are, a second run changes nothing.
func TestSecondRunWritesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		type pick struct {
			group   int
			account bool
		}
		draw := func(label string) []pick {
			return rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) pick {
				return pick{rapid.IntRange(0, 2).Draw(rt, "group"), rapid.Bool().Draw(rt, "account")}
			}), 1, 4).Draw(rt, label)
		}
		first, second, egress := draw("first"), draw("second"), draw("egress")
		var failed string
		synctest.Test(t, func(t *testing.T) {
			r, shared, peered, transit := abroad(t)
			ids := []string{shared, peered, transit}
			sources := func(picks []pick) []any {
				var texts []any
				for _, one := range picks {
					text := ids[one.group]
					if one.account || one.group > 0 { // EC2 shows the shared one only
						text = world.OtherAccount + "/" + text
					}
					if !slices.Contains(texts, any(text)) {
						texts = append(texts, text)
					}
				}
				return texts
			}
			chain := func(picks []pick, revision string) properties {
				made := props(tier("Web", "Ports", 443, "Sources", sources(picks), "Egress", []any{map[string]any{"Ports": []any{5432}, "Destinations": sources(egress)}}), tier("Db", "Ports", 5432))
				made["Revision"] = revision
				return made
			}
			now := chain(first, "1")
			id := r.succeeds(r.create(now)).PhysicalResourceID
			next := chain(second, "2")
			r.succeeds(r.update(id, next, now))
			r.world.Forget()
			r.succeeds(r.update(id, chain(second, "3"), next))
			if writes := r.world.Writes(); writes > 0 {
				failed = fmt.Sprintf("%d writes: %v", writes, r.world.Calls())
			}
		})
		if failed != "" {
			rt.Fatalf("%s", failed)
		}
	})
}

// TestFailedLookUpHasItsOwnCause checks that peers of a kind whose look-up failed are not reported as
// missing: the remedy of a missing peer is to remove it.
func TestFailedLookUpHasItsOwnCause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.ec2.Deny("DescribeManagedPrefixLists")
		answer := r.fails(r.create(props(tier("Web", "Ports", 80, "Sources", []any{"com.amazonaws.{region}.s4", "pl-0a", "list/office"}))), "UnauthorizedOperation")
		for _, words := range []string{"remove the peer", "problems:", "\n"} {
			if strings.Contains(answer.Reason, words) {
				t.Errorf("the reason %q has %q", answer.Reason, words)
			}
		}
	})
}

// TestSeveralMissingPeersAreNumbered checks that each missing peer has its own remedy, and that a line
// feed in a property is no separator.
func TestSeveralMissingPeersAreNumbered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.fails(r.create(props(tier("Web", "Ports", 80, "Sources", []any{"pl-0dead", "sg-0dead"}))), "2 problems: (1) looking up peer (", "remove the peer. (2) looking up peer (", "Then deploy again.")
		answer := r.fails(r.create(props(tier("Web", "Po\nrts", 80))), "reading properties: ", "Nothing was changed.")
		if strings.Contains(answer.Reason, "\n") {
			t.Errorf("the reason %q has several lines", answer.Reason)
		}
	})
}
