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

// Release is the promise to the groups of tiers that leave a chain which is to release them: the cleanup sets them free with their
// own rules, nobody deletes them, and no other group is set free. What is taken back leaves no mark.
const Release = "release"

// tagRelease is the mark of a group that its chain is to release.
const tagRelease = "sgchain:release"

// releasing is what the watch knows of groups that are to be released, by their IDs.
type releasing struct {
	// leaving are those of the operation under way, owed those of earlier ones that are not released yet, each with its tier.
	leaving, owed map[string]string
	// may are groups of which nobody knows what becomes of them: their operation was never ended, or their tier is back with another
	// group.
	may map[string]bool
	// asks says that some operation was to release a group.
	asks bool
}

// leaves notes which groups an operation from one chain to another one is to release.
func (w *Watch) leaves(old *Chain, now Chain) {
	ids := w.cf.GroupIDs()
	w.look.Lock()
	defer w.look.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	next := releasing{leaving: map[string]string{}, owed: map[string]string{}, may: map[string]bool{}, asks: w.releasing.asks}
	for id := range w.releasing.may {
		next.may[id] = true
	}
	for id, tier := range w.releasing.owed {
		if _, isBack := now.tier(tier); isBack {
			next.may[id] = true
		} else {
			next.owed[id] = tier
		}
	}
	for tier, id := range ids {
		if old == nil || !slices.Contains(now.Release, tier) || w.isForeign(id) {
			continue
		}
		if _, was := old.tier(tier); was {
			next.leaving[id], next.asks = tier, true
		}
	}
	w.releasing = next
}

// isForeign is asked with the watch locked.
func (w *Watch) isForeign(id string) bool {
	return slices.ContainsFunc(w.foreign, func(made *handMade) bool { return made.id == id })
}

// hasLeft says how the operation ended: well, or in a way that owes nothing.
func (w *Watch) hasLeft(well bool) {
	w.look.Lock()
	defer w.look.Unlock()
	w.mu.Lock()
	leaving := w.releasing.leaving
	w.releasing.leaving = nil
	for id, tier := range leaving {
		switch {
		case w.isForeign(id): // released
		case !well:
			w.releasing.may[id] = w.cf.World.Tag(id, tagRelease) != ""
		default:
			w.releasing.owed[id] = tier
		}
	}
	w.mu.Unlock()
	w.keeps()
}

// keeps holds that no group is gone that is to be released.
func (w *Watch) keeps() {
	w.mu.Lock()
	owed, robbed := w.releasing.owed, w.robbed
	w.mu.Unlock()
	if len(owed) == 0 || robbed {
		return
	}
	there := w.cf.World.Groups()
	for id, tier := range owed {
		w.count(Release)
		if !slices.Contains(there, id) {
			w.violate(Release, fmt.Sprintf("the group %s of tier %s, which was to be released, is gone", id, tier))
		}
	}
}

// freed takes the groups that a write set free under the promise to groups that somebody made: nobody of the chain touches them
// again, unless it adopts them.
func (w *Watch) freed(call world.Call) {
	for id, tags := range call.Touched {
		if !isOurs(tags[tagStackID]) || w.isTaken(id) || !slices.Contains(w.cf.World.Groups(), id) {
			continue
		}
		w.mu.Lock()
		status := w.cf.StackStatus()
		_, isLeaving := w.releasing.leaving[id]
		_, isOwed := w.releasing.owed[id]
		isMeant := isOwed || w.releasing.may[id] || (isLeaving && strings.HasPrefix(status, "UPDATE_COMPLETE"))
		isForeign := w.isForeign(id)
		if !isForeign {
			made := &handMade{id: id, released: time.Now()}
			w.free(made)
			w.foreign = append(w.foreign, made)
			w.released[id] = true
			delete(w.releasing.owed, id)
		}
		w.mu.Unlock()
		if isForeign {
			continue
		}
		w.count(Release)
		if !isMeant {
			w.violate(Release, fmt.Sprintf("the group %s is released in %s, and nobody asked for it", id, status))
		}
		w.apart(id, tags)
	}
}

