package lifecycle

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
)

// flow is one way that traffic could take. Source or target is empty where it is
// somebody outside.
type flow struct {
	source, target Member
	peer           string // the source, where it is a group that the chain does not own
	called         string // how doors name it, where that is not by its ID
	address        netip.Addr
	port           int
}

func (f flow) String() string {
	end := func(m Member) string {
		switch {
		case m.Tier == "" && f.peer != "":
			return f.peer
		case m.Tier == "":
			return f.address.String()
		}
		return m.Tier + " (" + m.Group + ")"
	}
	return end(f.source) + " -> " + end(f.target) + " on " + strconv.Itoa(f.port)
}

func (f flow) taken(c Chain) bool {
	switch {
	case f.target.Tier == "":
		return true
	case f.peer != "":
		return c.takes(cmp.Or(f.called, f.peer), f.target.Tier, f.port)
	case f.source.Tier == "":
		return c.allowsFrom(f.address, f.target.Tier, f.port)
	}
	return c.takes(f.source.Tier, f.target.Tier, f.port)
}

func (f flow) sent(c Chain) bool {
	switch {
	case f.target.Tier == "":
		return c.allowsTo(f.source.Tier, f.address, f.port)
	case f.source.Tier == "":
		return true
	}
	return c.sends(f.source.Tier, f.target.Tier, f.port)
}

func (f flow) allowed(c Chain) bool { return f.taken(c) && f.sent(c) }

// owed says whether all chains in play allow a flow. To the members of a tier that
// leaves, the doors between them and others that name a tier are owed until they are
// gone; not so where that is being taken back.
func (f flow) owed(chains []Chain, forward bool) bool {
	if forward && len(chains) == 2 && f.source.Tier != "" && f.target.Tier != "" && chains[0].leaves(chains[1], f) {
		return true
	}
	return !slices.ContainsFunc(chains, func(c Chain) bool { return !f.allowed(c) })
}

// leaves says whether a flow of the old chain is by a door that names tiers, of which
// one or both are not in the new chain any more.
func (c Chain) leaves(now Chain, f flow) bool {
	from, wasFrom := c.tier(f.source.Tier)
	to, wasTo := c.tier(f.target.Tier)
	if !wasFrom || !wasTo || !c.admits(to, from.Name, netip.Addr{}, f.port) || from.Egress == "none" {
		return false
	}
	stays, isFrom := now.tier(from.Name)
	_, isTo := now.tier(to.Name)
	switch {
	case !isFrom:
		return true // what it may send is as it was, and who stays keeps doors that name it
	case !isTo:
		return from.Egress == "chain" || stays.Egress == "all"
	default:
		return false
	}
}

// What flows are looked at: ports that chains open and one that none does, addresses
// inside and outside of what chains name.
func ports() []int { return []int{80, 443, 6060, 9999} }

var addresses = []netip.Addr{netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("198.51.100.1")}

// outsideV6 is in no VPC.
var outsideV6 = netip.MustParseAddr("2001:db8:ffff::1")
