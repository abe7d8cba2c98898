package world

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Deed is what a stranger does.
type Deed string

// The deeds.
const (
	AddRule         Deed = "add a rule"
	RemoveRule      Deed = "remove a rule"
	EditDescription Deed = "edit a description"
	AddTag          Deed = "add a tag"
	RemoveTag       Deed = "remove a tag"
	AddGroup        Deed = "add a group"
	RemoveGroup     Deed = "remove a group"
	AttachInterface Deed = "attach an interface"
	// AddWayOut lets a group send anything by IPv6, as EC2 itself does in a VPC that has it,
	// but with a description.
	AddWayOut Deed = "add a way out by IPv6"
)

// Hand is a stranger's hand. Pick chooses which group and which rule or tag it falls
// on, among those that carry tags of the owner; where there is none it does nothing.
type Hand struct {
	Deed Deed
	Pick int
}

// ownerTag marks the groups that strangers meddle with.
const ownerTag = "sgchain:provider"

// handInterface begins the IDs of interfaces that strangers attach.
const handInterface = "eni-by-hand-"

// Play lets a stranger act, and returns the group on which his hand falls.
func (w *World) Play(hand Hand) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	owned := slices.DeleteFunc(w.all(), func(g *group) bool { return g.latest().tags[ownerTag] == "" })
	if len(owned) == 0 || hand.Pick < 0 {
		return ""
	}
	target, which := owned[hand.Pick%len(owned)], hand.Pick/len(owned)
	now := target.now()
	at := 0
	if len(now.rules) > 0 {
		at = which % len(now.rules)
	}
	switch {
	case hand.Deed == AddRule:
		port := int32(which % 1000)
		added := rule{egress: which%2 == 0, protocol: "tcp", from: port, to: port, peer: "198.51.100.0/24", prefix: netip.MustParsePrefix("198.51.100.0/24"), description: "by hand"}
		if placeIn(now.rules, &added) < 0 && w.checkQuota(append(slices.Clip(now.rules), added), added) == nil {
			target.set(func(s *state) { s.rules = append(slices.Clone(s.rules), added) })
		}
	case hand.Deed == RemoveRule && len(now.rules) > 0:
		target.set(func(s *state) { s.rules = slices.Delete(slices.Clone(s.rules), at, at+1) })
	case hand.Deed == AddWayOut:
		w.addWayOut(target)
	case hand.Deed == EditDescription && len(now.rules) > 0:
		target.set(func(s *state) {
			s.rules = slices.Clone(s.rules)
			s.rules[at].description = "edited by hand"
		})
	case hand.Deed == AddTag:
		w.tag(target, "Owner", "by hand")
	case hand.Deed == RemoveTag:
		keys := slices.Sorted(maps.Keys(now.tags)) // at least the owner's
		w.tag(target, keys[which%len(keys)], "")
	case hand.Deed == AddGroup:
		w.serial++
		w.add("by-hand-"+strconv.Itoa(w.serial), "made by hand", target.vpcID, nil)
	case hand.Deed == RemoveGroup && w.deletable(target) == nil:
		target.set(func(s *state) { *s = state{at: s.at, gone: true} })
	case hand.Deed == AttachInterface && !w.handsGone:
		w.serial++
		w.interfaces[handInterface+strconv.Itoa(w.serial)] = networkInterface{description: "by hand", groups: []string{target.id}}
	}
	return target.id
}

// addWayOut adds a rule for everything to ::/0, or describes the one that is there.
func (w *World) addWayOut(target *group) {
	added := rule{egress: true, protocol: "-1", from: -1, to: -1, peer: "::/0", prefix: netip.MustParsePrefix("::/0"), description: "by hand"}
	rules := slices.Clone(target.now().rules)
	if at := placeIn(rules, &added); at >= 0 {
		rules[at].description = added.description
	} else if rules = append(rules, added); w.checkQuota(rules, added) != nil {
		return
	}
	target.set(func(s *state) { s.rules = rules })
}

// tag sets a tag of a group, or removes it.
func (w *World) tag(g *group, key, value string) {
	g.set(func(s *state) {
		tags := map[string]string{}
		for k, v := range s.tags {
			if k != key {
				tags[k] = v
			}
		}
		if value != "" {
			tags[key] = value
		}
		s.tags = tags
	})
}

// Revoke is a stranger who removes the rules of a group that let a port in.
func (w *World) Revoke(name, protocol string, port int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range w.all() {
		if g.name == name {
			g.set(func(s *state) {
				s.rules = slices.DeleteFunc(slices.Clone(s.rules), func(r rule) bool {
					return !r.egress && r.protocol == protocol && r.from <= port && port <= r.to
				})
			})
		}
	}
}

// RemoveHands takes away the interfaces that strangers attached. They attach none any more:
// nothing else could end what waits for them.
func (w *World) RemoveHands() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handsGone = true
	for id := range w.interfaces {
		if strings.HasPrefix(id, handInterface) {
			delete(w.interfaces, id)
		}
	}
}
