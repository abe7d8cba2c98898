package lifecycle

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"sgchain/lambda/internal/proof/world"
)

// Release is the promise to the groups of tiers that a chain has to release when they leave. The
// cleanup releases them with their own rules, nothing deletes them, and no other group is released.
// A rollback leaves no mark.
const Release = "release"

// tagRelease marks a group that its chain has to release.
const tagRelease = "sgchain:release"

// releasing is what the watch knows of groups that the chain has to release, by ID.
type releasing struct {
	// leaving holds the groups of the current operation, pending those of earlier ones that are not
	// released yet. Both map to the tier.
	leaving, pending map[string]string
	// optional holds groups that may be released or kept. Their operation never ended, or their
	// tier is back with another group.
	optional map[string]bool
	// asked means that some operation had to release a group.
	asked bool
}

// beginRelease notes the groups that a change of the chain has to release.
func (w *Watch) beginRelease(old *Chain, now Chain) {
	ids := w.cf.GroupIDs()
	w.look.Lock()
	defer w.look.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	next := releasing{leaving: map[string]string{}, pending: map[string]string{}, optional: map[string]bool{}, asked: w.releasing.asked}
	for id := range w.releasing.optional {
		next.optional[id] = true
	}
	for id, tier := range w.releasing.pending {
		if _, isBack := now.tier(tier); isBack {
			next.optional[id] = true
		} else {
			next.pending[id] = tier
		}
	}
	for tier, id := range ids {
		if old == nil || !slices.Contains(now.Release, tier) || w.isAdoptable(id) {
			continue
		}
		if _, was := old.tier(tier); was {
			next.leaving[id], next.asked = tier, true
		}
	}
	w.releasing = next
}

// isAdoptable needs w.mu.
func (w *Watch) isAdoptable(id string) bool {
	return slices.ContainsFunc(w.adoptables, func(one *adoptable) bool { return one.id == id })
}

// endRelease records how the operation ended. A failed one does not have to release its groups.
func (w *Watch) endRelease(well bool) {
	w.look.Lock()
	defer w.look.Unlock()
	w.mu.Lock()
	leaving := w.releasing.leaving
	w.releasing.leaving = nil
	for id, tier := range leaving {
		switch {
		case w.isAdoptable(id): // released
		case !well:
			w.releasing.optional[id] = w.cf.World.Tag(id, tagRelease) != ""
		default:
			w.releasing.pending[id] = tier
		}
	}
	w.mu.Unlock()
	w.checkKept()
}

// checkKept checks that every group that the chain has to release still exists.
func (w *Watch) checkKept() {
	w.mu.Lock()
	pending, groupRemoved := w.releasing.pending, w.groupRemoved
	w.mu.Unlock()
	if len(pending) == 0 || groupRemoved {
		return
	}
	existing := w.cf.World.Groups()
	for id, tier := range pending {
		w.count(Release)
		if !slices.Contains(existing, id) {
			w.violate(Release, fmt.Sprintf("group %s of tier %s was deleted instead of released", id, tier))
		}
	}
}

// checkReleases checks that a write released only groups that the chain has to release, and removed
// their ownership tags. It puts them under [Adoption]: the chain must not touch them again unless
// it adopts them.
func (w *Watch) checkReleases(call world.Call) {
	for id, tags := range call.Touched {
		if !isOurs(tags[tagStackID]) || w.isOwned(id) || !slices.Contains(w.cf.World.Groups(), id) {
			continue
		}
		w.mu.Lock()
		status := w.cf.StackStatus()
		_, isLeaving := w.releasing.leaving[id]
		_, isPending := w.releasing.pending[id]
		isMeant := isPending || w.releasing.optional[id] || (isLeaving && strings.HasPrefix(status, "UPDATE_COMPLETE"))
		isAdoptable := w.isAdoptable(id)
		if !isAdoptable {
			group := &adoptable{id: id, released: time.Now()}
			w.reset(group)
			w.adoptables = append(w.adoptables, group)
			w.released[id] = true
			delete(w.releasing.pending, id)
		}
		w.mu.Unlock()
		if isAdoptable {
			continue
		}
		w.count(Release)
		if !isMeant {
			w.violate(Release, fmt.Sprintf("group %s was released in the status %s without a request", id, status))
		}
		w.checkOwnershipRemoved(id, tags)
	}
}

