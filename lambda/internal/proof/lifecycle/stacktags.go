package lifecycle

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Kinds of changes to tags outside operations on the chain.
const (
	addTag      = "a tag is set out of band"
	retagged    = "only the stack's tags change"
	tooManyTags = "the stack has more tags than a group can have"
)

// tooManyFillers is a number of stack tags that exceeds the room of a group. someFillers is one
// that every group has room for.
const (
	tooManyFillers = 45
	someFillers    = 30
)

// fillerKey returns the key of one of many tags of a stack. It sorts after all other keys.
func fillerKey(i int) string { return fmt.Sprintf("zz%02d", i) }

// stackKeys returns the keys of the checked tags: the author's, the stack's and out-of-band ones.
func stackKeys() []string { return append([]string{"Env", "Mine"}, tagKeys...) }

// stackTags returns the tags of the stack from a step on.
func (s Step) stackTags() map[string]string {
	all := maps.Clone(s.StackTags)
	if all == nil {
		all = map[string]string{}
	}
	for i := range s.FillerTags {
		all[fillerKey(i)] = "1"
	}
	return all
}

// StackTags returns the tags of the stack.
func (c *CloudFormation) StackTags() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stackOf(c.place().StackID).tags
}

// setStackTags changes the tags of the stack.
func (c *CloudFormation) setStackTags(tags map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stackOf(c.place().StackID).tags = tags
}

