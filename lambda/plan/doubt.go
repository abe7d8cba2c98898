package plan

import (
	"slices"

	"sgchain/lambda/chain"
)

// Doubtful says whether what EC2 shows may be the past, or the work of a run that is still
// alive. No answer must build on that: it would name groups that are gone, leave the chain as
// it was, or cut off the groups that were not shown.
//
// A Create that finds groups, or an Update of something that finds it done, follows a run that
// died, or sees what was there before; so does an Update that does not find all that it is to
// update. Groups of no chain may be gone by now, and where the newest ones bear another
// physical ID than the recorded one, the run that made them may be alive. Wanted is the
// physical ID that the chain is to have.
func Doubtful(change Change, current chain.State, recorded, wanted string) bool {
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
