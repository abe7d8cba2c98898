package chain

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Direction says whether a rule lets traffic into a group or out of it.
type Direction string

// The two directions of EC2.
const (
	Ingress Direction = "ingress"
	Egress  Direction = "egress"
)

// Protocol is "tcp", "udp", "icmp", "icmpv6", "all", or an IP protocol number
// in decimal ("50"). EC2 stores the numbers 1, 6, 17 and 58 as the first four
// names and all protocols as -1 (API reference, IpPermission); so numbers of
// named protocols do not occur here.
type Protocol string

// The protocols with a name.
const (
	TCP    Protocol = "tcp"
	UDP    Protocol = "udp"
	ICMP   Protocol = "icmp"
	ICMPv6 Protocol = "icmpv6"
	All    Protocol = "all"
)

// HasPorts says whether EC2 stores a port range (for icmp and icmpv6: type and
// code) for the protocol. For every other one "traffic is allowed on all ports,
// regardless of any port range you specify" (API reference, IpPermission).
func (p Protocol) HasPorts() bool {
	switch p {
	case TCP, UDP, ICMP, ICMPv6:
		return true
	default:
		return false
	}
}

// PortRange is the ports From to To, both included, 0 to 65535. For icmp and
// icmpv6 From is the type and To the code, 0 to 255, -1 for any. AllPorts
// stands for protocols without ports and for icmp of any type.
type PortRange struct{ From, To int32 }

// AllPorts is the range of a protocol that has no ports.
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

// PeerKind says which field of a Peer counts.
type PeerKind uint8

// The kinds of the other end of a rule.
const (
	// PeerCIDR is a range of addresses; Peer.CIDR holds it, host bits cleared, or
	// Peer.ID the text of one that cannot be read.
	PeerCIDR PeerKind = iota + 1
	// PeerPrefixList is a managed prefix list; Peer.ID holds "pl-...".
	PeerPrefixList
	// PeerGroup is a group outside this chain; Peer.ID holds "sg-...", and
	// Peer.Account its owner where that is known to be another account.
	PeerGroup
	// PeerTier is a tier of the chain, whichever groups it has; Peer.Tier holds
	// its name. Only desired states have it.
	PeerTier
	// PeerMember is one owned group; Peer.Member holds its identity.
	PeerMember
	// PeerVPC is the ranges of the group's own VPC of one family; Peer.ID holds
	// "ipv4" or "ipv6". PeerListName is the managed prefix list of a name; Peer.ID
	// holds the name of one of AWS, or list/NAME. PeerGroupName is the security group of a name in the group's own VPC;
	// Peer.ID holds group/NAME. Only states that are not resolved yet have them
	// ([State.Resolve]).
	PeerVPC
	PeerListName
	PeerGroupName
)

// Peer is the other end of a rule: the source of an ingress rule, the
// destination of an egress rule. It is comparable, but rules are compared by
// [Rule.Key]: the account does not count.
type Peer struct {
	Kind   PeerKind
	CIDR   netip.Prefix
	ID     string
	Tier   string
	Member Identity
	// Account is whose group it is: what EC2 says, or what the author wrote; empty
	// for the own account and where nobody said. IDs of groups are unique
	// everywhere, and EC2 leaves the account out for groups that are deleted or
	// behind a transit gateway (API reference, UserIdGroupPair; coverage-roadmap
	// issue 2310), so it is no part of what makes two peers the same.
	Account string
}

// GroupPeer is the peer of a group outside this chain, "sg-..." or "account/sg-...".
func GroupPeer(text string) Peer {
	if account, id, found := strings.Cut(text, "/"); found {
		return Peer{Kind: PeerGroup, ID: id, Account: account}
	}
	return Peer{Kind: PeerGroup, ID: text}
}

// CIDRPeer is the peer of a range of addresses; host bits are cleared, as EC2
// does (API reference, IpRange: "Amazon EC2 canonicalizes ... CIDR").
func CIDRPeer(prefix netip.Prefix) Peer {
	return Peer{Kind: PeerCIDR, CIDR: prefix.Masked()}
}

// TierPeer is the peer that stands for every group of a tier.
func TierPeer(tier string) Peer { return Peer{Kind: PeerTier, Tier: tier} }

// MemberPeer is the peer of one owned group.
func MemberPeer(identity Identity) Peer { return Peer{Kind: PeerMember, Member: identity} }

// InternetV4 and InternetV6 are all addresses of a family.
var (
	InternetV4 = netip.MustParsePrefix("0.0.0.0/0") //nolint:gochecknoglobals // a constant in all but syntax
	InternetV6 = netip.MustParsePrefix("::/0")      //nolint:gochecknoglobals // a constant in all but syntax
)

// String prints the peer as messages and plans name it.
func (p Peer) String() string {
	switch p.Kind {
	case PeerCIDR:
		if !p.CIDR.IsValid() {
			return p.ID // a range that EC2 shows and netip cannot read
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

// Rule is one permission of a group: a direction, a protocol, a port range and
// exactly one peer. The description is not part of what makes two rules the
// same: EC2 refuses a second rule that differs in nothing else
// (InvalidPermission.Duplicate). A Rule is comparable.
type Rule struct {
	Direction   Direction
	Protocol    Protocol
	Ports       PortRange
	Peer        Peer
	Description string
}

// Key is the rule without its description and without the account of its peer: what
// EC2 compares.
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
		-strings.Compare(a.Peer.Account, b.Peer.Account), // of two that are the same, the one that says more is first
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

// AllTrafficV4 is the egress rule that EC2 gives every fresh group (user guide,
// "Default security groups": "... allows all outbound traffic"). EC2 gives it
// no description.
func AllTrafficV4() Rule {
	return Rule{Direction: Egress, Protocol: All, Ports: AllPorts, Peer: CIDRPeer(InternetV4)}
}

// AllTrafficV6 is its twin, which EC2 adds to fresh groups in a VPC that has an
// IPv6 range.
func AllTrafficV6() Rule {
	return Rule{Direction: Egress, Protocol: All, Ports: AllPorts, Peer: CIDRPeer(InternetV6)}
}
