package chain

import (
	"cmp"
	"slices"
)

// ways is rules by what they lead to, so that many doors can be held against many of them. What
// is meant by any peer but a tier is not known: such a rule may lead anywhere.
type ways map[Peer]*reach

// anywhere stands for the peers that are no tier.
var anywhere Peer //nolint:gochecknoglobals // a constant in all but syntax

func waysOf(rules []Rule) ways {
	ways := ways{}
	for _, rule := range rules {
		peer := anywhere
		if rule.Peer.Kind == PeerTier {
			peer = rule.Peer
		}
		if ways[peer] == nil {
			ways[peer] = &reach{ranges: map[Protocol][]PortRange{}, exact: map[traffic]bool{}}
		}
		ways[peer].add(rule.Protocol, rule.Ports)
	}
	for _, reach := range ways {
		reach.settle()
	}
	return ways
}

// leadTo reports whether one of the ways may lead through a door.
func (w ways) leadTo(door Rule) bool {
	return w[door.Peer].meets(door.Protocol, door.Ports) || w[anywhere].meets(door.Protocol, door.Ports)
}

// reach is the traffic of some rules.
type reach struct {
	all bool
	// ranges is by protocol; of tcp and udp sorted, and each ends where the furthest one so
	// far does.
	ranges map[Protocol][]PortRange
	exact  map[traffic]bool // protocol and ports only, for types and codes of ICMP
}

func (r *reach) add(protocol Protocol, ports PortRange) {
	r.all = r.all || protocol == All
	r.ranges[protocol] = append(r.ranges[protocol], ports)
	r.exact[traffic{protocol: protocol, ports: ports}] = true
	if protocol == ICMP || protocol == ICMPv6 { // a door of any code meets each code
		r.exact[traffic{protocol: protocol, ports: PortRange{ports.From, anyCode}}] = true
	}
}

// anyCode stands for every code of ICMP among those of a door; -1 is that of a rule.
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

// meets reports whether a rule has something of a protocol and its ports: see covers.
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
