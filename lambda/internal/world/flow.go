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
	return w.lets(source, true, target, memberAddress, protocol, port) && w.lets(target, false, source, memberAddress, protocol, port)
}

// AllowsFrom says whether somebody outside, at an address, reaches a member.
func (w *World) AllowsFrom(address netip.Addr, target, protocol string, port int32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lets(target, false, "", address, protocol, port)
}

// AllowsTo says whether a member reaches somebody outside, at an address.
func (w *World) AllowsTo(source string, address netip.Addr, protocol string, port int32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lets(source, true, "", address, protocol, port)
}

var memberAddress = netip.MustParseAddr("10.1.2.3")

func (w *World) lets(groupID string, egress bool, peer string, address netip.Addr, protocol string, port int32) bool {
	g := w.living(groupID)
	return g != nil && slices.ContainsFunc(g.now().rules, func(r rule) bool {
		if r.egress != egress || (r.protocol != "-1" && (r.protocol != protocol || port < r.from || port > r.to)) {
			return false
		}
		contains := func(prefix netip.Prefix) bool { return prefix.Contains(address) }
		return (peer != "" && r.peer == peer) || (r.prefix.IsValid() && contains(r.prefix)) || slices.ContainsFunc(w.lists[r.peer].entries, contains)
	})
}
