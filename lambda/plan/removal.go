package plan

import (
	"cmp"
	"slices"

	"sgchain/lambda/chain"
)

// Departure is the circumstances in which groups are taken away.
type Departure struct {
	// All is every group that goes, in this plan or in another one of the same removal. Others
	// stay.
	All []chain.Identity
	// InUse are those that network interfaces use.
	InUse []chain.Identity
	// Rollback says that what an operation did is taken back: groups that it adopted lose the
	// rules that it gave them.
	Rollback bool
	// MembersMoving says that who moves out of the groups still uses what they have.
	MembersMoving bool
	// Hurried says that there is no time left to wait for the members of adopted groups: those
	// may stay for ever.
	Hurried bool
	// EachAlone says that each group is for itself: one that cannot go keeps no other.
	EachAlone bool
	// Returned are those that are given back to the chain from which they were moved: as they are, whoever uses them.
	// Nobody moves out of those.
	Returned []chain.Identity
}

// Removal returns the plan that takes targets away, in phases: what is in the way is revoked,
// the groups that the chain made are deleted in two waves, and those that it adopted or is to keep are
// released, with all their rules but the chain's doors between them and its other groups.
//
// The waves are the tiers by the parity of their place from the end, so that nearly half of
// the rules between the targets go with their groups: a rule that names a target is revoked
// first only where its own group is not gone by then. Where each group is for itself, it
// always is. EC2 lets a group go that is named by nothing but itself.
//
// While a group of [Departure.Holding] is in use, nothing goes: a removal that fails must not
// have cut anybody off. Where each group is for itself, those alone stay.
func Removal(current chain.State, targets []chain.Identity, departure Departure) Plan {
	waits := departure.Waits(current, targets)
	if len(waits) > 0 && !departure.EachAlone {
		return Plan{}
	}
	targets, returned := without(targets, departure.Returned), within(targets, departure.Returned)
	departure.All = without(departure.All, departure.Returned)
	if departure.EachAlone {
		targets, departure.All = without(targets, waits), without(departure.All, waits)
	}
	deleted, released := split(current, targets)
	leaving := leaving{Departure: departure, current: current, released: released, wave: waves(deleted, TierOrder(current))}
	var steps builder
	for _, group := range current.Groups {
		steps.rules(Revoke, RevokeRules, group.Identity, leaving.revoked(group))
	}
	for wave := 1; wave <= 2; wave++ {
		for _, identity := range deleted {
			if leaving.wave[identity] == wave {
				steps.add(Step{Phase: Delete, Stage: wave, Action: DeleteGroup, Group: identity})
			}
		}
	}
	for i := range current.Groups {
		// The role takes no ownership tag off a group that it could delete.
		if group := &current.Groups[i]; group.Adoption == chain.Made && slices.Contains(released, group.Identity) {
			steps.add(Step{Phase: Release, Stage: 1, Action: RetagGroup, Group: group.Identity, Adoption: chain.Settled})
		}
	}
	for _, identity := range released {
		steps.add(Step{Phase: Release, Stage: 2, Action: ReleaseGroup, Group: identity})
	}
	steps.returned(current, returned)
	chain.Sort(steps, byPhase)
	return Plan{Steps: steps, EachAlone: departure.EachAlone}
}

// Holding lists the targets that nothing may happen to while somebody is in them: those to
// delete, because EC2 deletes no group in use, and those to release where rules
// would be revoked that their members still need.
func (d Departure) Holding(current chain.State, targets []chain.Identity) []chain.Identity {
	deleted, released := split(current, without(targets, d.Returned))
	if d.Hurried || !d.MembersMoving {
		return deleted
	}
	leaving := leaving{Departure: d, current: current, released: released}
	return append(deleted, slices.DeleteFunc(slices.Clone(released), func(identity chain.Identity) bool { return !leaving.binds(identity) })...)
}

// Waits lists those of them that are in use. Where each group is for itself, one that waits
// stays, and others that it is bound to by rules may have to wait for that.
func (d Departure) Waits(current chain.State, targets []chain.Identity) []chain.Identity {
	var waits []chain.Identity
	for {
		more := slices.DeleteFunc(d.Holding(current, without(targets, waits)), func(identity chain.Identity) bool { return !slices.Contains(d.InUse, identity) })
		waits, d.All = append(waits, more...), without(d.All, more)
		if len(more) == 0 || !d.EachAlone {
			return waits
		}
	}
}

func without(identities, others []chain.Identity) []chain.Identity {
	return slices.DeleteFunc(slices.Clone(identities), func(identity chain.Identity) bool { return slices.Contains(others, identity) })
}

