package plan

import "sgchain/lambda/chain"

// AsBuilt returns the chain that the current groups form, as a desired state. The
// function does not know the previous properties. It excludes groups of an older
// generation: their cleanup was skipped, or a run was aborted.
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
