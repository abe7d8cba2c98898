package world

import (
	"net/netip"
	"slices"
)

// Allows reports whether a member of one group reaches a member of another: the first may send the
// traffic and the second may receive it. Members have addresses in 10.0.0.0/8.
func (w *World) Allows(source, target, protocol string, port int32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.permits(source, true, traffic{target, memberAddress, protocol, port}) && w.permits(target, false, traffic{source, memberAddress, protocol, port})
}

// AllowsFrom reports whether an outside address reaches a member.
func (w *World) AllowsFrom(address netip.Addr, target, protocol string, port int32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.permits(target, false, traffic{"", address, protocol, port})
}

// AllowsTo reports whether a member reaches an outside address.
func (w *World) AllowsTo(source string, address netip.Addr, protocol string, port int32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.permits(source, true, traffic{"", address, protocol, port})
}

// Inside returns the address that members have.
func Inside() netip.Addr { return memberAddress }

var memberAddress = netip.MustParseAddr("10.1.2.3")

// traffic is what a group sends or receives: the peer, by its ID if it is a group, and the port.
type traffic struct {
	peer     string
	address  netip.Addr
	protocol string
	port     int32
}

func (w *World) permits(groupID string, egress bool, one traffic) bool {
	g := w.existing(groupID)
	if g == nil {
		return false
	}
	rules := g.latest().rules
	for i := range rules {
		rule := &rules[i]
		if rule.egress == egress && rule.covers(one.protocol, one.port) && ((one.peer != "" && rule.peer == one.peer) || w.contains(rule, one.address)) {
			return true
		}
	}
	return false
}

// covers reports whether a rule applies to a port of a protocol.
func (r *rule) covers(protocol string, port int32) bool {
	return r.protocol == "-1" || (r.protocol == protocol && r.from <= port && port <= r.to)
}

// contains reports whether a rule's peer contains an address.
func (w *World) contains(r *rule, address netip.Addr) bool {
	if r.prefix.IsValid() && r.prefix.Contains(address) {
		return true
	}
	return slices.ContainsFunc(w.lists[r.peer].entries, func(prefix netip.Prefix) bool { return prefix.Contains(address) })
}
