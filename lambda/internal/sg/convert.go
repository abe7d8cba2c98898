package sg

import (
	"net/netip"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
)

// protocolAll means all protocols in EC2's API.
const protocolAll = "-1"

// RulesOf returns the rules of a group. DescribeSecurityGroups lists one permission
// for a protocol and port range with all its peers, but a rule has one peer. Members
// maps the IDs of owned groups to their identities.
func RulesOf(group types.SecurityGroup, members map[string]chain.Identity) []chain.Rule {
	owner := aws.ToString(group.OwnerId)
	rules := make([]chain.Rule, 0, peersIn(group.IpPermissions)+peersIn(group.IpPermissionsEgress))
	for i := range group.IpPermissions {
		rules = appendRules(rules, chain.Ingress, &group.IpPermissions[i], owner, members)
	}
	for i := range group.IpPermissionsEgress {
		rules = appendRules(rules, chain.Egress, &group.IpPermissionsEgress[i], owner, members)
	}
	return rules
}

func peersIn(permissions []types.IpPermission) int {
	sum := 0
	for i := range permissions {
		one := &permissions[i]
		sum += len(one.IpRanges) + len(one.Ipv6Ranges) + len(one.PrefixListIds) + len(one.UserIdGroupPairs)
	}
	return sum
}

// appendRules appends the rules of a permission.
func appendRules(rules []chain.Rule, direction chain.Direction, permission *types.IpPermission, owner string, members map[string]chain.Identity) []chain.Rule {
	protocol := protocolOf(aws.ToString(permission.IpProtocol))
	add := func(peer chain.Peer, description *string) {
		rules = append(rules, chain.Rule{
			Direction: direction, Protocol: protocol, Ports: portsOf(protocol, permission), Peer: peer,
			Description: aws.ToString(description),
		})
	}
	for _, r := range permission.IpRanges {
		add(cidrPeer(aws.ToString(r.CidrIp)), r.Description)
	}
	for _, r := range permission.Ipv6Ranges {
		add(cidrPeer(aws.ToString(r.CidrIpv6)), r.Description)
	}
	for _, list := range permission.PrefixListIds {
		add(chain.Peer{Kind: chain.PeerPrefixList, ID: aws.ToString(list.PrefixListId)}, list.Description)
	}
	for _, pair := range permission.UserIdGroupPairs {
		add(groupPeer(pair, owner, members), pair.Description)
	}
	return rules
}

// cidrPeer parses a range that EC2 reports. One that netip cannot parse is kept as
// text, so that it shows up as a difference.
func cidrPeer(text string) chain.Peer {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return chain.Peer{Kind: chain.PeerCIDR, ID: text}
	}
	return chain.CIDRPeer(prefix)
}

func groupPeer(pair types.UserIdGroupPair, owner string, members map[string]chain.Identity) chain.Peer {
	id := aws.ToString(pair.GroupId)
	if identity, ok := members[id]; ok {
		return chain.MemberPeer(identity)
	}
	peer := chain.GroupPeer(id)
	if account := aws.ToString(pair.UserId); account != owner {
		peer.Account = account
	}
	return peer
}

// protocolOf converts EC2's protocol. EC2 stores the four protocols with names by name.
// Numbers are mapped too, because emulators differ in this.
func protocolOf(text string) chain.Protocol {
	switch text {
	case protocolAll:
		return chain.All
	case "1":
		return chain.ICMP
	case "6":
		return chain.TCP
	case "17":
		return chain.UDP
	case "58":
		return chain.ICMPv6
	default:
		return chain.Protocol(text)
	}
}

// portsOf returns the ports of a permission, or all ports if the protocol has none.
func portsOf(protocol chain.Protocol, permission *types.IpPermission) chain.PortRange {
	if !protocol.HasPorts() || permission.FromPort == nil || permission.ToPort == nil {
		return chain.AllPorts
	}
	return chain.PortRange{From: *permission.FromPort, To: *permission.ToPort}
}

// permissionsOf converts rules for EC2, one permission each. The description is sent
// even to revoke a rule: EC2 ignores it there, but an emulator (MiniStack) only finds
// the rule with it.
func permissionsOf(rules []chain.Rule, groupIDs map[chain.Identity]string) []types.IpPermission {
	permissions := make([]types.IpPermission, 0, len(rules))
	for _, rule := range rules {
		permissions = append(permissions, permissionOf(rule, groupIDs))
	}
	return permissions
}

func permissionOf(rule chain.Rule, groupIDs map[chain.Identity]string) types.IpPermission {
	permission := types.IpPermission{IpProtocol: aws.String(string(rule.Protocol))}
	if rule.Protocol == chain.All {
		permission.IpProtocol = aws.String(protocolAll)
	}
	if rule.Protocol.HasPorts() {
		permission.FromPort, permission.ToPort = aws.Int32(rule.Ports.From), aws.Int32(rule.Ports.To)
	}
	var description *string
	if rule.Description != "" {
		description = aws.String(rule.Description)
	}
	switch peer := rule.Peer; peer.Kind {
	case chain.PeerCIDR:
		text := peer.ID
		if peer.CIDR.IsValid() {
			text = peer.CIDR.String()
		}
		if strings.Contains(text, ":") {
			permission.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: aws.String(text), Description: description}}
		} else {
			permission.IpRanges = []types.IpRange{{CidrIp: aws.String(text), Description: description}}
		}
	case chain.PeerPrefixList:
		permission.PrefixListIds = []types.PrefixListId{{PrefixListId: aws.String(peer.ID), Description: description}}
	case chain.PeerGroup:
		pair := types.UserIdGroupPair{GroupId: aws.String(peer.ID), Description: description}
		if peer.Account != "" {
			pair.UserId = aws.String(peer.Account)
		}
		permission.UserIdGroupPairs = []types.UserIdGroupPair{pair}
	case chain.PeerMember:
		permission.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: aws.String(groupIDs[peer.Member]), Description: description}}
	case chain.PeerTier, chain.PeerVPC, chain.PeerListName, chain.PeerGroupName:
		panic("rule with an unresolved peer: " + rule.String()) // Resolve and Goal expand them all
	}
	return permission
}
