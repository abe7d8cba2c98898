package chain

import (
	"fmt"
	"slices"
)

// Unserved lists, for people, the rules of a state that will not be there once it is
// resolved, since what they name has no addresses: in a VPC without IPv6, icmpv6 from the
// word vpc opens nothing. The word stands for both families where the chain has both; a door
// that one of them opens is served. The state is one that is not resolved yet.
func (s State) Unserved(found Found) []string {
	var texts []string
	for _, group := range s.Groups {
		if _, known := found.VPCs[group.VPCID]; !known {
			continue // that is refused
		}
		for i, rule := range group.Rules {
			isSame := func(other Rule) bool {
				return other.Direction == rule.Direction && other.Protocol == rule.Protocol && other.Ports == rule.Ports && other.Peer.Kind == PeerVPC
			}
			isServed := func(other Rule) bool {
				peers, _ := found.peers(group.VPCID, other.Peer, nil)
				return isSame(other) && len(peers) > 0
			}
			if rule.Peer.Kind != PeerVPC || slices.ContainsFunc(group.Rules, isServed) || slices.ContainsFunc(group.Rules[:i], isSame) {
				continue
			}
			word, families := "from", rule.Peer.ID
			if rule.Direction == Egress {
				word = "to"
			}
			families = map[string]string{familyV4: "IPv4", familyV6: "IPv6"}[families]
			texts = append(texts, fmt.Sprintf("tier %s: %s %s vpc opens nothing: VPC %s has no %s range; give the VPC one, or leave the rule out",
				group.Tier, Traffic(rule.Protocol, rule.Ports), word, group.VPCID, families))
		}
	}
	return texts
}
