package sgchain

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"

	"sgchain/lambda/chain"
)

// Peer is who is at the other end of a door: one entry of a list Sources or
// Destinations.
type Peer struct {
	kind peerKind
	text string // as the template has it; may be a token
}

// peerKind is what a constructor promises: a word of another kind is no such peer,
// so that a tier's name in a variable never turns out to be "internet".
type peerKind int

const (
	anyPeer peerKind = iota // from JSON, where the word says what it is
	tierPeer
	cidrPeer
	groupPeer
	listPeer
	listNamePeer
	namedGroupPeer
	namedListPeer
)

// The words that stand before names.
const (
	groupPrefix = "group/"
	listPrefix  = "list/"
)

// PeerOf is a peer of the CDK: awsec2.Peer_Ipv4 and the like, a security group, a prefix list. What is
// known only when the stack is deployed is fine.
func PeerOf(peer awsec2.IPeer) Peer {
	if peer == nil {
		return Peer{}
	}
	config := peer.ToIngressRuleConfig()
	if config == nil {
		return Peer{}
	}
	return ends{
		cidr: value(config.CidrIp) + value(config.CidrIpv6), group: value(config.SourceSecurityGroupId),
		account: value(config.SourceSecurityGroupOwnerId), list: value(config.SourcePrefixListId),
	}.peer()
}

// Internet is every address: 0.0.0.0/0, and ::/0 as well in a chain with IPv6.
func Internet() Peer { return Peer{anyPeer, "internet"} }

// InternetV4 is every IPv4 address, 0.0.0.0/0.
func InternetV4() Peer { return Peer{anyPeer, "internet-v4"} }

// InternetV6 is every IPv6 address, ::/0.
func InternetV6() Peer { return Peer{anyPeer, "internet-v6"} }

// Vpc is the address ranges of the chain's own VPC, looked up by the function.
func Vpc() Peer { return Peer{anyPeer, "vpc"} }

// Self is the tier itself.
func Self() Peer { return Peer{anyPeer, "self"} }

// TierNamed is a tier of the same chain.
func TierNamed(name string) Peer { return Peer{tierPeer, name} }

// Cidr is a range of addresses, "10.0.0.0/8" or "2001:db8::/32"; one address is
// "203.0.113.7/32".
func Cidr(cidr string) Peer { return Peer{cidrPeer, cidr} }

// Group is a security group that the chain does not own. A tier of another chain is
// one, too: Group(other.SecurityGroup("Alb")).
func Group(group awsec2.ISecurityGroup) Peer {
	if group == nil {
		return Peer{groupPeer, ""}
	}
	return GroupId(group.SecurityGroupId())
}

// GroupId is a security group that the chain does not own, by its ID: "sg-...", or
// "123456789012/sg-..." where another account owns it. A token is fine.
func GroupId(id *string) Peer { return Peer{groupPeer, value(id)} }

// PrefixList is a managed prefix list by its ID, "pl-...". A token is fine.
func PrefixList(id *string) Peer { return Peer{listPeer, value(id)} }

// PrefixListNamed is a prefix list that AWS manages, by its name in any partition, looked up by the
// function: "com.amazonaws.global.cloudfront.origin-facing",
// "com.amazonaws.{region}.s3". The function puts its Region in the place of {region}.
func PrefixListNamed(name string) Peer { return Peer{listNamePeer, name} }

// GroupNamed is a security group of the chain's VPC by its name, in its letter case, looked up by the
// function at each run. A tier of the chain is TierNamed.
func GroupNamed(name string) Peer { return Peer{namedGroupPeer, groupPrefix + name} }

// ListNamed is a managed prefix list of the account by its name, looked up by the function at each
// run. The function puts its Region in the place of {region}.
func ListNamed(name string) Peer { return Peer{namedListPeer, listPrefix + name} }

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// problem says why the text is no peer of the kind that the constructor promises.
// Whether it is a good one of its kind is left to chain.Parse.
func (p Peer) problem(tiers []string) string {
	switch p.kind {
	case tierPeer:
		if !slices.Contains(tiers, p.text) {
			return "TierNamed: the chain has no tier \"" + p.text + "\"; it has " + strings.Join(tiers, ", ")
		}
	case cidrPeer:
		_, err := netip.ParsePrefix(p.text)
		if _, errAddress := netip.ParseAddr(p.text); err != nil && errAddress != nil {
			return "Cidr: \"" + p.text + "\" is not a range of addresses; write one such as 10.0.0.0/8"
		}
	case groupPeer:
		if !strings.Contains(strings.ToLower(p.text), "sg-") {
			return "GroupId: \"" + p.text + "\" is not the ID of a security group; it looks like sg-0123456789abcdef0"
		}
	case listPeer:
		if !strings.HasPrefix(strings.ToLower(p.text), "pl-") {
			return "PrefixList: \"" + p.text + "\" is not the ID of a prefix list; it looks like pl-0123456789abcdef0"
		}
	case listNamePeer:
		if !chain.IsListName(strings.ToLower(p.text)) {
			return "PrefixListNamed: \"" + p.text + "\" is not the name of a prefix list of AWS; it looks like com.amazonaws.{region}.s3"
		}
	case namedGroupPeer, namedListPeer: // the prefix says it
	case anyPeer:
		if p.text == "" {
			return "is an empty Peer; use a constructor such as Internet or TierNamed"
		}
	}
	return ""
}
