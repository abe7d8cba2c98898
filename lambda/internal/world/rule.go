package world

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// rule is one permission with one peer, as DescribeSecurityGroupRules counts.
type rule struct {
	egress      bool
	protocol    string // as EC2 stores it: tcp, udp, icmp, icmpv6, -1, or a number
	from, to    int32  // -1, -1 where the protocol has no ports
	peer        string // a CIDR, sg-..., or pl-...
	description string
	tags        map[string]string
}

// same is what makes two rules the same: all but description and tags.
func (r rule) same(other rule) bool {
	return r.egress == other.egress && r.protocol == other.protocol && r.from == other.from && r.to == other.to && r.peer == other.peer
}

func (r rule) text(groups map[string]*group) string {
	direction, peer := "ingress", r.peer
	if r.egress {
		direction = "egress"
	}
	if named := groups[r.peer]; named != nil {
		peer = named.name
	}
	ports := ""
	if r.from != -1 || r.to != -1 {
		ports = fmt.Sprintf(" %d-%d", r.from, r.to)
	}
	text := fmt.Sprintf("%s %s%s %s", direction, r.protocol, ports, peer)
	if r.description != "" {
		text += fmt.Sprintf(" %q", r.description)
	}
	return text
}

// rulesOf spreads permissions, checks them, and brings them into the form that
// EC2 stores (semantics: API reference, IpPermission and IpRange).
func (w *World) rulesOf(egress bool, permissions []types.IpPermission, tags map[string]string) ([]rule, error) {
	var rules []rule
	for _, permission := range permissions {
		base := rule{egress: egress, protocol: storedProtocol(aws.ToString(permission.IpProtocol)), from: -1, to: -1, tags: tags}
		base, err := base.withPorts(permission)
		if err != nil {
			return nil, err
		}
		add := func(peer string, description *string) {
			one := base
			one.peer, one.description = peer, aws.ToString(description)
			rules = append(rules, one)
		}
		for _, r := range permission.IpRanges {
			cidr, err := storedCIDR(aws.ToString(r.CidrIp), false)
			if err != nil {
				return nil, err
			}
			add(cidr, r.Description)
		}
		for _, r := range permission.Ipv6Ranges {
			cidr, err := storedCIDR(aws.ToString(r.CidrIpv6), true)
			if err != nil {
				return nil, err
			}
			add(cidr, r.Description)
		}
		for _, list := range permission.PrefixListIds {
			add(aws.ToString(list.PrefixListId), list.Description)
		}
		for _, pair := range permission.UserIdGroupPairs {
			id := aws.ToString(pair.GroupId)
			if w.groups[id] == nil {
				return nil, fail("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
			}
			add(id, pair.Description)
		}
	}
	for i, one := range rules {
		if slices.ContainsFunc(rules[:i], one.same) {
			return nil, fail("InvalidParameterValue", "The same permission must not appear multiple times")
		}
		if err := checkDescription(one.description); err != nil {
			return nil, err
		}
	}
	return rules, nil
}

func storedProtocol(text string) string {
	switch text {
	case "1":
		return "icmp"
	case "6":
		return "tcp"
	case "17":
		return "udp"
	case "58":
		return "icmpv6"
	default:
		return text
	}
}

func (r rule) withPorts(permission types.IpPermission) (rule, error) {
	switch r.protocol {
	case "tcp", "udp":
		if permission.FromPort == nil || permission.ToPort == nil || *permission.FromPort < 0 || *permission.ToPort > 65535 || *permission.FromPort > *permission.ToPort {
			return r, fail("InvalidParameterValue", "Invalid value for portRange. Must specify both from and to ports with TCP/UDP.")
		}
		r.from, r.to = *permission.FromPort, *permission.ToPort
	case "icmp", "icmpv6":
		if permission.FromPort != nil && permission.ToPort != nil {
			r.from, r.to = *permission.FromPort, *permission.ToPort
		} else if r.protocol == "icmp" {
			return r, fail("InvalidParameterValue", "Invalid value for ICMP type and code")
		}
	case "-1":
	default:
		if number, err := strconv.Atoi(r.protocol); err != nil || number < 0 || number > 255 {
			return r, fail("InvalidParameterValue", "Invalid value '%s' for IP protocol. Unknown protocol.", r.protocol)
		}
	}
	return r, nil
}

func storedCIDR(text string, ipv6 bool) (string, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Addr().Is6() != ipv6 {
		return "", fail("InvalidParameterValue", "CIDR block %s is malformed", text)
	}
	return prefix.Masked().String(), nil
}

const ruleCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._-:/()#,@[]+=;{}!$*"

func checkDescription(text string) error {
	for _, character := range text {
		if !strings.ContainsRune(ruleCharacters, character) {
			return fail("InvalidParameterValue", "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set")
		}
	}
	if len(text) > 255 {
		return fail("InvalidParameterValue", "Invalid rule description. Valid descriptions are strings less than 256 characters")
	}
	return nil
}

// Allows says whether a member of one group reaches a member of another: the
// first may send it and the second may receive it. Members have addresses in
// 10.0.0.0/8.
func (w *World) Allows(source, target, protocol string, port int32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.groups[source].lets(true, target, memberAddress, protocol, port) &&
		w.groups[target].lets(false, source, memberAddress, protocol, port)
}

// AllowsFrom says whether somebody outside, at an address, reaches a member.
func (w *World) AllowsFrom(address, target, protocol string, port int32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.groups[target].lets(false, "", netip.MustParseAddr(address), protocol, port)
}

var memberAddress = netip.MustParseAddr("10.1.2.3") //nolint:gochecknoglobals // a constant in all but syntax

func (g *group) lets(egress bool, peer string, address netip.Addr, protocol string, port int32) bool {
	return g != nil && slices.ContainsFunc(g.rules, func(r rule) bool {
		if r.egress != egress || (r.protocol != "-1" && r.protocol != protocol) {
			return false
		}
		if r.protocol != "-1" && (port < r.from || port > r.to) {
			return false
		}
		if peer != "" && r.peer == peer {
			return true
		}
		prefix, err := netip.ParsePrefix(r.peer)
		return err == nil && prefix.Contains(address)
	})
}
