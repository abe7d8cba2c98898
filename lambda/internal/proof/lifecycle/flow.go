package lifecycle

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
)

// flow is one path that traffic could take. An empty source or target is an address outside.
type flow struct {
	source, target Member
	peer           string // the source, if it is a group that the chain does not own
	name           string // how rules name the peer, if not by its ID
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

func (f flow) received(c Chain) bool {
	switch {
	case f.target.Tier == "":
		return true
	case f.peer != "":
		return c.receives(cmp.Or(f.name, f.peer), f.target.Tier, f.port)
	case f.source.Tier == "":
		return c.allowsFrom(f.address, f.target.Tier, f.port)
	}
	return c.receives(f.source.Tier, f.target.Tier, f.port)
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

func (f flow) allowed(c Chain) bool { return f.received(c) && f.sent(c) }

// required reports whether all chains in play allow a flow. For members of a tier that leaves,
// rules that name a tier must also keep working until the members are gone. That does not apply
// during a rollback.
func (f flow) required(chains []Chain, forward bool) bool {
	if forward && len(chains) == 2 && f.source.Tier != "" && f.target.Tier != "" && chains[0].leaves(chains[1], f) {
		return true
	}
	return !slices.ContainsFunc(chains, func(c Chain) bool { return !f.allowed(c) })
}

// leaves reports whether a flow of the old chain uses a rule that names tiers, and the new chain
// lacks one or both of them.
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
		return true // its egress is unchanged, and remaining tiers keep rules that name it
	case !isTo:
		return from.Egress == "chain" || stays.Egress == "all"
	default:
		return false
	}
}

// The checked flows: ports that chains open and one that none opens, addresses inside and outside
// of the ranges that chains name.
func ports() []int { return []int{80, 443, 6060, 9999} }

var addresses = []netip.Addr{netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("198.51.100.1")}

// outsideV6 belongs to no VPC.
var outsideV6 = netip.MustParseAddr("2001:db8:ffff::1")
