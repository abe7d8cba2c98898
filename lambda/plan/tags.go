package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sgchain/lambda/chain"
)

// tags is what a live group carries: what its author asks for, what its stack has, and what others
// gave it. Lacking are tags of the stack for which there is no room on the way back.
func (c Change) tags(wanted, was chain.Group) (all map[string]string, lacking []string) {
	all = c.withoutStack(wanted, was)
	return all, c.addStackTags(all, wanted, was)
}

// withoutStack is the author's tags and those of others. A key that the author had and has no more
// is taken away, and so is what came from the stack. A group that somebody else made keeps its Name where
// the author gives none, and all that it has where the run only adds.
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
	delete(all, chain.TagRelease) // its tier is in the chain, maybe again
	return all
}

// keepsStackTags reports whether what came from the stack stays on a group: the run only adds, or moves the group as it is.
func (c Change) keepsStackTags(was chain.Group) bool {
	return c.onlyAdds(was) || c.From != (chain.Former{})
}

// cameFromStack reports whether a tag that a group has came from its stack. What a group that is still
// to be adopted has came from somebody else, whatever a chain of before recorded there.
func cameFromStack(was chain.Group, key string) bool {
	return was.Adoption != chain.Adoptable && chain.IsOfStack(was.Tags, key)
}

// spareTags is the room that the way back leaves for marks that a group may get later: one of a release, three of a move.
const spareTags = 4

// addStackTags adds the stack's tags where the author has none of the key, and records which they are. On
// a group that somebody else made they never replace a tag that is there. Those that the group has come
// first, so that on the way back it loses none of them to another one.
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
	all[chain.TagStackTags] = "" // it takes its place among them
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

// TagRoom refuses a change that would give a group more tags with those of the stack than EC2 takes. The way back is not refused: see
// [Change.LackingTags]. Wrote says that the run has changed something before.
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

// TagRoomError is a group that has not room for the tags of its stack.
type TagRoomError struct {
	Group chain.Identity
	// Count is how many tags it would have: Author those of the properties with its Name, Stack those of the stack, Ownership those of the
	// chain itself, and those of others.
	Count, Author, Stack, Ownership int
	// Wrote says that the run has changed something before.
	Wrote bool
}

func (e *TagRoomError) Error() string {
	return fmt.Sprintf("planning tags of security group (%s): it would have %d tags (%d of its properties, its Name included, %d of the stack, %d of others and %d of the chain itself), and EC2 takes %d",
		e.Group, e.Count, e.Author, e.Stack, max(0, e.Count-e.Author-e.Stack-e.Ownership), e.Ownership, chain.MaxGroupTags)
}

// Remedy is one sentence of what to do.
func (e *TagRoomError) Remedy() string {
	const text = "Use fewer tags, or set StackTags to false, so that the groups get none of the stack."
	if e.Wrote {
		return text
	}
	return "Nothing was changed. " + text
}

// LackingTags says, for people, which tags of the stack groups lack because a way back had no room for them.
func (c Change) LackingTags(current chain.State) []string {
	var texts []string
	for _, wanted := range c.New.Groups {
		was, _ := current.Find(wanted.Identity)
		if _, lacking := c.tags(wanted, was); len(lacking) > 0 {
			texts = append(texts, fmt.Sprintf("tier %s lacks tags of the stack, because EC2 takes %d for a group and some are spared for the chain: %s. Use fewer tags, or set StackTags to false in the next update",
				wanted.Tier, chain.MaxGroupTags, strings.Join(lacking, ", ")))
		}
	}
	return texts
}
