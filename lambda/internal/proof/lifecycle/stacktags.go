package lifecycle

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// What happens to tags beside operations on the chain.
const (
	byHandTag = "somebody tags a group"
	retagged  = "only the stack's tags change"
	crowded   = "the stack has more tags than a group has room for"
)

// fullCrowd is how many tags of the stack no group has room for, and someCrowd how many every one has.
const (
	fullCrowd = 45
	someCrowd = 30
)

// crowdKey is the key of one of many tags of a stack, behind all others in their order.
func crowdKey(i int) string { return fmt.Sprintf("zz%02d", i) }

// stackKeys are the keys whose tags the judge knows: the author's, and others that a stack has or somebody
// gives to a group.
func stackKeys() []string { return append([]string{"Env", "Mine"}, tagKeys...) }

// stackTags is the tags of the stack from a step on.
func (s Step) stackTags() map[string]string {
	all := maps.Clone(s.StackTags)
	if all == nil {
		all = map[string]string{}
	}
	for i := range s.Crowd {
		all[crowdKey(i)] = "1"
	}
	return all
}

// StackTags is the tags that the stack has.
func (c *CloudFormation) StackTags() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stackOf(c.place().StackID).tags
}

// tagged says that the stack has other tags from now on.
func (c *CloudFormation) tagged(tags map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stackOf(c.place().StackID).tags = tags
}

