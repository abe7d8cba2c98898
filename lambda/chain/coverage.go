package chain

import (
	"cmp"
	"slices"
)

// coverage is the traffic that egress rules allow, by peer, so that many inbound rules can be
// checked against many egress rules. Peers other than tiers are unknown here: they may include
// any tier.
type coverage map[Peer]*reach

// anywhere stands for the peers other than tiers.
var anywhere Peer //nolint:gochecknoglobals // a constant in all but syntax

func coverageOf(rules []Rule) coverage {
	peers := coverage{}
	for _, rule := range rules {
		peer := anywhere
		if rule.Peer.Kind == PeerTier {
			peer = rule.Peer
		}
		if peers[peer] == nil {
			peers[peer] = &reach{ranges: map[Protocol][]PortRange{}, exact: map[traffic]bool{}}
		}
		peers[peer].add(rule.Protocol, rule.Ports)
	}
	for _, reach := range peers {
		reach.settle()
	}
	return peers
}

// meets reports whether the rules may allow some of the traffic of another egress rule.
func (c coverage) meets(rule Rule) bool {
	return c[rule.Peer].meets(rule.Protocol, rule.Ports) || c[anywhere].meets(rule.Protocol, rule.Ports)
}

// reach is the traffic of some rules.
type reach struct {
	all bool
	// ranges are by protocol. The ranges of tcp and udp are sorted, and each is extended to the
	// furthest end of the ranges before it.
	ranges map[Protocol][]PortRange
	exact  map[traffic]bool // for types and codes of ICMP
}

func (r *reach) add(protocol Protocol, ports PortRange) {
	r.all = r.all || protocol == All
	r.ranges[protocol] = append(r.ranges[protocol], ports)
	r.exact[traffic{protocol: protocol, ports: ports}] = true
	if protocol == ICMP || protocol == ICMPv6 { // any code meets each code
		r.exact[traffic{protocol: protocol, ports: PortRange{ports.From, anyCode}}] = true
	}
}

// anyCode stands for every ICMP code in the rule that is checked. The rules of the reach have -1
// for every code.
const anyCode = -2

func (r *reach) settle() {
	for _, protocol := range []Protocol{TCP, UDP} {
		ranges := r.ranges[protocol]
		Sort(ranges, func(a, b PortRange) int { return cmp.Compare(a.From, b.From) })
		for i := 1; i < len(ranges); i++ {
			ranges[i].To = max(ranges[i].To, ranges[i-1].To)
		}
	}
}

// meets reports whether any of the rules allows some of the traffic: see covers.
func (r *reach) meets(protocol Protocol, ports PortRange) bool {
	switch {
	case r == nil:
		return false
	case r.all || protocol == All || len(r.ranges[protocol]) == 0 || !protocol.HasPorts():
		return r.all || protocol == All || len(r.ranges[protocol]) > 0
	case protocol == TCP || protocol == UDP:
		ranges := r.ranges[protocol]
		place, _ := slices.BinarySearchFunc(ranges, ports.To, func(one PortRange, to int32) int {
			if one.From <= to {
				return -1
			}
			return 1
		})
		return place > 0 && ranges[place-1].To >= ports.From
	case ports.From == AllPorts.From:
		return true
	}
	code := ports.To
	if code == AllPorts.To {
		code = anyCode
	}
	for _, kind := range []int32{ports.From, AllPorts.From} {
		if r.exact[traffic{protocol: protocol, ports: PortRange{kind, code}}] || r.exact[traffic{protocol: protocol, ports: PortRange{kind, AllPorts.To}}] {
			return true
		}
	}
	return false
}