func within(identities, others []chain.Identity) []chain.Identity {
	return slices.DeleteFunc(slices.Clone(identities), func(identity chain.Identity) bool { return !slices.Contains(others, identity) })
}

// split tells the groups to delete from those to release: the ones that the chain adopted, and the ones that are marked for it.
func split(state chain.State, identities []chain.Identity) (deleted, released []chain.Identity) {
	for _, identity := range identities {
		if group, _ := state.Find(identity); group.IsReleased() {
			released = append(released, identity)
		} else {
			deleted = append(deleted, identity)
		}
	}
	return deleted, released
}

// waves says for each group to delete whether it goes in the first or the second wave.
func waves(deleted []chain.Identity, tierOrder []string) map[chain.Identity]int {
	place := func(identity chain.Identity) int { return slices.Index(tierOrder, identity.Tier) }
	sorted := chain.Sorted(deleted, func(a, b chain.Identity) int {
		return cmp.Or(cmp.Compare(place(b), place(a)), chain.CompareIdentities(b, a))
	})
	wave, now := make(map[chain.Identity]int, len(sorted)), 2
	for i, identity := range sorted {
		if i == 0 || sorted[i-1].Tier != identity.Tier {
			now = 3 - now
		}
		wave[identity] = now
	}
	return wave
}

// leaving is a removal as its rules are judged.
type leaving struct {
	Departure

	current  chain.State
	released []chain.Identity       // the targets to release
	wave     map[chain.Identity]int // of those to delete
}

// revoked lists the rules of a group that are revoked first.
func (l leaving) revoked(group chain.Group) []chain.Rule {
	var rules []chain.Rule
	for _, rule := range group.Rules {
		if l.isInTheWay(group, rule) || l.severs(group, rule) || l.isTakenBack(group, rule) {
			rules = append(rules, rule)
		}
	}
	return rules
}

// binds says whether a group that is released has something to lose: a rule of its own, or one
// that names it.
func (l leaving) binds(identity chain.Identity) bool {
	return slices.ContainsFunc(l.current.Groups, func(group chain.Group) bool {
		return slices.ContainsFunc(group.Rules, func(rule chain.Rule) bool {
			concerns := group.Identity == identity || rule.Peer.Member == identity
			return concerns && (l.severs(group, rule) || l.isTakenBack(group, rule))
		})
	})
}

// isInTheWay says whether a rule names a group to delete and is not gone before it.
func (l leaving) isInTheWay(group chain.Group, rule chain.Rule) bool {
	named, isDeleted := l.wave[rule.Peer.Member]
	own, goes := l.wave[group.Identity]
	isInTime := goes && own < named && !l.EachAlone
	return rule.Peer.Kind == chain.PeerMember && isDeleted && rule.Peer.Member != group.Identity && !isInTime
}

// severs says whether a rule is between a group that is released and another one of the
// chain: a group that stays names it, but for rules that the chain never made, unless they
// were there before the chain and are what it wants (which a Delete cannot tell); or it names
// a group that the chain made, which could not be deleted any more. One of these that is marked for a
// release counts as one that stays deletable unless it goes too: its tier may come back, and the mark go.
func (l leaving) severs(group chain.Group, rule chain.Rule) bool {
	named, isKnown := l.current.Find(rule.Peer.Member)
	if rule.Peer.Kind != chain.PeerMember || !isKnown {
		return false
	}
	isOwn := !isUnmanaged(group, rule)
	isSafe := named.Adoption.IsForeign() || (named.IsReleased() && !l.stays(named.Identity))
	return (slices.Contains(l.released, named.Identity) && l.stays(group.Identity) && (group.Adoption == chain.Settled || isOwn)) ||
		(slices.Contains(l.released, group.Identity) && !isSafe && (isOwn || !l.stays(named.Identity)))
}

// stays says whether a group is none of those that go.
func (l leaving) stays(identity chain.Identity) bool { return !slices.Contains(l.All, identity) }

// isTakenBack says whether the chain gave a rule to a group that it adopted in what is taken
// back now.
func (l leaving) isTakenBack(group chain.Group, rule chain.Rule) bool {
	return l.Rollback && group.Adoption.IsFresh() && slices.Contains(l.released, group.Identity) && !isUnmanaged(group, rule)
}

func isUnmanaged(group chain.Group, rule chain.Rule) bool {
	return slices.ContainsFunc(group.Unmanaged, func(other chain.Rule) bool { return other.Key() == rule.Key() })
}