// Retag is an update of the stack in which only its tags change: no event says so.
func (c *CloudFormation) Retag(tags map[string]string) {
	c.tagged(tags)
	c.begin()
	<-time.After(min(5*time.Second, c.Waits))
	c.set("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "", "")
	c.set("UPDATE_COMPLETE", "", "")
}

// showTags gives the stack back the tags that it had before an Update, at once or when the rollback is done.
func (o *course) showTags() (done func()) {
	if o.Habits.RollbackShowsTags == "old" {
		o.tagged(o.tags)
	}
	tags := o.StackTags()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shown = tags
	return func() {
		o.tagged(o.tags)
		o.set(o.StackStatus(), "", "")
	}
}

// noRoomForTags begins the reason of a refusal for tags that a group has no room for.
const noRoomForTags = "planning tags of"

// giver is who gave a tag to a group.
type giver int

const (
	nobody giver = iota
	author
	ofStack
	hand
	unsure // a run that failed may have put another one in its place, or taken it away
)

// tag is one of the tags of a group.
type tag struct{ group, key string }

// retag changes the stack's tags and nothing else, where the stack is at rest.
func (p *player) retag(step Step) {
	if p.chain == nil || !strings.HasSuffix(p.cf.StackStatus(), "_COMPLETE") || p.out.Rows["16 skipped"] || maps.Equal(step.stackTags(), p.cf.StackTags()) {
		return
	}
	p.out.Kinds[retagged] = true
	p.cf.Retag(step.stackTags())
}

// tagByHand lets somebody tag a group of the chain, or one that is made by hand.
func (p *player) tagByHand(pick int) {
	groups := slices.Sorted(maps.Values(p.cf.GroupIDs()))
	for _, made := range p.watch.foreign {
		if !slices.Contains(groups, made.id) {
			groups = append(groups, made.id)
		}
	}
	if len(groups) == 0 {
		return
	}
	p.out.Kinds[byHandTag] = true
	keys := stackKeys()
	one := tag{groups[pick%len(groups)], keys[pick/len(groups)%len(keys)]}
	p.cf.World.SetTag(one.group, one.key, "by hand")
	p.cf.step("by hand: the tag %s of %s", one.key, one.group)
	if p.givers[one] == nobody {
		p.givers[one] = hand
	}
}

// tagsFailed says that an operation towards a chain failed: what somebody gave groups may be gone.
func (p *player) tagsFailed(now Chain, tags map[string]string) {
	for one, by := range p.givers {
		mayTake := tags[one.key] != "" || slices.ContainsFunc(now.Tiers, func(tier Tier) bool { return now.tags(tier)[one.key] != "" })
		if by == hand && mayTake {
			p.givers[one] = unsure
		}
	}
}

// tagsUnsure says that nobody knows any more who gave the groups that there are their tags.
func (p *player) tagsUnsure() {
	for _, group := range p.cf.World.Groups() {
		for _, key := range append(stackKeys(), crowdKey(0)) {
			p.givers[tag{group, key}] = unsure
		}
	}
}

// stackTagsAfter judges the tags after a step, unless a run may have seen the stack as it was before, with other tags.
func (p *player) stackTagsAfter(step Step, now Chain, tags map[string]string) {
	if slices.ContainsFunc(step.Mishaps, func(one Mishap) bool { return one.Behind > 0 }) {
		p.tagsUnsure()
		return
	}
	p.stackTags(now, tags)
}

// stackTags holds the groups' tags against those of the stack, the author's and those of others, once an
// operation or a repair has come to its end with a chain. What a group has that just was adopted nobody takes away.
func (p *player) stackTags(now Chain, tags map[string]string) {
	if p.watch.meddled() {
		p.tagsUnsure()
		return
	}
	for _, tier := range now.Tiers {
		group := p.cf.GroupIDs()[tier.Name]
		isFull := tags[crowdKey(fullCrowd-1)] != "" && !now.NoStackTags
		for _, key := range stackKeys() {
			one := tag{group, key}
			want, by := p.wantedTag(now, tier, one, tags)
			got := p.cf.World.Tag(group, key)
			if by == ofStack && got == "" && isFull {
				by = unsure // there was no room
			}
			if !p.watch.isLoose(group) && by != unsure && got != want {
				p.watch.violate(AnyToAny, fmt.Sprintf("the tag %s of tier %s (%s) is %q and not %q; the stack has %v", key, tier.Name, group, got, want, tags))
			}
			p.givers[one] = by
		}
		p.ownTags(group, tier.Name, tags)
		p.crowd(now, tier.Name, group, tags)
	}
	p.tagsLeft()
}

// tagsLeft says what is not known of groups that the chain has no more, and may have again: the author's tags of
// then stay on them, and so do all tags on one that was released.
func (p *player) tagsLeft() {
	answered := slices.Collect(maps.Values(p.cf.GroupIDs()))
	for _, group := range p.cf.World.Groups() {
		if slices.Contains(answered, group) {
			continue
		}
		for _, key := range append(stackKeys(), crowdKey(0)) {
			one, isOurs := tag{group, key}, p.watch.isTaken(group)
			isLeft := !isOurs && p.cf.World.Tag(group, key) != ""
			if by := p.givers[one]; by == author || (by == nobody && isOurs) || (by != hand && isLeft) {
				p.givers[one] = unsure
			}
		}
	}
}

// wantedTag is the tag that a group should have, and who gives it.
func (p *player) wantedTag(now Chain, tier Tier, one tag, tags map[string]string) (want string, by giver) {
	was := p.givers[one]
	isAdopted := p.cf.World.Tag(one.group, tagAdopted) != ""
	isLoose := p.watch.isLoose(one.group)
	ofAuthor, value := now.tags(tier)[one.key], tags[one.key]
	if now.NoStackTags {
		value = ""
	}
	switch {
	case ofAuthor != "" && isLoose && was == hand:
		return "", unsure
	case ofAuthor != "":
		return ofAuthor, author
	case was == hand && (isAdopted || value == ""):
		return "by hand", hand
	case was == unsure && (isAdopted || value == ""), isLoose && was == author:
		return "", unsure
	case value != "":
		return value, ofStack
	case isLoose:
		return "", was
	default:
		return "", nobody
	}
}

// ownTags holds against a group that it has its own Name, and that nothing but its own says whose it is.
func (p *player) ownTags(group, tier string, tags map[string]string) {
	name, is := p.cf.World.Tag(group, "Name"), p.cf.World.Tag(group, "sgchain:tier")
	if is != tier || (name != "" && name == tags["Name"]) {
		p.watch.violate(AnyToAny, fmt.Sprintf("group %s of tier %s has the Name %q, and is of tier %s", group, tier, name, is))
	}
}

// crowd holds the many tags of a stack against a group.
func (p *player) crowd(now Chain, tier, group string, tags map[string]string) {
	if p.watch.isLoose(group) || (p.cf.World.Tag(group, tagAdopted) != "" && p.givers[tag{group, crowdKey(0)}] == unsure) {
		return
	}
	var got, want int
	for i := range fullCrowd {
		if p.cf.World.Tag(group, crowdKey(i)) != "" {
			got++
		}
		if tags[crowdKey(i)] != "" && !now.NoStackTags {
			want++
		}
	}
	// A run that reads what was seconds ago overwrites a record that it does not see: those tags stay (residue; see docs/lifecycle.md).
	isLost := got > want && p.out.Kinds["stale"]
	if !isLost && (got > want || (got < want && want <= someCrowd)) {
		p.watch.violate(AnyToAny, fmt.Sprintf("tier %s (%s) has %d of the %d tags of the stack", tier, group, got, want))
	}
}

// stackTagsStream sets the draws of this file apart from all others.
const stackTagsStream = 0x737461636b

// stackTags gives the stack of one history in three tags that change from step to step, and lets somebody tag groups.
func stackTags(h *History, seed, index uint64) {
	r := &drawer{Rand: rand.New(rand.NewPCG(seed^stackTagsStream, index))} //nolint:gosec // chance that can be repeated
	if !r.oneIn(3) || h.Moves {                                            // a chain that moves takes its groups along as they are
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
			step.Crowd = pick(r, someCrowd, fullCrowd)
		}
	}
	for range r.IntN(4) {
		place := r.IntN(len(h.Steps)) + 1
		step := Step{Do: pick(r, byHandTag, byHandTag, retagged), Pick: r.IntN(1 << 10), StackTags: r.stackTags(), Rest: max(r.rest(), 10)}
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
