package plan

import (
	"maps"
	"slices"

	"sgchain/lambda/chain"
)

// Moving returns the change by which a chain takes over the groups of another one: nothing but whose they are changes. What the new
// chain wants beside that is for the caller to refuse ([Plan.Beyond]).
func (c Change) Moving(from chain.Former) Change {
	c.Old, c.From = c.New, from
	c.StackTags = nil                    // those of its own stack come with its next update
	c.Creating, c.Rollback = false, true // whoever adopted the groups before goes on being the one who did
	return c
}

// wasNamedElsewhere reports whether a group has the name that the chain generated from which it was moved: that stays what the console
// shows, unless the author says otherwise.
func wasNamedElsewhere(wanted, was chain.Group) bool {
	_, isMoved := was.Tags[chain.TagMovedFrom]
	return (was.Movable || isMoved) && wanted.GroupName == "" && chain.IsGenerated(wanted.Tags[chain.NameTag], wanted.Tier)
}

// markMoved puts into the tags of a live group where it was moved from.
func (c Change) markMoved(tags map[string]string, was chain.Group) {
	switch _, isMoved := chain.FormerOf(was.Tags); {
	case was.Movable:
		from := c.From
		from.Epoch = was.Epoch
		delete(tags, chain.TagMovedFromProvider) // of a move before
		maps.Copy(tags, from.Marks())
	case isMoved && c.MovedForGood, tags[chain.TagMovedFrom] == chain.MovedForGood:
		tags[chain.TagMovedFrom] = chain.MovedForGood
		delete(tags, chain.TagMovedFromStack)
		delete(tags, chain.TagMovedFromProvider)
	}
}

// Beyond returns what a plan has beside moves of groups, and marks of earlier moves that go.
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

// returned returns the steps that give groups back to the chain from which they were moved.
func (b *builder) returned(current chain.State, identities []chain.Identity) {
	for _, identity := range identities {
		group, _ := current.Find(identity)
		if from, isMoved := chain.FormerOf(group.Tags); isMoved {
			b.add(Step{Phase: Release, Stage: 3, Action: ReturnGroup, Group: identity, Epoch: from.Epoch})
		}
	}
}

// marks lists the marks of a move among tags.
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
