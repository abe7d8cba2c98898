package plan_test

import (
	"strings"
	"testing"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// TestRevokeFirst checks that only the given sides revoke before they authorize.
func TestRevokeFirst(t *testing.T) {
	t.Parallel()
	a, b := chain.Identity{VPCID: "vpc-1", Tier: "A"}, chain.Identity{VPCID: "vpc-1", Tier: "B"}
	port := func(n int32) chain.Rule {
		return chain.Rule{Direction: chain.Ingress, Protocol: chain.TCP, Ports: chain.PortRange{From: n, To: n}, Peer: chain.CIDRPeer(chain.InternetV4)}
	}
	state := func(n int32) chain.State {
		return chain.State{Groups: []chain.Group{{Identity: a, Rules: []chain.Rule{port(n)}}, {Identity: b, Rules: []chain.Rule{port(n)}}}}
	}
	todo := plan.Diff(state(1), state(2))
	first := todo.RevokeFirst([]plan.Side{{Group: a, Direction: chain.Ingress}})
	var order []string
	for _, phase := range first.Phases() {
		var words []string
		for _, step := range phase {
			words = append(words, string(step.Action)+" "+step.Group.Tier)
		}
		order = append(order, strings.Join(words, ", "))
	}
	if got, want := strings.Join(order, " | "), "revoke A | authorize A, authorize B | revoke B"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if todo.RevokeFirst(nil).String() != todo.String() {
		t.Error("without a side the plan changed")
	}
}

// TestWithout checks that the excluded rules are not authorized, and that nothing else changes.
func TestWithout(t *testing.T) {
	t.Parallel()
	a := chain.Identity{VPCID: "vpc-1", Tier: "A"}
	peer := func(id string) chain.Rule {
		return chain.Rule{Direction: chain.Ingress, Protocol: chain.All, Ports: chain.AllPorts, Peer: chain.GroupPeer(id)}
	}
	was := chain.State{Groups: []chain.Group{{Identity: a, Rules: []chain.Rule{peer("sg-0")}}}}
	goal := chain.State{Groups: []chain.Group{{Identity: a, Rules: []chain.Rule{peer("sg-1"), peer("sg-2")}}}}
	leaving := func(ids ...string) string {
		return plan.Diff(was, goal).Without(func(group chain.Identity, rule chain.Rule) bool {
			return group == a && strings.Contains(strings.Join(ids, " "), rule.Peer.ID)
		}).String()
	}
	if got := leaving("sg-1"); strings.Contains(got, "sg-1") || !strings.Contains(got, "sg-2") || !strings.Contains(got, "revoke") {
		t.Errorf("without one of two: %s", got)
	}
	if got := leaving("sg-1", "sg-2"); strings.Contains(got, "authorize") || !strings.Contains(got, "revoke") {
		t.Errorf("without both: %s", got)
	}
}

// TestFateList checks that every group has a line, and that a retired one has its last action.
func TestFateList(t *testing.T) {
	t.Parallel()
	identity := func(tier string) chain.Identity { return chain.Identity{VPCID: "vpc-1", Tier: tier} }
	state := func(tiers ...string) chain.State {
		var all chain.State
		for _, tier := range tiers {
			all.Groups = append(all.Groups, chain.Group{Identity: identity(tier)})
		}
		return all
	}
	got := plan.FateList(plan.Change{New: state("Kept", "Made"), Old: state("Kept", "Left")}, state("Kept", "Left", "Lost"))
	for _, want := range []string{"keep Kept", "create Made", "retire Left", "Lost"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}
