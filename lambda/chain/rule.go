package chain

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Direction is the direction of a rule's traffic, seen from its group.
type Direction string

// The two directions of EC2.
const (
	Ingress Direction = "ingress"
	Egress  Direction = "egress"
)

// Protocol is "tcp", "udp", "icmp", "icmpv6", "all", or an IP protocol number in decimal ("50").
// EC2 stores the numbers 1, 6, 17 and 58 as the first four names, and all protocols as -1 (API
// reference, IpPermission). So a Protocol is never the number of a named protocol.
type Protocol string

// The protocols with a name.
const (
	TCP    Protocol = "tcp"
	UDP    Protocol = "udp"
	ICMP   Protocol = "icmp"
	ICMPv6 Protocol = "icmpv6"
	All    Protocol = "all"
)

// HasPorts reports whether EC2 stores a port range for the protocol (for icmp and icmpv6: type and
// code). For every other protocol, "traffic is allowed on all ports, regardless of any port range
// you specify" (API reference, IpPermission).
func (p Protocol) HasPorts() bool {
	switch p {
	case TCP, UDP, ICMP, ICMPv6:
		return true
	default:
		return false
	}
}

// PortRange is the ports From to To, both included, 0 to 65535. For icmp and icmpv6, From is the
// type and To the code, 0 to 255 or -1 for any. AllPorts stands for protocols without ports and
// for any type of icmp.
type PortRange struct{ From, To int32 }

// AllPorts is the range of a protocol without ports.
var AllPorts = PortRange{From: -1, To: -1} //nolint:gochecknoglobals // a constant in all but syntax

// Traffic prints protocol and ports as a stack owner writes them: "tcp 443",
// "tcp 8000-8010", "icmp 3/4", "protocol 50", "all traffic".
func Traffic(protocol Protocol, ports PortRange) string {
	switch protocol {
	case All:
		return "all traffic"
	case ICMP, ICMPv6:
		switch {
		case ports == AllPorts:
			return string(protocol)
		case ports.To == -1:
			return fmt.Sprintf("%s %d", protocol, ports.From)
		default:
			return fmt.Sprintf("%s %d/%d", protocol, ports.From, ports.To)
		}
	case TCP, UDP:
		return string(protocol) + " " + ports.String()
	default:
		return "protocol " + string(protocol)
	}
}

// String prints the range as "443", "80-90" or "all".
func (r PortRange) String() string {
	switch {
	case r == AllPorts:
		return "all"
	case r.From == r.To:
		return strconv.Itoa(int(r.From))
	default:
		return fmt.Sprintf("%d-%d", r.From, r.To)
	}
}

// PeerKind selects the field of a Peer that counts.
type PeerKind uint8

// The kinds of the other end of a rule.
const (
	// PeerCIDR is an address range in Peer.CIDR, host bits cleared. If a range cannot be
	// parsed, Peer.ID has its text.
	PeerCIDR PeerKind = iota + 1
	// PeerPrefixList is a managed prefix list, with "pl-..." in Peer.ID.
	PeerPrefixList
	// PeerGroup is a group outside this chain, with "sg-..." in Peer.ID. If the group is known
	// to belong to another account, Peer.Account has it.
	PeerGroup
	// PeerTier is all groups of the tier in Peer.Tier. Only desired states have it.
	PeerTier
	// PeerMember is one owned group, with its identity in Peer.Member.
	PeerMember
	// PeerVPC is the address ranges of the group's own VPC. Peer.ID has the family: "ipv4" or
	// "ipv6". Only states before [State.Resolve] have it.
	PeerVPC
	// PeerListName is a managed prefix list by its name. Peer.ID has the name of an AWS-managed
	// list, or list/NAME. Only states before [State.Resolve] have it.
	PeerListName
	// PeerGroupName is a security group in the group's own VPC by its name, with group/NAME in
	// Peer.ID. Only states before [State.Resolve] have it.
	PeerGroupName
)

// Peer is the other end of a rule: the source of an ingress rule, the destination of an egress
// rule. It is comparable, but rules are compared by [Rule.Key], which ignores the account.
type Peer struct {
	Kind   PeerKind
	CIDR   netip.Prefix
	ID     string
	Tier   string
	Member Identity
	// Account is the account of a group, from EC2 or from the author. It is empty for the own
	// account and for an unknown one. It plays no part in comparing peers: group IDs are
	// globally unique. Besides, EC2 leaves the account out for groups that are deleted or behind
	// a transit gateway (API reference, UserIdGroupPair; coverage-roadmap issue 2310).
	Account string
}

