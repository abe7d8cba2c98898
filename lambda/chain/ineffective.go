package chain

import (
	"fmt"
	"slices"
)

// Ineffective returns warnings about rules without effect: resolving the state drops them, because
// their peer has no addresses. In a VPC without IPv6, icmpv6 from the word vpc is such a rule.
// In a chain with both families the word stands for both, and addresses of one are enough. The
// state must not be resolved yet.
func (s State) Ineffective(found Found) []string {
	var texts []string
	for _, group := range s.Groups {
		if _, known := found.VPCs[group.VPCID]; !known {
			continue // Resolve refuses this VPC
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
			texts = append(texts, fmt.Sprintf("tier %s: %s %s vpc has no effect: VPC %s has no %s range. Add one to the VPC, or remove the rule",
				group.Tier, Traffic(rule.Protocol, rule.Ports), word, group.VPCID, families))
		}
	}
	return texts
}
