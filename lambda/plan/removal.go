package plan

import (
	"cmp"
	"slices"

	"sgchain/lambda/chain"
)

// RemovalOptions describes the circumstances of a removal of groups.
type RemovalOptions struct {
	// All lists every group that leaves, in this plan or in another one of the same removal.
	// All other groups stay.
	All []chain.Identity
	// InUse lists those that network interfaces use.
	InUse []chain.Identity
	// Rollback reports whether an operation is being undone: groups that it adopted lose
	// the rules that it added.
	Rollback bool
	// MembersMoving reports whether members are moving out of the groups: until they have,
	// they use the groups' rules.
	MembersMoving bool
	// OutOfTime reports whether no time is left to wait for the members of adopted groups,
	// which may stay for ever.
	OutOfTime bool
	// EachAlone reports whether the groups are independent: if one cannot be removed, the others are.
	EachAlone bool
	// Returned lists those that are returned to the chain from which they were moved. They stay
	// as they are, in use or not. No member moves out of them.
	Returned []chain.Identity
}

// Removal returns the plan that removes targets, in phases. First it revokes the rules that
// would prevent the removal. Then it deletes the groups that the chain created, in two waves.
// Last it releases the groups that were adopted or are marked for a release. A released group
// keeps its rules, except the chain's rules between it and the chain's other groups.
//
// EC2 deletes a group only if no other group names it. The waves are the tiers by the parity
// of their position from the end. So nearly half of the rules between the targets go with
// their groups. A rule that names a target is revoked first only if its own group is
// deleted later than the target, or not at all. With EachAlone it is always revoked first.
//
// While a group of [RemovalOptions.Holding] is in use, nothing is removed: a removal that fails
// must not have interrupted any traffic. With EachAlone only the groups in use stay.
func Removal(current chain.State, targets []chain.Identity, departure RemovalOptions) Plan {
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
	leaving := leaving{RemovalOptions: departure, current: current, released: released, wave: waves(deleted, TierOrder(current))}
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
		// The role must not remove the ownership tags of a group that it could delete, so the group is settled first.
		if group := &current.Groups[i]; group.Adoption == chain.Created && slices.Contains(released, group.Identity) {
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

// Holding lists the targets that must not change while they have members. These are the
// groups to delete, because EC2 deletes no group in use. They are also the groups to release
// if rules would be revoked that their members still need.
func (d RemovalOptions) Holding(current chain.State, targets []chain.Identity) []chain.Identity {
	deleted, released := split(current, without(targets, d.Returned))
	if d.OutOfTime || !d.MembersMoving {
		return deleted
	}
	leaving := leaving{RemovalOptions: d, current: current, released: released}
	return append(deleted, slices.DeleteFunc(slices.Clone(released), func(identity chain.Identity) bool { return !leaving.binds(identity) })...)
}

// Waits lists the groups of Holding that are in use. With EachAlone one that waits stays, and
// groups with rules to it may then have to wait, too.
func (d RemovalOptions) Waits(current chain.State, targets []chain.Identity) []chain.Identity {
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

// split separates groups to delete from groups to release: those that were adopted or are marked for it.
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

// waves returns for each group to delete whether it is deleted in the first or the second wave.
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

// leaving decides which rules a removal revokes.
type leaving struct {
	RemovalOptions

	current  chain.State
	released []chain.Identity       // the targets to release
	wave     map[chain.Identity]int // of the targets to delete
}

// revoked lists the rules of a group to revoke first.
func (l leaving) revoked(group chain.Group) []chain.Rule {
	var rules []chain.Rule
	for _, rule := range group.Rules {
		if l.isInTheWay(group, rule) || l.connectsReleased(group, rule) || l.isRolledBack(group, rule) {
			rules = append(rules, rule)
		}
	}
	return rules
}

// binds reports whether the release of a group revokes a rule: one of its own, or one that
// names it.
func (l leaving) binds(identity chain.Identity) bool {
	return slices.ContainsFunc(l.current.Groups, func(group chain.Group) bool {
		return slices.ContainsFunc(group.Rules, func(rule chain.Rule) bool {
			concerns := group.Identity == identity || rule.Peer.Member == identity
			return concerns && (l.connectsReleased(group, rule) || l.isRolledBack(group, rule))
		})
	})
}

// isInTheWay reports whether a rule names a group to delete and is not deleted before it.
func (l leaving) isInTheWay(group chain.Group, rule chain.Rule) bool {
	named, isDeleted := l.wave[rule.Peer.Member]
	own, goes := l.wave[group.Identity]
	isInTime := goes && own < named && !l.EachAlone
	return rule.Peer.Kind == chain.PeerMember && isDeleted && rule.Peer.Member != group.Identity && !isInTime
}

// connectsReleased reports whether the release of a group requires that a rule is revoked. There are
// two cases:
//
//   - A group that stays names a released one. A rule that the chain did not create is kept,
//     unless it is older than the chain and the chain asks for it (a Delete cannot tell).
//   - A released group names a group that the chain created, which could then not be deleted.
//
// A group that is marked for a release counts as one to delete, unless it leaves too. Its tier
// may return, and then the mark is removed.
func (l leaving) connectsReleased(group chain.Group, rule chain.Rule) bool {
	named, isKnown := l.current.Find(rule.Peer.Member)
	if rule.Peer.Kind != chain.PeerMember || !isKnown {
		return false
	}
	isOwn := !isUnmanaged(group, rule)
	isSafe := named.Adoption.IsForeign() || (named.IsReleased() && !l.stays(named.Identity))
	return (slices.Contains(l.released, named.Identity) && l.stays(group.Identity) && (group.Adoption == chain.Settled || isOwn)) ||
		(slices.Contains(l.released, group.Identity) && !isSafe && (isOwn || !l.stays(named.Identity)))
}

// stays reports whether a group is not among those that leave.
func (l leaving) stays(identity chain.Identity) bool { return !slices.Contains(l.All, identity) }

// isRolledBack reports whether a rule was added to an adopted group by the operation that is
// being rolled back.
func (l leaving) isRolledBack(group chain.Group, rule chain.Rule) bool {
	return l.Rollback && group.Adoption.IsFresh() && slices.Contains(l.released, group.Identity) && !isUnmanaged(group, rule)
}

func isUnmanaged(group chain.Group, rule chain.Rule) bool {
	return slices.ContainsFunc(group.Unmanaged, func(other chain.Rule) bool { return other.Key() == rule.Key() })
}
