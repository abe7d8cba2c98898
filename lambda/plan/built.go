package plan

import "sgchain/lambda/chain"

// AsBuilt is the chain that the current groups are, as if somebody had asked for it: what
// the properties were is not known to the function. Groups of an older generation are no part
// of it: their cleanup was skipped, or a run died.
func AsBuilt(current chain.State) chain.State {
	newest := current.Newest()
	var built chain.State
	for _, group := range current.Groups {
		isOlder := newest.PhysicalID != "" && group.Epoch.Generation > 0 && group.Epoch.Generation < newest.Generation
		if group.Adoption == chain.Adoptable || isOlder {
			continue
		}
		old := chain.Group{Identity: group.Identity}
		for _, rule := range group.Rules {
			if rule.Peer.Kind == chain.PeerMember {
				rule.Peer = chain.TierPeer(rule.Peer.Member.Tier)
			}
			old.Rules = append(old.Rules, rule)
		}
		built.Groups = append(built.Groups, old)
	}
	return built.Normalize()
}
