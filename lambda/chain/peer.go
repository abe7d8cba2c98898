package chain

import (
	"net/netip"
	"strings"
)

// The address families, in the form of IpFamilies.
const (
	familyV4 = "ipv4"
	familyV6 = "ipv6"
)

// peerWords returns the words for peers. No tier can have one of them as its name.
func peerWords() []string {
	return []string{"internet", "internet-v4", "internet-v6", "self", "vpc"}
}

var (
	// groupPeer matches a security group, with or without an account before it.
	groupPeer = lazily(`^([0-9]{12}/)?sg-[0-9a-z]+$`)
	listPeer  = lazily(`^pl-[0-9a-z]+$`)
	listRest  = lazily(`^[a-z0-9{}.-]{1,100}$`)
)

// listPartitions begin the names of prefix lists that AWS manages, one for each partition.
//
//nolint:gochecknoglobals // a constant in all but syntax
var listPartitions = []string{"com.amazonaws.", "cn.com.amazonaws.", "eu.amazonaws.", "gov.ic.c2s.", "gov.sgov.sc2s.", "gov.ic.hci.csp.", "uk.adc-e.cloud."}

// IsListName reports whether a word is the name of a prefix list that AWS manages (VPC user guide,
// "AWS-managed prefix lists"). Outside of the partition aws, it may begin like the names of VPC
// endpoint services: with the partition's DNS suffix backwards.
func IsListName(word string) bool {
	for _, partition := range listPartitions {
		if rest, isOf := strings.CutPrefix(word, partition); isOf {
			return listRest().MatchString(rest) && strings.Count(word, "{") == strings.Count(word, "{region}")
		}
	}
	return false
}

// source is one peer that an entry of Sources or Destinations stands for, with its name in
// descriptions.
type source struct {
	peer Peer
	name string
}

// maxPeer is longer than any valid peer, and leaves room in the description of a rule.
const maxPeer = 128

// scope is the context in which a list of peers is read: its tier, the names of all tiers, and
// whether the chain has IPv6.
type scope struct {
	tier  string
	names []string // by place; an invalid name is empty
	tiers tierList // all valid names
	known map[string]bool
	ipv6  bool
}

func newScope(names []string, ipv6 bool) scope {
	in := scope{names: names, known: map[string]bool{}, ipv6: ipv6}
	for _, name := range names {
		if name != "" {
			in.tiers, in.known[name] = append(in.tiers, name), true
		}
	}
	return in
}

// sources reads one entry. For a word that stands for both families it returns two peers.
func (r *reader) sources(path string, place int, value any, in scope) []source {
	text, ok := r.scalar(path, value)
	switch {
	case !ok:
		return nil
	case text == "":
		r.problem(path, `unknown peer "": entry %d is empty (an empty list parameter gives this). Write a peer, or remove the entry.`, place)
		return nil
	}
	if kind, name, isNamed := namedPeer(text); isNamed {
		return r.named(path, text, kind, name)
	}
	if len(text) > maxPeer && !r.built {
		r.unknownPeer(path, text, in.tiers)
		return nil
	}
	return r.peers(path, text, in)
}

// peers reads an entry that is not empty.
func (r *reader) peers(path, text string, in scope) []source {
	one := func(peer Peer, name string) []source { return []source{{peer, name}} }
	v4, v6 := source{CIDRPeer(InternetV4), "internet"}, source{CIDRPeer(InternetV6), "internet"}
	switch word := strings.ToLower(text); {
	case in.known[text]:
		return one(TierPeer(text), text)
	case word == "internet" && in.ipv6:
		return []source{v4, v6}
	case word == "internet" || word == "internet-v4":
		return []source{v4}
	case word == "internet-v6":
		return []source{v6}
	case word == "self":
		// All groups of the tier: while its group is replaced, the old and the new members
		// still reach each other.
		return one(TierPeer(in.tier), in.tier)
	case word == "vpc" && in.ipv6:
		return []source{{Peer{Kind: PeerVPC, ID: familyV4}, "vpc"}, {Peer{Kind: PeerVPC, ID: familyV6}, "vpc"}}
	case word == "vpc":
		return one(Peer{Kind: PeerVPC, ID: familyV4}, "vpc")
	case groupPeer().MatchString(word):
		return one(GroupPeer(word), word)
	case listPeer().MatchString(word):
		return one(Peer{Kind: PeerPrefixList, ID: word}, word)
	case IsListName(word):
		return one(Peer{Kind: PeerListName, ID: word}, word)
	case strings.Contains(word, "sg-"):
		r.problem(path, "%s is not a security group. Write sg-0123456789abcdef0, or 123456789012/sg-0123456789abcdef0 for a group of another account.", quoted(text))
	case strings.HasPrefix(word, "pl-"):
		r.problem(path, "%s is not a prefix list. Use an ID such as pl-0123456789abcdef0.", quoted(text))
	default:
		if prefix, ok := r.cidr(path, text, in.tiers); ok {
			return one(CIDRPeer(prefix), prefix.Masked().String())
		}
	}
	return nil
}

func (r *reader) cidr(path, text string, tiers tierList) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(text)
	address, errAddress := netip.ParseAddr(text)
	switch {
	case errAddress == nil && !address.Is4In6() && address.Zone() == "":
		r.problem(path, "%s is an address without a prefix length. Write %s/%d for this one address.", quoted(text), text, address.BitLen())
	case err != nil:
		r.unknownPeer(path, text, tiers)
	case prefix.Addr().Is4In6():
		r.problem(path, "%s is an IPv4 range written as IPv6. Write it as IPv4.", quoted(text))
	default:
		return prefix, true
	}
	return netip.Prefix{}, false
}

func (r *reader) unknownPeer(path, text string, tiers tierList) {
	r.problem(path, "unknown peer %s. Write a tier (%s), a CIDR such as 203.0.113.7/32, internet, internet-v4, internet-v6, vpc, self, a security group (sg-... or group/NAME), or a prefix list (pl-..., list/NAME or com.amazonaws...).", quoted(text), tiers)
}

// fits reports whether a protocol is possible with a peer: ICMP needs IPv4, ICMPv6 needs IPv6.
func (p Protocol) fits(peer Peer) bool {
	v4, v6 := true, true
	switch peer.Kind {
	case PeerCIDR:
		v4, v6 = peer.CIDR.Addr().Is4(), peer.CIDR.Addr().Is6()
	case PeerVPC:
		v4, v6 = peer.ID == familyV4, peer.ID == familyV6
	case PeerPrefixList, PeerGroup, PeerTier, PeerMember, PeerListName, PeerGroupName:
	}
	return (p != ICMP || v4) && (p != ICMPv6 || v6)
}
