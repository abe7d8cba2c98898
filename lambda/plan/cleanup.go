package plan

import (
	"cmp"
	"slices"
	"strings"

	"sgchain/lambda/chain"
)

// Cleanup returns the second part of a change: after every consumer has moved,
// CloudFormation deletes the old physical ID. State is the result of the first part.
//
// It is the [Removal] of the retired groups as an observer sees it. A deleted group's
// rules go with it, and the groups are in the state's order.
func Cleanup(change Change, state chain.State) Plan {
	state = state.Normalize()
	retired := slices.DeleteFunc(state.Identities(), func(identity chain.Identity) bool { return change.Standing(identity) != Retired })
	cleanup := Removal(state, retired, RemovalOptions{All: retired, MembersMoving: true})
	cleanup.Steps = slices.DeleteFunc(cleanup.Steps, func(step Step) bool {
		group, _ := state.Find(step.Group)
		return step.Action == RetagGroup || step.Action == RevokeRules && slices.Contains(retired, step.Group) && !group.IsReleased()
	})
	order := state.Identities()
	chain.Sort(cleanup.Steps, func(a, b Step) int {
		return cmp.Or(cmp.Compare(min(a.Phase, Delete), min(b.Phase, Delete)), cmp.Compare(slices.Index(order, a.Group), slices.Index(order, b.Group)))
	})
	return cleanup
}

func lastAction(group chain.Group) Action {
	if group.IsReleased() {
		return ReleaseGroup
	}
	return DeleteGroup
}

// Fate is what happens to a group.
type Fate string

// The fates. A retired group stays until the cleanup. An orphaned group is in neither
// chain, and is removed after its last use ends.
const (
	Created  Fate = "create"
	Adopted  Fate = "adopt"
	Moved    Fate = "move"
	Kept     Fate = "keep"
	Leaves   Fate = "retire"
	Orphaned Fate = "left over"
)

// GroupFate pairs a group with what happens to it.
type GroupFate struct {
	chain.Identity

	Fate Fate
	// Last is what the cleanup does to a retired group, or a later run to an orphaned one.
	Last Action
}

// Fates returns what happens to every group of the new chain and of the current
// state. The new chain's groups are first, in its order.
func Fates(change Change, current chain.State) []GroupFate {
	var fates []GroupFate
	for _, identity := range change.New.Identities() {
		was, exists := current.Find(identity)
		fate := GroupFate{Identity: identity, Fate: Kept}
		switch {
		case !exists:
			fate.Fate = Created
		case was.Movable:
			fate.Fate = Moved
		case was.Adoption == chain.Adoptable:
			fate.Fate = Adopted
		}
		fates = append(fates, fate)
	}
	for _, group := range sorted(current).Groups {
		switch change.Standing(group.Identity) {
		case Live:
		case Retired:
			group.Tags = change.marked(group)
			fates = append(fates, GroupFate{Identity: group.Identity, Fate: Leaves, Last: lastAction(group)})
		case Orphan:
			fates = append(fates, GroupFate{Identity: group.Identity, Fate: Orphaned, Last: lastAction(group)})
		}
	}
	return fates
}

// Text formats the fate as one line: "retire Db~52a1ef sg-0a1b: delete group in the
// cleanup". The group's ID may be empty.
func (f GroupFate) Text(groupID string) string {
	text := string(f.Fate) + " " + f.Identity.String()
	if groupID != "" {
		text += " " + groupID
	}
	switch f.Fate {
	case Leaves:
		text += ": " + string(f.Last) + " in the cleanup"
	case Orphaned:
		text += ": " + string(f.Last) + " once nothing uses it"
	case Created, Adopted, Moved, Kept:
	}
	return text
}

// FateList formats the fates of all groups, one line for each.
func FateList(change Change, current chain.State) string {
	var text strings.Builder
	for _, fate := range Fates(change, current) {
		text.WriteString(fate.Text("") + "\n")
	}
	return text.String()
}

// OrphanedGroups returns the groups that are no longer in any chain, and those of them that a run may
// remove as its last act.
//
// Orphans of the newest generation before the run stay: a concurrent run may have created them.
// After this run its own generation is the newest one, so the next run removes them. If takesOwn
// is set, unused groups of the old chain are included, whatever their generation.
func OrphanedGroups(change Change, current chain.State, newest chain.Epoch, takesOwn bool) (left, targets []chain.Identity) {
	for _, group := range current.Groups {
		standing := change.Standing(group.Identity)
		if standing == Orphan || (standing == Retired && takesOwn) {
			left = append(left, group.Identity)
			if takesOwn || group.Epoch.Generation < newest.Generation {
				targets = append(targets, group.Identity)
			}
		}
	}
	return left, targets
}
