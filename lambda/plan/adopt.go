package plan

import (
	"slices"

	"sgchain/lambda/chain"
)

// onlyAdds says whether a run must not take anything from a group: it adopts the group, or
// adopts it once more for a chain that is made anew, or it takes back something and the group
// was adopted a short while ago, maybe by that. What was there begins to go with the next
// request that is not taken back.
func (c Change) onlyAdds(was chain.Group) bool {
	return was.Adoption == chain.Adoptable || (was.Adoption.IsFresh() && (was.Adoption.IsBy(c.AdoptedBy) || c.Rollback || c.Creating))
}

// adoption is what a live group carries of how it was adopted.
func (c Change) adoption(was chain.Group) chain.Adoption {
	switch {
	case was.Adoption == chain.Adoptable || (c.Creating && was.Adoption.IsFresh() && !was.Adoption.IsBy(c.AdoptedBy)):
		return c.AdoptedBy
	case was.Adoption == chain.Made || c.onlyAdds(was):
		return was.Adoption
	default:
		return chain.Settled
	}
}

// keeps says whether the rules of a group stay that the chain never made: where the author
// says so, where the run only adds, and where somebody else's group is about to be released.
func (c Change) keeps(was chain.Group, standing Standing) bool {
	return c.KeepUnmanaged || c.onlyAdds(was) || (standing == Retired && was.Adoption.IsForeign())
}

// keep adds to the rules of a group what has to be kept. Where the run only adds, a rule
// that was there keeps its description.
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

// hadTwin reports whether a rule of a group that the chain made is EC2's own for ::/0, which
// has the old chain's description: somebody had edited that, and the chain put it right.
func (c Change) hadTwin(was chain.Group, rule chain.Rule) bool {
	old, _ := c.Old.Find(was.Identity)
	asks := func(other chain.Rule) bool { return other.Key() == rule.Key() && other.Description == rule.Description }
	return was.Adoption == chain.Made && rule.Key() == chain.AllTrafficV6() && slices.ContainsFunc(old.Rules, asks)
}

// RuleCount is the number of rules that the live groups of a state have and keep: those that
// name a group which leaves the chain go with it. What EC2 adds by itself counts, and so do
// rules that stay though the chain never made them.
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

// Kept lists the rules of the live groups that stay though the chain never made them and
// does not ask for them.
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
