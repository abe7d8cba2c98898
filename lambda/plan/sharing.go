package plan

import (
	"cmp"
	"net/netip"
	"slices"

	"sgchain/lambda/chain"
)

// sharing returns, for each of some rules of one group and direction, the others through
// which the same flow could pass: protocol and ports overlap, and peers do. What is not known
// counts as shared: members have addresses and may be in several groups, and lists are not
// looked into. By tier, a member is in the group of one tier only.
//
// It does not compare each rule with each other one: ranges of ports are looked up in sorted
// lists, and ranges of addresses contain each other or have nothing in common.
func sharing(rules, others []chain.Rule, byTier bool) []set {
	shared := sharingPeers(rules, others, byTier)
	ports := newPortIndex(others)
	for i, rule := range rules {
		shared[i].intersect(ports.sharing(rule))
	}
	return shared
}

// portIndex finds rules by protocol and ports.
type portIndex struct {
	everything set                               // the set of all rules
	all        set                               // those of all protocols
	protocols  map[chain.Protocol]*protocolIndex // the others
	buffer     set
}

// protocolIndex is rules of one protocol, and for those with ports the rules in the order in
// which their ranges begin and end.
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

// sharing returns the rules that share protocol and ports with one. It is valid until the
// next call.
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

// portOrder is places by a port, and the set of the first n of them for every n.
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

// upTo returns the places whose port is not above one, below those whose port is below it.
func (o portOrder) upTo(port int32) set { return o.below(port + 1) }

func (o portOrder) below(port int32) set {
	at, _ := slices.BinarySearch(o.ports, port)
	return o.firsts[at]
}

// sharingPeers returns the sets of the rules whose peers may be the same.
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

// rangeOf is the range of a rule, one of the others or not.
type rangeOf struct {
	netip.Prefix

	rule    int
	isOther bool
}

// nest is a range that contains those that are looked at.
type nest struct {
	rangeOf

	around set // the others that contain it, itself included
	before set // the others that were seen before it
}

// overlapping adds to the sets of rules with a range of addresses the others whose range
// overlaps with it. In their order a range comes right before those that it contains.
func overlapping(rules, others []chain.Rule, shared []set) {
	ranges := append(rangesOf(rules, false), rangesOf(others, true)...)
	chain.Sort(ranges, func(a, b rangeOf) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	seen := newSet(len(others))
	var nests []nest
	leave := func(depth int) {
		for _, one := range slices.Backward(nests[depth:]) {
			if !one.isOther { // what was seen since is inside of it
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
