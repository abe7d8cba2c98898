package world

import (
	"net/netip"
	"slices"
)

// Allows says whether a member of one group reaches a member of another: the
// first may send it and the second may receive it. Members have addresses in
// 10.0.0.0/8.
func (w *World) Allows(source, target, protocol string, port int32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lets(source, true, traffic{target, memberAddress, protocol, port}) && w.lets(target, false, traffic{source, memberAddress, protocol, port})
}

// AllowsFrom says whether somebody outside, at an address, reaches a member.
func (w *World) AllowsFrom(address netip.Addr, target, protocol string, port int32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lets(target, false, traffic{"", address, protocol, port})
}

// AllowsTo says whether a member reaches somebody outside, at an address.
func (w *World) AllowsTo(source string, address netip.Addr, protocol string, port int32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lets(source, true, traffic{"", address, protocol, port})
}

// Inside is the address that a member of a group has.
func Inside() netip.Addr { return memberAddress }

var memberAddress = netip.MustParseAddr("10.1.2.3")

// traffic is what somebody sends to a group, or it to him: a peer, by its ID where it is a
// group, on a port.
type traffic struct {
	peer     string
	address  netip.Addr
	protocol string
	port     int32
}

func (w *World) lets(groupID string, egress bool, one traffic) bool {
	g := w.living(groupID)
	if g == nil {
		return false
	}
	rules := g.latest().rules
	for i := range rules {
		rule := &rules[i]
		if rule.egress == egress && rule.covers(one.protocol, one.port) && ((one.peer != "" && rule.peer == one.peer) || w.holds(rule, one.address)) {
			return true
		}
	}
	return false
}

// covers reports whether a rule is for a port of a protocol.
func (r *rule) covers(protocol string, port int32) bool {
	return r.protocol == "-1" || (r.protocol == protocol && r.from <= port && port <= r.to)
}

// holds reports whether an address is one of a rule's peer.
func (w *World) holds(r *rule, address netip.Addr) bool {
	if r.prefix.IsValid() && r.prefix.Contains(address) {
		return true
	}
	return slices.ContainsFunc(w.lists[r.peer].entries, func(prefix netip.Prefix) bool { return prefix.Contains(address) })
}
