package chain

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestWaysAreThoseOfEachRule holds the ways of many rules against each of the rules.
func TestWaysAreThoseOfEachRule(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	peers := []Peer{TierPeer("A"), TierPeer("B"), CIDRPeer(InternetV4)}
	rule := func() Rule {
		rule := Rule{Protocol: []Protocol{TCP, UDP, ICMP, ICMPv6, All, "50"}[random.IntN(6)], Peer: peers[random.IntN(3)], Ports: AllPorts}
		switch rule.Protocol {
		case TCP, UDP:
			from := random.Int32N(30)
			rule.Ports = PortRange{from, from + random.Int32N(5)}
		case ICMP, ICMPv6:
			if random.IntN(6) > 0 {
				rule.Ports = PortRange{random.Int32N(4), random.Int32N(4) - 1}
			}
		default: // has no ports
		}
		return rule
	}
	for range 5000 {
		var rules []Rule
		for range random.IntN(6) {
			rules = append(rules, rule())
		}
		door := rule()
		door.Peer = peers[random.IntN(2)]
		want := slices.ContainsFunc(rules, func(way Rule) bool {
			return (way.Peer.Kind != PeerTier || way.Peer == door.Peer) && covers(way, door.Protocol, door.Ports)
		})
		if got := waysOf(rules).leadTo(door); got != want {
			t.Fatalf("%v lead to %v: got %v, want %v", rules, door, got, want)
		}
	}
}

// TestTextSize holds the size of texts against what they take when they are encoded.
func TestTextSize(t *testing.T) {
	t.Parallel()
	texts := []string{"\xff", "a\xc3", "\u2028", "\x7f", "ö\U0001F600", "\ufffd"}
	for char := range rune(0x300) {
		texts = append(texts, string(char))
	}
	for _, text := range texts {
		if got, want := textSize(text), encodedSize(map[string]string{"": text})-len(`{"":""}`); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}
