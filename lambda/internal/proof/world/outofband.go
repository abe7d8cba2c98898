package world

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ChangeKind is a kind of out-of-band change.
type ChangeKind string

// The kinds of out-of-band changes.
const (
	AddRule         ChangeKind = "add a rule"
	RemoveRule      ChangeKind = "remove a rule"
	EditDescription ChangeKind = "edit a description"
	AddTag          ChangeKind = "add a tag"
	RemoveTag       ChangeKind = "remove a tag"
	AddGroup        ChangeKind = "add a group"
	RemoveGroup     ChangeKind = "remove a group"
	AttachInterface ChangeKind = "attach an interface"
	// AddIPv6Egress allows a group to send anything by IPv6. EC2 itself adds that rule in a VPC
	// with IPv6, but without a description.
	AddIPv6Egress ChangeKind = "add an IPv6 egress rule"
)

// OutOfBandChange is an out-of-band change. Pick selects the group and the rule or tag, among the groups that
// have the owner's tags. Without such a group it has no effect.
type OutOfBandChange struct {
	Deed ChangeKind
	Pick int
}

// ownerTag marks the groups that out-of-band changes apply to.
const ownerTag = "sgchain:provider"

// outOfBandInterface begins the IDs of interfaces that out-of-band changes attach.
const outOfBandInterface = "eni-by-hand-"

// Apply makes an out-of-band change, and returns the group that it applies to.
func (w *World) Apply(change OutOfBandChange) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	owned := slices.DeleteFunc(w.all(), func(g *group) bool { return g.latest().tags[ownerTag] == "" })
	if len(owned) == 0 || change.Pick < 0 {
		return ""
	}
	target, which := owned[change.Pick%len(owned)], change.Pick/len(owned)
	now := target.now()
	at := 0
	if len(now.rules) > 0 {
		at = which % len(now.rules)
	}
	switch {
	case change.Deed == AddRule:
		port := int32(which % 1000)
		added := rule{egress: which%2 == 0, protocol: "tcp", from: port, to: port, peer: "198.51.100.0/24", prefix: netip.MustParsePrefix("198.51.100.0/24"), description: "by hand"}
		if placeIn(now.rules, &added) < 0 && w.checkQuota(append(slices.Clip(now.rules), added), added) == nil {
			target.set(func(s *state) { s.rules = append(slices.Clone(s.rules), added) })
		}
	case change.Deed == RemoveRule && len(now.rules) > 0:
		target.set(func(s *state) { s.rules = slices.Delete(slices.Clone(s.rules), at, at+1) })
	case change.Deed == AddIPv6Egress:
		w.addIPv6Egress(target)
	case change.Deed == EditDescription && len(now.rules) > 0:
		target.set(func(s *state) {
			s.rules = slices.Clone(s.rules)
			s.rules[at].description = "edited by hand"
		})
	case change.Deed == AddTag:
		w.tag(target, "Owner", "by hand")
	case change.Deed == RemoveTag:
		keys := slices.Sorted(maps.Keys(now.tags)) // the owner's tag at least
		w.tag(target, keys[which%len(keys)], "")
	case change.Deed == AddGroup:
		w.serial++
		w.add("by-hand-"+strconv.Itoa(w.serial), "made by hand", target.vpcID, nil)
	case change.Deed == RemoveGroup && w.deletable(target) == nil:
		target.set(func(s *state) { *s = state{at: s.at, gone: true} })
	case change.Deed == AttachInterface && !w.noMoreInterfaces:
		w.serial++
		w.interfaces[outOfBandInterface+strconv.Itoa(w.serial)] = networkInterface{description: "by hand", groups: []string{target.id}}
	}
	return target.id
}

// addIPv6Egress adds a rule for everything to ::/0, or describes the existing one.
func (w *World) addIPv6Egress(target *group) {
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

// Revoke removes a group's inbound rules for a port out of band.
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

// RemoveOutOfBandInterfaces removes the interfaces that out-of-band changes attached, and prevents
// more. Nothing else could end a wait for them.
func (w *World) RemoveOutOfBandInterfaces() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noMoreInterfaces = true
	for id := range w.interfaces {
		if strings.HasPrefix(id, outOfBandInterface) {
			delete(w.interfaces, id)
		}
	}
}
