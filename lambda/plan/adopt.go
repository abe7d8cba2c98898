package plan

import (
	"slices"

	"sgchain/lambda/chain"
)

// onlyAdds reports whether a run must not remove anything from a group. That is so if
// the run adopts it, or adopts it again for a chain that is created again. It is also
// so if the run is a rollback and the group was adopted recently, possibly by the
// operation that failed. The next request that is not rolled back may remove things.
func (c Change) onlyAdds(was chain.Group) bool {
	return was.Adoption == chain.Adoptable || (was.Adoption.IsFresh() && (was.Adoption.IsBy(c.AdoptedBy) || c.Rollback || c.Creating))
}

// adoption returns the record of a live group's adoption.
func (c Change) adoption(was chain.Group) chain.Adoption {
	switch {
	case was.Adoption == chain.Adoptable || (c.Creating && was.Adoption.IsFresh() && !was.Adoption.IsBy(c.AdoptedBy)):
		return c.AdoptedBy
	case was.Adoption == chain.Created || c.onlyAdds(was):
		return was.Adoption
	default:
		return chain.Settled
	}
}

// keeps reports whether the rules of a group stay that the chain did not create. They
// do if the author says so, if the run only adds, or if a group of another owner is
// about to be released.
func (c Change) keeps(was chain.Group, standing Standing) bool {
	return c.KeepUnmanaged || c.onlyAdds(was) || (standing == Retired && was.Adoption.IsForeign())
}

// keep adds the rules of a group that must stay. If the run only adds, an existing
// rule keeps its description.
func (c Change) keep(rules []chain.Rule, was chain.Group, standing Standing) []chain.Rule {
	if !c.keeps(was, standing) {
		return rules
	}
	for _, unmanaged := range was.Unmanaged {
		if c.hadTwin(was, unmanaged) {
			continue
		}
		place := slices.IndexFunc(rules, func(rule chain.Rule) bool { return rule.Key() == unmanaged.Key() })
		switch {
		case place < 0:
			rules = append(rules, unmanaged)
		case c.onlyAdds(was):
			rules[place].Description = unmanaged.Description
		}
	}
	return rules
}

// hadTwin reports whether a rule is EC2's own for ::/0 with the old chain's description,
// in a group that the chain created. The chain had repaired an out-of-band edit there.
func (c Change) hadTwin(was chain.Group, rule chain.Rule) bool {
	old, _ := c.Old.Find(was.Identity)
	asks := func(other chain.Rule) bool { return other.Key() == rule.Key() && other.Description == rule.Description }
	return was.Adoption == chain.Created && rule.Key() == chain.AllTrafficV6() && slices.ContainsFunc(old.Rules, asks)
}

// RuleCount returns the number of rules that the live groups of a state have and keep.
// It excludes rules that name a group which leaves the chain: they go with it. It
// includes what EC2 adds by itself, and kept rules that the chain did not create.
func (c Change) RuleCount(state chain.State) int {
	count := 0
	for _, group := range state.Groups {
		if c.Standing(group.Identity) != Live {
			continue
		}
		for _, rule := range group.Rules {
			if rule.Peer.Kind != chain.PeerMember || c.Standing(rule.Peer.Member) == Live {
				count++
			}
		}
	}
	return count
}

// Kept lists the rules of the live groups that stay although the chain neither created
// them nor asks for them.
func (c Change) Kept(current chain.State) []chain.Group {
	bare := chain.State{Groups: slices.Clone(current.Groups)}
	for i := range bare.Groups {
		bare.Groups[i].Unmanaged = nil
	}
	asked := Goal(c, bare, chain.Epoch{})
	var kept []chain.Group
	for _, was := range sorted(current).Groups {
		if c.Standing(was.Identity) != Live || !c.keeps(was, Live) {
			continue
		}
		wanted, _ := asked.Find(was.Identity)
		if rules := missing(wanted.Rules, was.Unmanaged); len(rules) > 0 {
			kept = append(kept, chain.Group{Identity: was.Identity, Rules: rules})
		}
	}
	return kept
}
