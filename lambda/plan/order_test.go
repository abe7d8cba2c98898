package plan_test

import (
	"slices"
	"testing"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// TestTierOrder checks that the order follows the rules and not the names, and that a cycle ends.
func TestTierOrder(t *testing.T) {
	t.Parallel()
	identity := func(tier string) chain.Identity { return chain.Identity{VPCID: "vpc-1", Tier: tier} }
	group := func(tier string, direction chain.Direction, peers ...string) chain.Group {
		one := chain.Group{Identity: identity(tier)}
		for _, peer := range peers {
			one.Rules = append(one.Rules, chain.Rule{Direction: direction, Protocol: chain.TCP, Ports: chain.PortRange{From: 1, To: 1}, Peer: chain.MemberPeer(identity(peer))})
		}
		return one
	}
	for name, test := range map[string]struct {
		groups []chain.Group
		want   []string
	}{
		"by sources":        {[]chain.Group{group("A", chain.Ingress, "M"), group("M", chain.Ingress, "Z"), group("Z", chain.Ingress)}, []string{"Z", "M", "A"}},
		"by destinations":   {[]chain.Group{group("A", chain.Egress), group("M", chain.Egress, "A"), group("Z", chain.Egress, "M")}, []string{"Z", "M", "A"}},
		"independent":       {[]chain.Group{group("B", chain.Ingress), group("A", chain.Ingress)}, []string{"A", "B"}},
		"itself":            {[]chain.Group{group("A", chain.Ingress, "A")}, []string{"A"}},
		"a circle":          {[]chain.Group{group("A", chain.Ingress, "B"), group("B", chain.Ingress, "A"), group("C", chain.Ingress, "A")}, []string{"A", "B", "C"}},
		"a group elsewhere": {[]chain.Group{group("A", chain.Ingress, "Gone")}, []string{"A"}},
		"two of a tier":     {[]chain.Group{group("A", chain.Ingress, "B"), group("A", chain.Ingress), group("B", chain.Ingress)}, []string{"B", "A"}},
		"nothing":           {nil, nil},
	} {
		if got := plan.TierOrder(chain.State{Groups: test.groups}); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}
