package sgchain

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"

	"sgchain/lambda/chain"
)

// Peer is the other end of a rule: an entry of Sources or Destinations. Create one with a
// constructor such as [Internet] or [TierNamed]: the zero value is refused.
type Peer struct {
	kind peerKind
	text string // as in the template; can be a token
}

// peerKind is the kind of peer that a constructor creates. A text of another kind is refused, so that
// a variable with a tier's name never turns out to be "internet".
type peerKind int

const (
	anyPeer peerKind = iota // from a word, or from JSON; the text itself has the kind
	tierPeer
	cidrPeer
	groupPeer
	listPeer
	listNamePeer
	namedGroupPeer
	namedListPeer
)

// The prefixes of names.
const (
	groupPrefix = "group/"
	listPrefix  = "list/"
)

// PeerOf converts a peer of the CDK: awsec2.Peer_Ipv4 and the like, a security group or a prefix
// list. Its value can be a token. PeerOf(nil) is refused when the chain is created.
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

// Internet is every IPv4 address (0.0.0.0/0). In a chain with IPv6 it is every IPv6 address (::/0)
// too.
func Internet() Peer { return Peer{anyPeer, "internet"} }

// InternetV4 is every IPv4 address, 0.0.0.0/0.
func InternetV4() Peer { return Peer{anyPeer, "internet-v4"} }

// InternetV6 is every IPv6 address, ::/0.
func InternetV6() Peer { return Peer{anyPeer, "internet-v6"} }

// Vpc is the address ranges of the chain's VPC, which the function looks up: those of IPv4, and with
// IPv6 those of IPv6 too.
func Vpc() Peer { return Peer{anyPeer, "vpc"} }

// Self is the tier's own security group.
func Self() Peer { return Peer{anyPeer, "self"} }

// TierNamed is a tier of the same chain. A name that the chain does not have is refused.
func TierNamed(name string) Peer { return Peer{tierPeer, name} }

// Cidr is an address range, for example "10.0.0.0/8" or "2001:db8::/32". A single address is
// "203.0.113.7/32". The range can be a token.
func Cidr(cidr string) Peer { return Peer{cidrPeer, cidr} }

// Group is a security group that the chain does not own, for example a tier of another chain:
// Group(other.SecurityGroup("Alb")).
func Group(group awsec2.ISecurityGroup) Peer {
	if group == nil {
		return Peer{groupPeer, ""}
	}
	return GroupId(group.SecurityGroupId())
}

// GroupId is a security group that the chain does not own, by its ID: "sg-...", or
// "123456789012/sg-..." for a group of another account. The ID can be a token.
func GroupId(id *string) Peer { return Peer{groupPeer, value(id)} }

// PrefixList is a managed prefix list by its ID, "pl-...". The ID can be a token.
func PrefixList(id *string) Peer { return Peer{listPeer, value(id)} }

// PrefixListNamed is an AWS-managed prefix list by its name, for example
// "com.amazonaws.global.cloudfront.origin-facing" or "com.amazonaws.{region}.s3". The function
// looks it up and replaces {region} by its Region. Names of every AWS partition are allowed.
func PrefixListNamed(name string) Peer { return Peer{listNamePeer, name} }

// GroupNamed is a security group of the chain's VPC by its name, which is case-sensitive. The function
// looks it up in each run. For a tier of the chain use [TierNamed].
func GroupNamed(name string) Peer { return Peer{namedGroupPeer, groupPrefix + name} }

// ListNamed is a managed prefix list of the account by its name, which is case-sensitive. The function
// looks it up in each run and replaces {region} in the name by its Region.
func ListNamed(name string) Peer { return Peer{namedListPeer, listPrefix + name} }

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// problem returns why the text is not a peer of the constructor's kind, or "" if it can be one.
// chain.Parse checks the rest.
func (p Peer) problem(tiers []string) string {
	switch p.kind {
	case tierPeer:
		if !slices.Contains(tiers, p.text) {
			return "TierNamed: the chain has no tier \"" + p.text + "\". Use one of its tiers: " + strings.Join(tiers, ", ") + "."
		}
	case cidrPeer:
		_, err := netip.ParsePrefix(p.text)
		if _, errAddress := netip.ParseAddr(p.text); err != nil && errAddress != nil {
			return "Cidr: \"" + p.text + "\" is not an address range. Use a range such as 10.0.0.0/8."
		}
	case groupPeer:
		if !strings.Contains(strings.ToLower(p.text), "sg-") {
			return "GroupId: \"" + p.text + "\" is not a security group ID. Use an ID such as sg-0123456789abcdef0."
		}
	case listPeer:
		if !strings.HasPrefix(strings.ToLower(p.text), "pl-") {
			return "PrefixList: \"" + p.text + "\" is not a prefix list ID. Use an ID such as pl-0123456789abcdef0."
		}
	case listNamePeer:
		if !chain.IsListName(strings.ToLower(p.text)) {
			return "PrefixListNamed: \"" + p.text + "\" is not the name of an AWS-managed prefix list. Use a name such as com.amazonaws.{region}.s3."
		}
	case namedGroupPeer, namedListPeer: // the constructor has added the prefix
	case anyPeer:
		if p.text == "" {
			return "is an empty Peer. Create it with a constructor such as Internet or TierNamed."
		}
	}
	return ""
}
