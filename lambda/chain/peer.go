package chain

import (
	"net/netip"
	"slices"
	"strings"
)

// peerWords are the peers that have a word; a tier may not bear their names.
func peerWords() []string {
	return []string{"internet", "internet-v4", "internet-v6", "self", "vpc"}
}

// source is one entry of a Sources list, with the word for descriptions.
type source struct {
	peer Peer
	name string
}

// source reads one peer. Tiers holds the names of the chain's tiers and tier
// the name of the one that is being read.
func (r *reader) source(path string, value any, tier string, tiers []string) (source, bool) {
	text, ok := r.scalar(path, value)
	if !ok {
		return source{}, false
	}
	word := strings.ToLower(text)
	switch {
	case slices.Contains(tiers, text):
		return source{TierPeer(text), text}, true
	case word == "internet" || word == "internet-v4":
		return source{CIDRPeer(InternetV4), "internet"}, true
	case word == "internet-v6":
		return source{CIDRPeer(InternetV6), "internet"}, true
	case word == "self":
		// All groups of the tier: while one is being replaced, its old and its
		// new members go on talking to each other.
		return source{TierPeer(tier), tier}, true
	case word == "vpc" || isGroupOrPrefixList(word):
		r.problem(path, "%q: VPC, security group and prefix list peers are not supported by this version; name a tier or a CIDR", text)
		return source{}, false
	default:
		prefix, ok := r.cidr(path, text, tiers)
		return source{CIDRPeer(prefix), prefix.Masked().String()}, ok
	}
}

func isGroupOrPrefixList(word string) bool {
	_, afterAccount, _ := strings.Cut(word, "/")
	return strings.HasPrefix(word, "sg-") || strings.HasPrefix(afterAccount, "sg-") ||
		strings.HasPrefix(word, "pl-") || strings.HasPrefix(word, "com.amazonaws.")
}

func (r *reader) cidr(path, text string, tiers []string) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(text)
	address, errAddress := netip.ParseAddr(text)
	switch {
	case errAddress == nil && !address.Is4In6() && address.Zone() == "":
		r.problem(path, "%q is an address without a prefix length; write %s/%d for this one address", text, text, address.BitLen())
	case err != nil:
		r.problem(path, "unknown peer %q; write a tier (%s), a CIDR such as 203.0.113.7/32, internet, internet-v4, internet-v6 or self", text, strings.Join(tiers, ", "))
	case prefix.Addr().Is4In6():
		r.problem(path, "%q is an IPv4 range written as IPv6; write it as IPv4", text)
	default:
		return prefix, true
	}
	return netip.Prefix{}, false
}