// GroupPeer returns the peer of a group outside this chain, "sg-..." or "account/sg-...".
func GroupPeer(text string) Peer {
	if account, id, found := strings.Cut(text, "/"); found {
		return Peer{Kind: PeerGroup, ID: id, Account: account}
	}
	return Peer{Kind: PeerGroup, ID: text}
}

// CIDRPeer returns the peer of an address range. It clears the host bits, as EC2 does (API
// reference, IpRange: "Amazon EC2 canonicalizes ... CIDR").
func CIDRPeer(prefix netip.Prefix) Peer {
	return Peer{Kind: PeerCIDR, CIDR: prefix.Masked()}
}

// TierPeer returns the peer for every group of a tier.
func TierPeer(tier string) Peer { return Peer{Kind: PeerTier, Tier: tier} }

// MemberPeer returns the peer of one owned group.
func MemberPeer(identity Identity) Peer { return Peer{Kind: PeerMember, Member: identity} }

// InternetV4 and InternetV6 have all addresses of a family.
var (
	InternetV4 = netip.MustParsePrefix("0.0.0.0/0") //nolint:gochecknoglobals // a constant in all but syntax
	InternetV6 = netip.MustParsePrefix("::/0")      //nolint:gochecknoglobals // a constant in all but syntax
)

// String returns the peer's name in messages and plans.
func (p Peer) String() string {
	switch p.Kind {
	case PeerCIDR:
		if !p.CIDR.IsValid() {
			return p.ID // a range that EC2 shows and netip cannot parse
		}
		return p.CIDR.String()
	case PeerGroup:
		if p.Account != "" {
			return p.Account + "/" + p.ID
		}
		return p.ID
	case PeerPrefixList, PeerListName, PeerGroupName:
		return p.ID
	case PeerVPC:
		return "vpc (" + p.ID + ")"
	case PeerTier:
		return p.Tier
	case PeerMember:
		return p.Member.String()
	default:
		return "nobody"
	}
}

// Rule is one permission of a group: a direction, a protocol, a port range and exactly one peer.
// Two rules that differ only in the description are the same rule: EC2 refuses the second one
// (InvalidPermission.Duplicate). A Rule is comparable.
type Rule struct {
	Direction   Direction
	Protocol    Protocol
	Ports       PortRange
	Peer        Peer
	Description string
}

// Key returns the rule without its description and without the account of its peer. EC2 compares
// rules in this form.
func (r Rule) Key() Rule {
	r.Description, r.Peer.Account = "", ""
	return r
}

// String prints the rule without its description, for plans and messages:
// "ingress tcp 443 from 0.0.0.0/0".
func (r Rule) String() string {
	word := "from"
	if r.Direction == Egress {
		word = "to"
	}
	return fmt.Sprintf("%s %s %s %s", r.Direction, Traffic(r.Protocol, r.Ports), word, r.Peer)
}

// CompareRules orders rules for printing and for calls: ingress before egress,
// then protocol, ports, peer, description.
func CompareRules(a, b Rule) int {
	if order := -cmp.Compare(a.Direction, b.Direction); order != 0 { // "ingress" sorts after "egress"
		return order
	}
	if order := cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Ports.From, b.Ports.From), cmp.Compare(a.Ports.To, b.Ports.To)); order != 0 {
		return order
	}
	return cmp.Or(
		comparePeers(a.Peer, b.Peer),
		-strings.Compare(a.Peer.Account, b.Peer.Account), // of two equal rules, the one with an account is first
		strings.Compare(a.Description, b.Description),
	)
}

func comparePeers(a, b Peer) int {
	return cmp.Or(
		cmp.Compare(a.Kind, b.Kind),
		a.CIDR.Addr().Compare(b.CIDR.Addr()),
		cmp.Compare(a.CIDR.Bits(), b.CIDR.Bits()),
		strings.Compare(a.ID, b.ID),
		strings.Compare(a.Tier, b.Tier),
		CompareIdentities(a.Member, b.Member),
	)
}

// AllTrafficV4 returns the egress rule that EC2 adds to every new group (user guide, "Default
// security groups": "... allows all outbound traffic"). It has no description.
func AllTrafficV4() Rule {
	return Rule{Direction: Egress, Protocol: All, Ports: AllPorts, Peer: CIDRPeer(InternetV4)}
}

// AllTrafficV6 returns the egress rule that EC2 also adds to new groups in a VPC with an IPv6
// range.
func AllTrafficV6() Rule {
	return Rule{Direction: Egress, Protocol: All, Ports: AllPorts, Peer: CIDRPeer(InternetV6)}
}