// checkOwnershipRemoved checks that a released group has no ownership tag left, on itself or on a
// rule.
func (w *Watch) checkOwnershipRemoved(id string, tags map[string]string) {
	for key := range tags {
		if strings.HasPrefix(key, "sgchain:") && w.cf.World.Tag(id, key) != "" {
			w.violate(Release, fmt.Sprintf("group %s still has the tag %s after its release", id, key))
		}
	}
	for rule, tagged := range w.cf.World.RuleTags(id) {
		if isOurs(tagged[tagStackID]) {
			w.violate(Release, fmt.Sprintf("group %s was released, but the chain still owns its rule %s", id, rule))
		}
	}
}

// checkUnmarked checks that no group of the chain is marked for release after an operation has
// ended or was rolled back.
func (w *Watch) checkUnmarked() {
	w.mu.Lock()
	asked := w.releasing.asked
	w.mu.Unlock()
	if !asked || w.hasOutOfBandChange() {
		return
	}
	w.count(Release)
	for tier, id := range w.cf.GroupIDs() {
		if w.cf.World.Tag(id, tagRelease) != "" {
			w.violate(Release, fmt.Sprintf("group %s of tier %s is in the chain, but is marked for release", id, tier))
		}
	}
	w.checkSevered()
}

// checkSevered checks that no rule of the chain names a released group.
func (w *Watch) checkSevered() {
	w.mu.Lock()
	released := slices.Sorted(maps.Keys(w.released))
	w.mu.Unlock()
	for _, id := range released {
		name := w.cf.World.Tag(id, "Name")
		for tier, own := range w.cf.GroupIDs() {
			for rule, tags := range w.cf.World.RuleTags(own) {
				if !w.isOwned(id) && name != "" && isOurs(tags[tagStackID]) && strings.Contains(rule+" ", " "+name+" ") {
					w.violate(Release, fmt.Sprintf("group %s was released, but tier %s still has the rule %s that names it", id, tier, rule))
				}
			}
		}
	}
}

// namesReleased reports whether a text names a group that was released.
func (w *Watch) namesReleased(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.released {
		if strings.Contains(text, id) {
			return true
		}
	}
	return false
}

// checkReleasesAtEnd checks, after the stack was deleted, that groups to release exist and have no
// owner.
func (w *Watch) checkReleasesAtEnd(abandoned bool) {
	w.checkKept()
	w.mu.Lock()
	pending := w.releasing.pending
	w.mu.Unlock()
	for id := range pending {
		if !abandoned && w.isOwned(id) {
			w.violate(Release, "group "+id+" was never released")
		}
	}
	for _, id := range w.cf.World.Groups() {
		if isGenerated(w.cf.World.Tag(id, "Name")) && w.cf.World.Tag(id, "sgchain:stack-id") == "" && !w.namesReleased(id) {
			w.violate(Release, "group "+id+" of the chain lost its tags")
		}
	}
}

// isGenerated reports whether a name, or the beginning of a text, was generated by the chain in one
// of its stacks.
func isGenerated(name string) bool {
	return strings.HasPrefix(name, "sgchain-"+stackName(StackID)+"-") || strings.HasPrefix(name, "sgchain-"+otherStack+"-")
}

// releaseStream separates the draws of this file from all others.
const releaseStream = 0x72656c65617365

// releases adds ReleaseTiers to the chains of one history in three, for tiers that they lack.
func releases(h *History, seed, index uint64) {
	r := &drawer{Rand: rand.New(rand.NewPCG(seed^releaseStream, index))} //nolint:gosec // repeatable randomness
	if !r.oneIn(3) {
		return
	}
	*h = h.clone() // chains share their tiers
	for i := range h.Steps {
		chain := &h.Steps[i].Chain
		if len(chain.Tiers) == 0 {
			continue
		}
		if len(chain.Tiers) > 1 && r.oneIn(4) {
			drop(chain, chain.Tiers[r.IntN(len(chain.Tiers))].Name)
		}
		for _, name := range tierNames {
			if _, exists := chain.tier(name); !exists && !r.oneIn(4) {
				chain.Release = append(chain.Release, name)
			}
		}
		h.Steps[i].Linger = min(h.Steps[i].Linger, 500) // a Delete waits for a release no longer than it may last
	}
}

// drop removes a tier from a chain and from all rules.
func drop(c *Chain, name string) {
	c.Tiers = slices.DeleteFunc(c.Tiers, func(one Tier) bool { return one.Name == name })
	for i := range c.Tiers {
		for _, rules := range []*[]Rule{&c.Tiers[i].Inbound, &c.Tiers[i].Outbound} {
			for j := range *rules {
				rule := &(*rules)[j]
				rule.Peers = slices.DeleteFunc(rule.Peers, func(source string) bool { return source == name })
			}
			*rules = slices.DeleteFunc(*rules, func(rule Rule) bool { return len(rule.Peers) == 0 })
		}
	}
}
