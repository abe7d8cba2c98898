package plan

import (
	"maps"
	"slices"

	"sgchain/lambda/chain"
)

// Moving returns the change by which a chain takes over the groups of another one. Only the owner of the groups changes. The caller has
// to refuse any other difference ([Plan.Beyond]).
func (c Change) Moving(from chain.Former) Change {
	c.Old, c.From = c.New, from
	c.StackTags = nil                    // the next update adds those of its own stack
	c.Creating, c.Rollback = false, true // keeps the record of who adopted the groups
	return c
}

// wasNamedElsewhere reports whether a group still has the Name that the chain generated from which it was moved. The group keeps this
// Name unless the author sets one.
func wasNamedElsewhere(wanted, was chain.Group) bool {
	_, isMoved := was.Tags[chain.TagMovedFrom]
	return (was.Movable || isMoved) && wanted.GroupName == "" && chain.IsGenerated(wanted.Tags[chain.NameTag], wanted.Tier)
}

// markMoved records in the tags of a live group from which chain it was moved.
func (c Change) markMoved(tags map[string]string, was chain.Group) {
	switch _, isMoved := chain.FormerOf(was.Tags); {
	case was.Movable:
		from := c.From
		from.Epoch = was.Epoch
		delete(tags, chain.TagMovedFromProvider) // of an earlier move
		maps.Copy(tags, from.Marks())
	case isMoved && c.MovedForGood, tags[chain.TagMovedFrom] == chain.MovedForGood:
		tags[chain.TagMovedFrom] = chain.MovedForGood
		delete(tags, chain.TagMovedFromStack)
		delete(tags, chain.TagMovedFromProvider)
	}
}

// Beyond returns the steps of a plan other than moves of groups and removals of marks of earlier moves.
func (p Plan) Beyond() Plan {
	var rest Plan
	for _, step := range p.Steps {
		isOfOthers := func(tag Tag) bool { return !chain.IsMark(tag.Key) }
		isOfMove := step.Action == MoveGroup || (step.Action == UntagGroup && !slices.ContainsFunc(step.Tags, isOfOthers))
		if !isOfMove {
			rest.Steps = append(rest.Steps, step)
		}
	}
	return rest
}

// returned adds the steps that return groups to the chain from which they were moved.
func (b *builder) returned(current chain.State, identities []chain.Identity) {
	for _, identity := range identities {
		group, _ := current.Find(identity)
		if from, isMoved := chain.FormerOf(group.Tags); isMoved {
			b.add(Step{Phase: Release, Stage: 3, Action: ReturnGroup, Group: identity, Epoch: from.Epoch})
		}
	}
}

// marks lists the tags that are marks of a move.
func marks(tags map[string]string) []Tag {
	var all []Tag
	for _, tag := range tagged(nil, tags) {
		switch tag.Key {
		case chain.TagMovedFrom, chain.TagMovedFromStack, chain.TagMovedFromProvider:
			all = append(all, tag)
		}
	}
	return all
}
