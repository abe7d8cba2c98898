package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sgchain/lambda/chain"
)

// tags returns the tags of a live group: the author's, the stack's, and those of other owners. Lacking
// lists the stack's tags for which a rollback has no room.
func (c Change) tags(wanted, was chain.Group) (all map[string]string, lacking []string) {
	all = c.withoutStack(wanted, was)
	return all, c.addStackTags(all, wanted, was)
}

// withoutStack returns the author's tags and those of other owners. It removes keys that the author had in
// the previous properties only, and tags that came from the stack. An adopted group keeps its Name if the
// author sets none. If the run only adds, it keeps all its tags.
func (c Change) withoutStack(wanted, was chain.Group) map[string]string {
	all := map[string]string{}
	maps.Copy(all, was.Tags)
	if !c.onlyAdds(was) {
		for _, group := range c.Old.Groups {
			if group.Tier == wanted.Tier {
				for key := range group.Tags {
					delete(all, key)
				}
			}
		}
		for key := range was.Tags {
			if cameFromStack(was, key) && !c.keepsStackTags(was) {
				delete(all, key)
			}
		}
	}
	maps.Copy(all, wanted.Tags)
	for key, value := range was.Tags {
		isGiven := key == chain.NameTag && was.Adoption.IsForeign() && wanted.Tags[key] == wanted.GroupName
		if c.onlyAdds(was) || isGiven || (key == chain.NameTag && wasNamedElsewhere(wanted, was)) {
			all[key] = value
		}
	}
	c.markMoved(all, was)
	delete(all, chain.TagRelease) // its tier is in the chain, perhaps again
	return all
}

// keepsStackTags reports whether a group keeps tags that came from a stack: the run only adds, or moves the group as it is.
func (c Change) keepsStackTags(was chain.Group) bool {
	return c.onlyAdds(was) || c.From != (chain.Former{})
}

// cameFromStack reports whether a tag of a group came from its stack. The tags of a group before its adoption
// came from another owner, even if an earlier chain recorded them as the stack's.
func cameFromStack(was chain.Group, key string) bool {
	return was.Adoption != chain.Adoptable && chain.IsOfStack(was.Tags, key)
}

// spareTags is the room that a rollback leaves for marks that a group may get later: one of a release, three of a move.
const spareTags = 4

// addStackTags adds the stack's tags unless the author sets the same key, and records which they are. On an
// adopted group they never replace an existing tag. Stack tags that the group already has are first, so that
// in a rollback it does not lose one to another.
func (c Change) addStackTags(all map[string]string, wanted, was chain.Group) (lacking []string) {
	var reached []string
	_, keepsRecord := all[chain.TagStackTags]
	if keepsRecord = keepsRecord && c.keepsStackTags(was); keepsRecord {
		for key := range was.Tags {
			if cameFromStack(was, key) {
				reached = append(reached, key)
			}
		}
	}
	all[chain.TagStackTags] = "" // the record counts as a tag, too
	keys := slices.Sorted(maps.Keys(c.StackTags))
	for _, had := range []bool{true, false} {
		room := chain.MaxGroupTags
		if !had {
			room -= spareTags
		}
		for _, key := range keys {
			_, isAuthors := wanted.Tags[key]
			_, isThere := all[key]
			count := chain.Group{Tags: all, Adoption: was.Adoption}.TagCount()
			switch {
			case cameFromStack(was, key) != had || isAuthors || (isThere && was.Adoption.IsForeign()):
			case c.Rollback && !isThere && count >= room:
				lacking = append(lacking, key)
			default:
				all[key] = c.StackTags[key]
				reached = append(reached, key)
			}
		}
	}
	if all[chain.TagStackTags] = chain.StackTagsRecord(reached); len(reached) == 0 && !keepsRecord {
		delete(all, chain.TagStackTags)
	}
	return lacking
}

// TagRoom refuses a change that would give a group more tags than EC2 allows, those of the stack included. It does not refuse a rollback;
// see [Change.LackingTags]. Wrote reports whether the run has already changed something.
func (c Change) TagRoom(current chain.State, wrote bool) error {
	for _, wanted := range c.New.Groups {
		was, _ := current.Find(wanted.Identity)
		goal := chain.Group{Adoption: c.adoption(was)}
		goal.Tags, _ = c.tags(wanted, was)
		if c.Rollback || goal.TagCount() <= chain.MaxGroupTags || goal.Tags[chain.TagStackTags] == "" {
			continue
		}
		failed := &TagRoomError{Group: wanted.Identity, Count: goal.TagCount(), Author: len(wanted.Tags), Wrote: wrote}
		failed.Ownership = failed.Count - len(goal.Tags) + 1
		failed.Stack = len(strings.Fields(goal.Tags[chain.TagStackTags]))
		return failed
	}
	return nil
}

// TagRoomError reports a group that has no room for the tags of its stack.
type TagRoomError struct {
	Group chain.Identity
	// Count is the number of tags that it would have. Author counts those of the properties with its Name, Stack those of the stack, and
	// Ownership those of the chain itself. The rest are those of other owners.
	Count, Author, Stack, Ownership int
	// Wrote reports whether the run has already changed something.
	Wrote bool
}

func (e *TagRoomError) Error() string {
	return fmt.Sprintf("planning tags of security group (%s): it would have %d tags (%d of its properties and Name, %d of the stack, %d of other owners and %d of the chain), and EC2 allows %d",
		e.Group, e.Count, e.Author, e.Stack, max(0, e.Count-e.Author-e.Stack-e.Ownership), e.Ownership, chain.MaxGroupTags)
}

// Remedy returns what to do about it.
func (e *TagRoomError) Remedy() string {
	const text = "Use fewer tags, or set StackTags to false."
	if e.Wrote {
		return text
	}
	return "Nothing was changed. " + text
}

// LackingTags returns a text for each tier that lacks tags of the stack because a rollback had no room for them.
func (c Change) LackingTags(current chain.State) []string {
	var texts []string
	for _, wanted := range c.New.Groups {
		was, _ := current.Find(wanted.Identity)
		if _, lacking := c.tags(wanted, was); len(lacking) > 0 {
			texts = append(texts, fmt.Sprintf("tier %s lacks tags of the stack, because EC2 allows %d for a group and the chain reserves some: %s. Use fewer tags, or set StackTags to false in the next update",
				wanted.Tier, chain.MaxGroupTags, strings.Join(lacking, ", ")))
		}
	}
	return texts
}
