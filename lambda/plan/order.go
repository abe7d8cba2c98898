package plan

import (
	"slices"

	"sgchain/lambda/chain"
)

// TierOrder derives the order of tiers, outermost first, from the rules of the current
// groups. A tier comes before those that name it as a source. Tiers in a cycle, and tiers
// that do not depend on one another, are sorted by name. A Delete uses this order and not
// its properties, which may be anything.
func TierOrder(current chain.State) []string {
	before := map[string]map[string]bool{} // by tier, the tiers that must come before it
	for _, group := range current.Groups {
		if before[group.Tier] == nil {
			before[group.Tier] = map[string]bool{}
		}
	}
	for _, group := range current.Groups {
		for _, rule := range group.Rules {
			outer, inner := rule.Peer.Member.Tier, group.Tier
			if rule.Direction == chain.Egress {
				outer, inner = inner, outer
			}
			if rule.Peer.Kind == chain.PeerMember && outer != inner && before[outer] != nil && before[inner] != nil {
				before[inner][outer] = true
			}
		}
	}
	var order []string
	for len(before) > 0 {
		next := ""
		for tier, waits := range before {
			if next == "" || len(waits) < len(before[next]) || (len(waits) == len(before[next]) && tier < next) {
				next = tier
			}
		}
		order = append(order, next)
		delete(before, next)
		for _, waits := range before {
			delete(waits, next)
		}
	}
	return slices.Clip(order)
}
