package chain

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestCoverageMeetsWhatAnyRuleCovers compares the coverage of several rules with each single rule.
func TestCoverageMeetsWhatAnyRuleCovers(t *testing.T) {
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
		wanted := rule()
		wanted.Peer = peers[random.IntN(2)]
		want := slices.ContainsFunc(rules, func(one Rule) bool {
			return (one.Peer.Kind != PeerTier || one.Peer == wanted.Peer) && covers(one, wanted.Protocol, wanted.Ports)
		})
		if got := coverageOf(rules).meets(wanted); got != want {
			t.Fatalf("%v meet %v: got %v, want %v", rules, wanted, got, want)
		}
	}
}

// TestTextSizeIsTheEncodedSize compares sizes of texts with the sizes of their encodings.
func TestTextSizeIsTheEncodedSize(t *testing.T) {
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
