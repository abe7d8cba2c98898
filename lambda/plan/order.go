package plan

import (
	"slices"

	"sgchain/lambda/chain"
)

// TierOrder returns the tiers of the current groups, outermost first, as their rules say: a
// tier that another one names as its source stands before it. Tiers in a circle, and tiers
// that do not depend on one another, are in the order of their names. A Delete goes by this
// order and not by its properties, which may be anything.
func TierOrder(current chain.State) []string {
	before := map[string]map[string]bool{} // by tier, the tiers that have to stand before it
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