// apart holds that a group which was released has no tag of ownership left, on itself or on a rule.
func (w *Watch) apart(id string, tags map[string]string) {
	for key := range tags {
		if strings.HasPrefix(key, "sgchain:") && w.cf.World.Tag(id, key) != "" {
			w.violate(Release, fmt.Sprintf("the group %s is released with the tag %s", id, key))
		}
	}
	for rule, tagged := range w.cf.World.RuleTags(id) {
		if isOurs(tagged[tagStackID]) {
			w.violate(Release, fmt.Sprintf("the group %s is released, and its rule is the chain's: %s", id, rule))
		}
	}
}

// unmarked holds that no group of the chain is to be released once an operation has ended or was taken back.
func (w *Watch) unmarked() {
	w.mu.Lock()
	asks := w.releasing.asks
	w.mu.Unlock()
	if !asks || w.meddled() {
		return
	}
	w.count(Release)
	for tier, id := range w.cf.GroupIDs() {
		if w.cf.World.Tag(id, tagRelease) != "" {
			w.violate(Release, fmt.Sprintf("the group %s of tier %s is in the chain, and has the mark of one that is to be released", id, tier))
		}
	}
	w.severed()
}

// severed holds that no group of the chain names a released one by a rule of the chain.
func (w *Watch) severed() {
	w.mu.Lock()
	released := slices.Sorted(maps.Keys(w.released))
	w.mu.Unlock()
	for _, id := range released {
		name := w.cf.World.Tag(id, "Name")
		for tier, own := range w.cf.GroupIDs() {
			for rule, tags := range w.cf.World.RuleTags(own) {
				if !w.isTaken(id) && name != "" && isOurs(tags[tagStackID]) && strings.Contains(rule+" ", " "+name+" ") {
					w.violate(Release, fmt.Sprintf("the group %s is released, and the group of tier %s still has the rule %s", id, tier, rule))
				}
			}
		}
	}
}

// wasFreed reports whether a text names a group that was released.
func (w *Watch) wasFreed(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.released {
		if strings.Contains(text, id) {
			return true
		}
	}
	return false
}

// ends holds the world after the end: what was to be released is there, and free.
func (w *Watch) ends(abandoned bool) {
	w.keeps()
	w.mu.Lock()
	owed := w.releasing.owed
	w.mu.Unlock()
	for id := range owed {
		if !abandoned && w.isTaken(id) {
			w.violate(Release, "the group "+id+" was to be released, and is the chain's to the end")
		}
	}
	for _, id := range w.cf.World.Groups() {
		if isGenerated(w.cf.World.Tag(id, "Name")) && w.cf.World.Tag(id, "sgchain:stack-id") == "" && !w.wasFreed(id) {
			w.violate(Release, "the group "+id+" of the chain has lost its tags")
		}
	}
}

// isGenerated reports whether a name, or a text that begins with it, is one that the chain made up in one of its stacks.
func isGenerated(name string) bool {
	return strings.HasPrefix(name, "sgchain-"+stackName(StackID)+"-") || strings.HasPrefix(name, "sgchain-"+otherStack+"-")
}

// releaseStream sets the draws of this file apart from all others.
const releaseStream = 0x72656c65617365

// releases lets chains of one history in three release tiers that they do not have.
func releases(h *History, seed, index uint64) {
	r := &drawer{Rand: rand.New(rand.NewPCG(seed^releaseStream, index))} //nolint:gosec // chance that can be repeated
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
			if _, isThere := chain.tier(name); !isThere && !r.oneIn(4) {
				chain.Release = append(chain.Release, name)
			}
		}
		h.Steps[i].Linger = min(h.Steps[i].Linger, 500) // a release is not waited for longer than a Delete lasts
	}
}

// drop takes a tier out of a chain, and out of all doors.
func drop(c *Chain, name string) {
	c.Tiers = slices.DeleteFunc(c.Tiers, func(one Tier) bool { return one.Name == name })
	for i := range c.Tiers {
		for _, doors := range []*[]Door{&c.Tiers[i].Doors, &c.Tiers[i].Ways} {
			for j := range *doors {
				door := &(*doors)[j]
				door.Sources = slices.DeleteFunc(door.Sources, func(source string) bool { return source == name })
			}
			*doors = slices.DeleteFunc(*doors, func(door Door) bool { return len(door.Sources) == 0 })
		}
	}
}
