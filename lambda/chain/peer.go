package chain

import (
	"net/netip"
	"strings"
)

// The families of addresses, as IpFamilies has them.
const (
	familyV4 = "ipv4"
	familyV6 = "ipv6"
)

// peerWords are the peers that have a word; a tier may not bear their names.
func peerWords() []string {
	return []string{"internet", "internet-v4", "internet-v6", "self", "vpc"}
}

var (
	// groupPeer is a security group, of another account where one stands before it.
	groupPeer = lazily(`^([0-9]{12}/)?sg-[0-9a-z]+$`)
	listPeer  = lazily(`^pl-[0-9a-z]+$`)
	listRest  = lazily(`^[a-z0-9{}.-]{1,100}$`)
)

// listPartitions begin the names of lists that AWS manages, one for each partition.
//
//nolint:gochecknoglobals // a constant in all but syntax
var listPartitions = []string{"com.amazonaws.", "cn.com.amazonaws.", "eu.amazonaws.", "gov.ic.c2s.", "gov.sgov.sc2s.", "gov.ic.hci.csp.", "uk.adc-e.cloud."}

// IsListName reports whether a word is the name of a list that AWS manages (VPC user guide,
// "AWS-managed prefix lists"). In other partitions than aws it may begin as names of VPC
// endpoint services do there: with the suffix of the partition backwards.
func IsListName(word string) bool {
	for _, partition := range listPartitions {
		if rest, isOf := strings.CutPrefix(word, partition); isOf {
			return listRest().MatchString(rest) && strings.Count(word, "{") == strings.Count(word, "{region}")
		}
	}
	return false
}

// source is one peer that a word of a Sources or Destinations list stands for, with
// the name that descriptions have for it.
type source struct {
	peer Peer
	name string
}

// maxPeer is longer than any peer, and leaves room in the description of a rule.
const maxPeer = 128

// scope is what a list of peers is read in: the tier that it belongs to, the names of
// all tiers, and whether the chain has IPv6.
type scope struct {
	tier  string
	names []string // by place; empty where one cannot be read
	tiers tierList // those that can be read
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

// sources reads one entry. A word that stands for both families gives a peer for each.
func (r *reader) sources(path string, place int, value any, in scope) []source {
	text, ok := r.scalar(path, value)
	switch {
	case !ok:
		return nil
	case text == "":
		r.problem(path, `unknown peer "": entry %d is empty; an empty list parameter gives this; name who is meant`, place)
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

// peers reads an entry that is there.
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
		// All groups of the tier: while one is being replaced, its old and its
		// new members go on talking to each other.
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
		r.problem(path, "%s is not a security group; write sg-0123456789abcdef0, or 123456789012/sg-0123456789abcdef0 for one of another account", quoted(text))
	case strings.HasPrefix(word, "pl-"):
		r.problem(path, "%s is not a prefix list; it looks like pl-0123456789abcdef0", quoted(text))
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
		r.problem(path, "%s is an address without a prefix length; write %s/%d for this one address", quoted(text), text, address.BitLen())
	case err != nil:
		r.unknownPeer(path, text, tiers)
	case prefix.Addr().Is4In6():
		r.problem(path, "%s is an IPv4 range written as IPv6; write it as IPv4", quoted(text))
	default:
		return prefix, true
	}
	return netip.Prefix{}, false
}

func (r *reader) unknownPeer(path, text string, tiers tierList) {
	r.problem(path, "unknown peer %s; write a tier (%s), a CIDR such as 203.0.113.7/32, internet, internet-v4, internet-v6, vpc, self, a security group (sg-... or group/NAME), a prefix list (pl-... or list/NAME) or the name of one of AWS (com.amazonaws...)", quoted(text), tiers)
}

// fits reports whether a protocol goes with a peer: ICMP is IPv4's, ICMPv6 is IPv6's.
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