// Retag updates only the tags of the stack, for which CloudFormation sends no event.
func (c *CloudFormation) Retag(tags map[string]string) {
	c.setStackTags(tags)
	c.begin()
	<-time.After(min(5*time.Second, c.Waits))
	c.set("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "", "")
	c.set("UPDATE_COMPLETE", "", "")
}

// showTags restores the tags that the stack had before an Update: at once, or when the rollback is
// done.
func (o *stackOperation) showTags() (done func()) {
	if o.Habits.RollbackShowsTags == "old" {
		o.setStackTags(o.tags)
	}
	tags := o.StackTags()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shown = tags
	return func() {
		o.setStackTags(o.tags)
		o.set(o.StackStatus(), "", "")
	}
}

// noRoomForTags is part of the reason of a refusal for tags that exceed a group's room.
const noRoomForTags = "planning tags of"

// tagSource is who gave a tag to a group.
type tagSource int

const (
	sourceNone tagSource = iota
	sourceAuthor
	sourceStack
	sourceOutOfBand
	sourceUnknown // a failed run may have replaced or removed it
)

// tag is one of the tags of a group.
type tag struct{ group, key string }

// retag changes only the stack's tags, if the stack is in a COMPLETE status.
func (p *player) retag(step Step) {
	if p.chain == nil || !strings.HasSuffix(p.cf.StackStatus(), "_COMPLETE") || p.out.Rows["16 skipped"] || maps.Equal(step.stackTags(), p.cf.StackTags()) {
		return
	}
	p.out.Kinds[retagged] = true
	p.cf.Retag(step.stackTags())
}

// tagOutOfBand tags a group of the chain or an adoptable one out of band.
func (p *player) tagOutOfBand(pick int) {
	groups := slices.Sorted(maps.Values(p.cf.GroupIDs()))
	for _, adoptable := range p.watch.adoptables {
		if !slices.Contains(groups, adoptable.id) {
			groups = append(groups, adoptable.id)
		}
	}
	if len(groups) == 0 {
		return
	}
	p.out.Kinds[addTag] = true
	keys := stackKeys()
	one := tag{groups[pick%len(groups)], keys[pick/len(groups)%len(keys)]}
	wasGone := p.cf.World.Tag(one.group, one.key) == ""
	p.cf.World.SetTag(one.group, one.key, "by hand")
	p.cf.step("out of band: set tag %s of %s", one.key, one.group)
	switch {
	case p.tagSources[one] == sourceNone:
		p.tagSources[one] = sourceOutOfBand
	case p.tagSources[one] == sourceStack && wasGone:
		// A run that was rolled back removed the stack's tag, with the record of it or without.
		p.tagSources[one] = sourceUnknown
	}
}

// tagsFailed records that an operation towards a chain failed, which may have removed out-of-band
// tags.
func (p *player) tagsFailed(now Chain, tags map[string]string) {
	for one, source := range p.tagSources {
		mayTake := tags[one.key] != "" || slices.ContainsFunc(now.Tiers, func(tier Tier) bool { return now.tags(tier)[one.key] != "" })
		if source == sourceOutOfBand && mayTake {
			p.tagSources[one] = sourceUnknown
		}
	}
}

// forgetTagSources records that the source of all existing tags is unknown.
func (p *player) forgetTagSources() {
	for _, group := range p.cf.World.Groups() {
		for _, key := range append(stackKeys(), fillerKey(0)) {
			p.tagSources[tag{group, key}] = sourceUnknown
		}
	}
}

// stackTagsAfter checks the tags after a step. It skips the check if a run may have seen an earlier
// state of the stack, with other tags.
func (p *player) stackTagsAfter(step Step, now Chain, tags map[string]string) {
	if slices.ContainsFunc(step.Mishaps, func(one Mishap) bool { return one.Behind > 0 }) {
		p.forgetTagSources()
		return
	}
	p.checkStackTags(now, tags)
}

// checkStackTags compares the groups' tags with those of the stack, the author and others, after an
// operation or a repair. The tags of a group that was just adopted must stay.
func (p *player) checkStackTags(now Chain, tags map[string]string) {
	if p.watch.hasOutOfBandChange() {
		p.forgetTagSources()
		return
	}
	for _, tier := range now.Tiers {
		group := p.cf.GroupIDs()[tier.Name]
		isFull := tags[fillerKey(tooManyFillers-1)] != "" && !now.NoStackTags
		for _, key := range stackKeys() {
			one := tag{group, key}
			want, source := p.wantedTag(now, tier, one, tags)
			got := p.cf.World.Tag(group, key)
			if source == sourceStack && got == "" && isFull {
				source = sourceUnknown // there was no room
			}
			if !p.watch.hasExtraRules(group) && source != sourceUnknown && got != want {
				p.watch.violate(AnyToAny, fmt.Sprintf("tag %s of tier %s (%s) is %q, want %q; the stack's tags are %v", key, tier.Name, group, got, want, tags))
			}
			p.tagSources[one] = source
		}
		p.checkOwnTags(group, tier.Name, tags)
		p.checkFillerTags(now, tier.Name, group, tags)
	}
	p.tagsLeft()
}

// tagsLeft forgets the source of tags on groups that the chain no longer has but may get again. The
// author's earlier tags stay on them, and a released group keeps all its tags.
func (p *player) tagsLeft() {
	answered := slices.Collect(maps.Values(p.cf.GroupIDs()))
	for _, group := range p.cf.World.Groups() {
		if slices.Contains(answered, group) {
			continue
		}
		for _, key := range append(stackKeys(), fillerKey(0)) {
			one, isOurs := tag{group, key}, p.watch.isOwned(group)
			isLeft := !isOurs && p.cf.World.Tag(group, key) != ""
			if source := p.tagSources[one]; source == sourceAuthor || (source == sourceNone && isOurs) || (source != sourceOutOfBand && isLeft) {
				p.tagSources[one] = sourceUnknown
			}
		}
	}
}

// wantedTag returns the tag that a group should have, and its source.
func (p *player) wantedTag(now Chain, tier Tier, one tag, tags map[string]string) (want string, source tagSource) {
	was := p.tagSources[one]
	isAdopted := p.cf.World.Tag(one.group, tagAdopted) != ""
	hasExtraRules := p.watch.hasExtraRules(one.group)
	ofAuthor, value := now.tags(tier)[one.key], tags[one.key]
	if now.NoStackTags {
		value = ""
	}
	switch {
	case ofAuthor != "" && hasExtraRules && was == sourceOutOfBand:
		return "", sourceUnknown
	case ofAuthor != "":
		return ofAuthor, sourceAuthor
	case was == sourceOutOfBand && (isAdopted || value == ""):
		return "by hand", sourceOutOfBand
	case was == sourceUnknown && (isAdopted || value == ""), hasExtraRules && was == sourceAuthor:
		return "", sourceUnknown
	case value != "":
		return value, sourceStack
	case hasExtraRules:
		return "", was
	default:
		return "", sourceNone
	}
}

// checkOwnTags checks that a group has its own Name, and that only its own tags identify its owner.
func (p *player) checkOwnTags(group, tier string, tags map[string]string) {
	name, is := p.cf.World.Tag(group, "Name"), p.cf.World.Tag(group, "sgchain:tier")
	if is != tier || (name != "" && name == tags["Name"]) {
		p.watch.violate(AnyToAny, fmt.Sprintf("group %s of tier %s has the Name %q and the tier tag %q", group, tier, name, is))
	}
}

// checkFillerTags compares a group with the filler tags of its stack.
func (p *player) checkFillerTags(now Chain, tier, group string, tags map[string]string) {
	if p.watch.hasExtraRules(group) || (p.cf.World.Tag(group, tagAdopted) != "" && p.tagSources[tag{group, fillerKey(0)}] == sourceUnknown) {
		return
	}
	var got, want int
	for i := range tooManyFillers {
		if p.cf.World.Tag(group, fillerKey(i)) != "" {
			got++
		}
		if tags[fillerKey(i)] != "" && !now.NoStackTags {
			want++
		}
	}
	// A run that reads an earlier state overwrites a record that it does not see, and those tags
	// stay (a known limit; see docs/lifecycle.md).
	isLost := got > want && p.out.Kinds["stale"]
	if !isLost && (got > want || (got < want && want <= someFillers)) {
		p.watch.violate(AnyToAny, fmt.Sprintf("tier %s (%s) has %d of the %d tags of the stack", tier, group, got, want))
	}
}

// stackTagsStream separates the draws of this file from all others.
const stackTagsStream = 0x737461636b

// stackTags gives the stack of one history in three tags that change from step to step, and adds
// out-of-band tags to groups.
func stackTags(h *History, seed, index uint64) {
	r := &drawer{Rand: rand.New(rand.NewPCG(seed^stackTagsStream, index))} //nolint:gosec // repeatable randomness
	if !r.oneIn(3) || h.Moves {                                            // a chain that moves keeps its groups' tags
		return
	}
	*h = h.clone()
	h.Habits.RollbackShowsTags = pick(r, "old", "new")
	var tags map[string]string
	for i := range h.Steps {
		step := &h.Steps[i]
		if r.oneIn(2) {
			tags = r.stackTags()
		}
		step.StackTags = tags
		step.Chain.NoStackTags = len(step.Chain.Tiers) > 0 && r.oneIn(8)
		if step.Do == "update" && r.oneIn(8) {
			step.FillerTags = pick(r, someFillers, tooManyFillers)
		}
	}
	for range r.IntN(4) {
		place := r.IntN(len(h.Steps)) + 1
		step := Step{Do: pick(r, addTag, addTag, retagged), Pick: r.IntN(1 << 10), StackTags: r.stackTags(), Rest: max(r.rest(), 10)}
		if step.Do == retagged && h.Repairs {
			h.Steps = slices.Insert(h.Steps, place, Step{Do: "repair", Rest: r.rest()})
		}
		h.Steps = slices.Insert(h.Steps, place, step)
	}
}

func (r *drawer) stackTags() map[string]string {
	all := map[string]string{}
	for _, key := range []string{"Cost", "Env", "Team"} {
		if r.oneIn(2) {
			all[key] = pick(r, "s", "t")
		}
	}
	for _, key := range []string{"Name", "aws:x", "sgchain:tier"} {
		if r.oneIn(3) {
			all[key] = "of the stack"
		}
	}
	return all
}
