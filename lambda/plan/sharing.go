package plan

import (
	"cmp"
	"net/netip"
	"slices"

	"sgchain/lambda/chain"
)

// sharing returns, for each of the rules of one group and direction, the set of others that
// may allow the same flow. Their protocols, ports and peers overlap.
//
// It assumes that unknown peers overlap: members have unknown addresses and may be in several
// groups, and the entries of prefix lists are not read. With byTier, it assumes that a member
// is in the groups of only one tier.
//
// It avoids comparing all pairs. It looks up port ranges in sorted lists, and uses that two
// address ranges are either nested or disjoint.
func sharing(rules, others []chain.Rule, byTier bool) []set {
	shared := sharingPeers(rules, others, byTier)
	ports := newPortIndex(others)
	for i, rule := range rules {
		shared[i].intersect(ports.sharing(rule))
	}
	return shared
}

// portIndex looks up rules by protocol and ports.
type portIndex struct {
	everything set                               // all rules
	all        set                               // rules for all protocols
	protocols  map[chain.Protocol]*protocolIndex // all other rules
	buffer     set
}

// protocolIndex holds the rules of one protocol. Begin and end sort those with ports by the
// first and by the last port of their ranges.
type protocolIndex struct {
	rules      set
	begin, end portOrder
}

func newPortIndex(rules []chain.Rule) portIndex {
	index := portIndex{
		everything: full(len(rules)), all: newSet(len(rules)), protocols: map[chain.Protocol]*protocolIndex{}, buffer: newSet(len(rules)),
	}
	places := map[chain.Protocol][]int{}
	for i, rule := range rules {
		if rule.Protocol == chain.All {
			index.all.add(i)
			continue
		}
		if index.protocols[rule.Protocol] == nil {
			index.protocols[rule.Protocol] = &protocolIndex{rules: newSet(len(rules))}
		}
		index.protocols[rule.Protocol].rules.add(i)
		places[rule.Protocol] = append(places[rule.Protocol], i)
	}
	for _, protocol := range []chain.Protocol{chain.TCP, chain.UDP} {
		if one := index.protocols[protocol]; one != nil {
			one.begin = newPortOrder(rules, places[protocol], func(ports chain.PortRange) int32 { return ports.From })
			one.end = newPortOrder(rules, places[protocol], func(ports chain.PortRange) int32 { return ports.To })
		}
	}
	return index
}

// sharing returns the rules that overlap with a rule in protocol and ports. The set is valid
// until the next call.
func (p portIndex) sharing(rule chain.Rule) set {
	if rule.Protocol == chain.All {
		return p.everything
	}
	copy(p.buffer, p.all)
	switch index := p.protocols[rule.Protocol]; {
	case index == nil:
	case rule.Protocol == chain.TCP || rule.Protocol == chain.UDP:
		p.buffer.unionWithout(index.begin.upTo(rule.Ports.To), index.end.below(rule.Ports.From))
	default:
		p.buffer.union(index.rules)
	}
	return p.buffer
}

// portOrder sorts rules by a port. Element n of firsts is the set of the first n rules.
type portOrder struct {
	ports  []int32
	firsts []set
}

func newPortOrder(rules []chain.Rule, places []int, port func(chain.PortRange) int32) portOrder {
	sorted := slices.SortedFunc(slices.Values(places), func(a, b int) int {
		return cmp.Compare(port(rules[a].Ports), port(rules[b].Ports))
	})
	order := portOrder{firsts: []set{newSet(len(rules))}}
	for i, place := range sorted {
		order.ports = append(order.ports, port(rules[place].Ports))
		next := order.firsts[i].clone()
		next.add(place)
		order.firsts = append(order.firsts, next)
	}
	return order
}

// upTo returns the rules whose port is at most the given one. below returns those whose port is lower.
func (o portOrder) upTo(port int32) set { return o.below(port + 1) }

func (o portOrder) below(port int32) set {
	at, _ := slices.BinarySearch(o.ports, port)
	return o.firsts[at]
}

// sharingPeers returns, for each of the rules, the set of others whose peers may overlap.
func sharingPeers(rules, others []chain.Rule, byTier bool) []set {
	anybody, everybody, noMember := newSet(len(others)), full(len(others)), full(len(others))
	tiers := map[string]set{}
	for i, rule := range others {
		if !isRange(rule.Peer) {
			anybody.add(i)
		}
		if tier := rule.Peer.Member.Tier; rule.Peer.Kind == chain.PeerMember {
			noMember.remove(i)
			if tiers[tier] == nil {
				tiers[tier] = newSet(len(others))
			}
			tiers[tier].add(i)
		}
	}
	shared := make([]set, len(rules))
	for i, rule := range rules {
		switch {
		case isRange(rule.Peer):
			shared[i] = anybody.clone()
		case byTier && rule.Peer.Kind == chain.PeerMember:
			shared[i] = noMember.clone()
			shared[i].union(tiers[rule.Peer.Member.Tier])
		default:
			shared[i] = everybody.clone()
		}
	}
	overlapping(rules, others, shared)
	return shared
}

func isRange(peer chain.Peer) bool { return peer.Kind == chain.PeerCIDR && peer.CIDR.IsValid() }

// rangeOf is the address range of a rule.
type rangeOf struct {
	netip.Prefix

	rule    int
	isOther bool
}

// nest is a range that contains the range under examination.
type nest struct {
	rangeOf

	around set // the others that contain it, including itself
	before set // the others that were visited before it
}

// overlapping adds to the set of each rule with an address range the others whose ranges
// overlap with it. The sort order puts a range right before those that it contains.
func overlapping(rules, others []chain.Rule, shared []set) {
	ranges := append(rangesOf(rules, false), rangesOf(others, true)...)
	chain.Sort(ranges, func(a, b rangeOf) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	seen := newSet(len(others))
	var nests []nest
	leave := func(depth int) {
		for _, one := range slices.Backward(nests[depth:]) {
			if !one.isOther { // the others visited since are inside of it
				shared[one.rule].unionWithout(seen, one.before)
			}
		}
		nests = nests[:depth]
	}
	for _, one := range ranges {
		depth := len(nests)
		for depth > 0 && !nests[depth-1].Contains(one.Addr()) {
			depth--
		}
		leave(depth)
		around := newSet(len(others))
		if depth > 0 {
			copy(around, nests[depth-1].around)
		}
		next := nest{rangeOf: one, around: around}
		if one.isOther {
			seen.add(one.rule)
			around.add(one.rule)
		} else {
			next.before = seen.clone()
			shared[one.rule].union(around)
		}
		nests = append(nests, next)
	}
	leave(0)
}

func rangesOf(rules []chain.Rule, isOther bool) []rangeOf {
	var ranges []rangeOf
	for i, rule := range rules {
		if isRange(rule.Peer) {
			ranges = append(ranges, rangeOf{Prefix: rule.Peer.CIDR.Masked(), rule: i, isOther: isOther})
		}
	}
	return ranges
}
