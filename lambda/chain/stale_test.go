package chain_test

import (
	"net/netip"
	"strings"
	"testing"

	"sgchain/lambda/chain"
)

// For a rule whose peer EC2 no longer shows, Standing returns the existing rule, or the rule is
// missing.
func TestStandingFindsRulesOfUnknownPeers(t *testing.T) {
	t.Parallel()
	one := chain.Identity{VPCID: "vpc-1", Tier: "A"}
	rule := func(peer chain.Peer, description string) chain.Rule {
		return chain.Rule{Direction: chain.Ingress, Protocol: chain.TCP, Ports: chain.PortRange{From: 443, To: 443}, Peer: peer, Description: description}
	}
	v4, v6 := chain.CIDRPeer(netip.MustParsePrefix("10.0.0.0/16")), chain.CIDRPeer(netip.MustParsePrefix("2001:db8::/56"))
	list := chain.Peer{Kind: chain.PeerPrefixList, ID: "pl-1"}
	for name, test := range map[string]struct {
		wanted  chain.Peer
		current chain.Rule
		missing bool
	}{
		"a group":                       {chain.GroupPeer("sg-1"), rule(chain.GroupPeer("sg-1"), "out of band"), false},
		"a group that EC2 names":        {chain.GroupPeer("sg-1"), rule(chain.GroupPeer("210987654321/sg-1"), "d"), false},
		"another group":                 {chain.GroupPeer("sg-1"), rule(chain.GroupPeer("sg-2"), "d"), true},
		"a list":                        {list, rule(list, "d"), false},
		"a list by name":                {chain.Peer{Kind: chain.PeerListName, ID: "com.amazonaws.us-east-1.s3"}, rule(list, "d"), false},
		"a list with another text":      {chain.Peer{Kind: chain.PeerListName, ID: "com.amazonaws.us-east-1.s3"}, rule(list, "e"), true},
		"ranges of the VPC":             {chain.Peer{Kind: chain.PeerVPC, ID: "ipv4"}, rule(v4, "d"), false},
		"ranges of IPv6":                {chain.Peer{Kind: chain.PeerVPC, ID: "ipv6"}, rule(v6, "d"), false},
		"ranges of another family":      {chain.Peer{Kind: chain.PeerVPC, ID: "ipv6"}, rule(v4, "d"), true},
		"a rule of another port":        {list, chain.Rule{Direction: chain.Ingress, Protocol: chain.TCP, Ports: chain.PortRange{From: 80, To: 80}, Peer: list}, true},
		"a rule of the other direction": {list, chain.Rule{Direction: chain.Egress, Protocol: chain.TCP, Ports: chain.PortRange{From: 443, To: 443}, Peer: list}, true},
	} {
		wanted := chain.State{Groups: []chain.Group{{Identity: one, Rules: []chain.Rule{rule(test.wanted, "d"), rule(chain.CIDRPeer(chain.InternetV4), "d")}}}}
		current := chain.State{Groups: []chain.Group{{Identity: one, Rules: []chain.Rule{test.current}}}}
		found := chain.Found{Region: "us-east-1", Account: "123456789012", Missing: map[string]bool{"sg-1": true}}
		standing, missing := wanted.StaleRules(found, current)
		if isMissing := len(missing) == 1 && len(standing.Groups) == 0; isMissing != test.missing {
			t.Errorf("%s: standing %v, missing %v", name, standing, missing)
			continue
		}
		if !test.missing && !strings.Contains(wanted.With(standing).String(), test.current.String()) {
			t.Errorf("%s: with the existing rules it is\n%s", name, wanted.With(standing))
		}
		if test.missing && wanted.With(standing).String() != wanted.String() {
			t.Errorf("%s: without existing rules it became\n%s", name, wanted.With(standing))
		}
	}
}

// RulesForTraffic keeps the existing rules that allow some of the traffic of a missing rule.
func TestInPlaceOfKeepsRulesForTheSameTraffic(t *testing.T) {
	t.Parallel()
	one, other := chain.Identity{VPCID: "vpc-1", Tier: "A"}, chain.Identity{VPCID: "vpc-1", Tier: "B"}
	rule := func(direction chain.Direction, protocol chain.Protocol, from, to int32) chain.Rule {
		return chain.Rule{Direction: direction, Protocol: protocol, Ports: chain.PortRange{From: from, To: to}, Peer: chain.CIDRPeer(chain.InternetV4)}
	}
	missing := []chain.Group{{Identity: one, Rules: []chain.Rule{rule(chain.Ingress, chain.TCP, 443, 443)}}}
	fromTier := rule(chain.Ingress, chain.TCP, 443, 443)
	fromTier.Peer = chain.TierPeer(other.Tier)
	for name, test := range map[string]struct {
		of     chain.Identity
		has    chain.Rule
		exists bool // in EC2
		kept   bool
	}{
		"the same port":              {one, rule(chain.Ingress, chain.TCP, 443, 443), true, true},
		"a range around it":          {one, rule(chain.Ingress, chain.TCP, 400, 500), true, true},
		"all traffic":                {one, rule(chain.Ingress, chain.All, -1, -1), true, true},
		"another port":               {one, rule(chain.Ingress, chain.TCP, 444, 444), true, false},
		"another protocol":           {one, rule(chain.Ingress, chain.UDP, 443, 443), true, false},
		"the other direction":        {one, rule(chain.Egress, chain.TCP, 443, 443), true, false},
		"another group":              {other, rule(chain.Ingress, chain.TCP, 443, 443), true, false},
		"a rule that does not exist": {one, rule(chain.Ingress, chain.TCP, 443, 443), false, false},
		"a tier's":                   {one, fromTier, true, true},
	} {
		was := chain.State{Groups: []chain.Group{{Identity: test.of, Rules: []chain.Rule{test.has}}}}
		current := chain.State{Groups: []chain.Group{{Identity: test.of}}}
		if test.exists {
			existing := test.has
			if existing.Peer.Kind == chain.PeerTier { // EC2 shows the groups of the tier
				existing.Peer = chain.MemberPeer(other)
			}
			current.Groups[0].Rules = []chain.Rule{existing}
		}
		if kept := was.RulesForTraffic(missing, current); (len(kept.Groups) == 1) != test.kept {
			t.Errorf("%s: kept %v", name, kept)
		}
	}
}

// A peer with the ID of a group of the chain is a member.
func TestOwningTurnsGroupIDsIntoMembers(t *testing.T) {
	t.Parallel()
	web, app := chain.Identity{VPCID: "vpc-1", Tier: "Web"}, chain.Identity{VPCID: "vpc-1", Tier: "App"}
	state := chain.State{Groups: []chain.Group{{Identity: app, Rules: []chain.Rule{
		{Direction: chain.Ingress, Protocol: chain.All, Ports: chain.AllPorts, Peer: chain.GroupPeer("sg-1")},
		{Direction: chain.Ingress, Protocol: chain.All, Ports: chain.AllPorts, Peer: chain.GroupPeer("sg-2")},
	}}}}
	got := state.WithMembers(map[chain.Identity]string{web: "sg-1"})
	if peers := got.Groups[0].Rules; peers[0].Peer != chain.GroupPeer("sg-2") || peers[1].Peer != chain.MemberPeer(web) {
		t.Errorf("got %v", peers)
	}
	if state.Groups[0].Rules[0].Peer != chain.GroupPeer("sg-1") {
		t.Error("the state itself was changed")
	}
}
