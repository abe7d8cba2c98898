package plan

import (
	"slices"

	"sgchain/lambda/chain"
)

// MayBeStale reports whether EC2's answer may be stale, or may show the work of a concurrent
// run. No response may rely on such an answer. It could name deleted groups, leave the chain
// unchanged, or interrupt the traffic of groups that EC2 did not show.
//
// The signs of one:
//
//   - A Create finds groups, or an Update finds its work done. Either an earlier run was
//     aborted, or EC2 shows an earlier state.
//   - An Update does not find all the groups of its previous properties.
//   - Orphaned groups exist. By now they may be deleted.
//   - The newest groups have another physical ID than the recorded one. The run that created
//     them may still be active.
//
// Wanted is the physical ID that the chain will have.
func MayBeStale(change Change, current chain.State, recorded, wanted string) bool {
	if change.Creating {
		return slices.ContainsFunc(current.Groups, func(group chain.Group) bool { return group.Adoption != chain.Adoptable && !group.Movable })
	}
	isHidden := func(identity chain.Identity) bool { return !current.Has(identity) }
	if current.Newest().PhysicalID != recorded || slices.ContainsFunc(change.Old.Identities(), isHidden) || len(change.Orphans(current)) > 0 {
		return true
	}
	asksForNothing := Diff(change.Old, change.New).Empty() && Diff(change.New, change.Old).Empty()
	return !asksForNothing && Diff(current, Goal(change, current, current.NextEpoch(wanted))).Empty()
}
