package world

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// rule is one permission with one peer, the unit that DescribeSecurityGroupRules lists.
type rule struct {
	id          string // set when the rule is added to its group
	egress      bool
	protocol    string       // as EC2 stores it: tcp, udp, icmp, icmpv6, -1, or a number
	from, to    int32        // -1, -1 if the protocol has no ports
	peer        string       // a CIDR, sg-..., or pl-...
	prefix      netip.Prefix // the peer, if it is a CIDR
	description string
	tags        map[string]string
}

// same compares what identifies a rule: all except ID, description and tags.
func (r *rule) same(other *rule) bool {
	return r.egress == other.egress && r.from == other.from && r.to == other.to && r.peer == other.peer && r.protocol == other.protocol
}

// placeIn returns the index of the same rule in a list, or -1.
func placeIn(rules []rule, one *rule) int {
	for i := range rules {
		if rules[i].same(one) {
			return i
		}
	}
	return -1
}

// without returns a list without other rules.
func without(rules, others []rule) []rule {
	left := make([]rule, 0, len(rules))
	for i := range rules {
		if placeIn(others, &rules[i]) < 0 {
			left = append(left, rules[i])
		}
	}
	return left
}

// names reports whether a rule of the state names a peer.
func (s *state) names(peer string) bool {
	for i := range s.rules {
		if s.rules[i].peer == peer {
			return true
		}
	}
	return false
}

func (r *rule) text(names map[string]string) string {
	direction, peer := "ingress ", r.peer
	if r.egress {
		direction = "egress "
	}
	if name := names[r.peer]; name != "" {
		peer = name
	}
	ports := " "
	if r.from != -1 || r.to != -1 {
		ports = " " + strconv.Itoa(int(r.from)) + "-" + strconv.Itoa(int(r.to)) + " "
	}
	text := direction + r.protocol + ports + peer
	if r.description != "" {
		text += " " + strconv.Quote(r.description)
	}
	return text
}

// The characters allowed in a rule's description, by its peer. The reference lists one more for
// ranges than for groups and prefix lists (types IpRange, UserIdGroupPair, PrefixListId).
const (
	letters             = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 "
	referenceCharacters = letters + "._-:/()#,@[]+=;{}!$*"
	rangeCharacters     = referenceCharacters + "&"
)

// reader splits permissions into rules, checks them, and normalizes them as EC2 does.
type reader struct {
	world *World
	group *group
	adds  bool // whether the call adds the rules, rather than naming existing ones
	base  rule
	rules []rule
}

func (w *World) rulesOf(g *group, egress bool, permissions []types.IpPermission, tags *map[string]string) ([]rule, error) {
	r := reader{world: w, group: g, adds: tags != nil}
	var given map[string]string
	if tags != nil {
		given = *tags
	}
	for _, permission := range permissions {
		base, err := withPorts(rule{egress: egress, protocol: storedProtocol(aws.ToString(permission.IpProtocol)), from: -1, to: -1, tags: given}, permission)
		if err != nil {
			return nil, err
		}
		r.base = base
		if err = r.permission(permission); err != nil {
			return nil, err
		}
	}
	for i := range r.rules {
		if placeIn(r.rules[:i], &r.rules[i]) >= 0 {
			return nil, fail("InvalidParameterValue", "The same permission must not appear multiple times")
		}
	}
	return r.rules, nil
}

func (r *reader) permission(permission types.IpPermission) error {
	for _, one := range permission.IpRanges {
		if err := r.cidr(aws.ToString(one.CidrIp), false, one.Description); err != nil {
			return err
		}
	}
	for _, one := range permission.Ipv6Ranges {
		if err := r.cidr(aws.ToString(one.CidrIpv6), true, one.Description); err != nil {
			return err
		}
	}
	for _, list := range permission.PrefixListIds {
		id := aws.ToString(list.PrefixListId)
		if _, known := r.world.lists[id]; !known {
			return fail("InvalidPrefixListID.NotFound", "The prefix list ID '%s' does not exist", id)
		}
		if err := r.add(id, netip.Prefix{}, list.Description, referenceCharacters); err != nil {
			return err
		}
	}
	for _, pair := range permission.UserIdGroupPairs {
		if err := r.reference(pair); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) reference(pair types.UserIdGroupPair) error {
	id := aws.ToString(pair.GroupId)
	if !strings.HasPrefix(id, "sg-") {
		return fail("InvalidGroupId.Malformed", "Invalid id: %q (expecting \"sg-...\")", id)
	}
	if err := r.world.referenced(r.group, pair, r.adds); err != nil {
		return err
	}
	return r.add(id, netip.Prefix{}, pair.Description, referenceCharacters)
}

func (r *reader) cidr(text string, ipv6 bool, description *string) error {
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Addr().Is6() != ipv6 || prefix.Addr().Is4In6() {
		return fail("InvalidParameterValue", "CIDR block %s is malformed", text)
	}
	prefix = prefix.Masked()
	return r.add(prefix.String(), prefix, description, rangeCharacters)
}

func (r *reader) add(peer string, prefix netip.Prefix, description *string, characters string) error {
	one := r.base
	one.peer, one.prefix, one.description = peer, prefix, aws.ToString(description)
	if len(one.description) > 255 || strings.Trim(one.description, characters) != "" {
		return fail("InvalidParameterValue", "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")
	}
	r.rules = append(r.rules, one)
	return nil
}

func storedProtocol(text string) string {
	switch strings.ToLower(text) {
	case "1", "icmp":
		return "icmp"
	case "6", "tcp":
		return "tcp"
	case "17", "udp":
		return "udp"
	case "58", "icmpv6":
		return "icmpv6"
	default:
		return text
	}
}

// withPorts reads the ports of protocols that have them, and drops them otherwise.
func withPorts(r rule, permission types.IpPermission) (rule, error) {
	given := permission.FromPort != nil && permission.ToPort != nil
	switch r.protocol {
	case "tcp", "udp":
		if !given || *permission.FromPort < 0 || *permission.ToPort > 65535 || *permission.FromPort > *permission.ToPort {
			return r, fail("InvalidParameterValue", "Invalid value for portRange. Must specify both from and to ports with TCP/UDP.")
		}
		r.from, r.to = *permission.FromPort, *permission.ToPort
	case "icmp", "icmpv6":
		if given || r.protocol == "icmp" {
			return withTypeAndCode(r, permission.FromPort, permission.ToPort)
		}
	case "-1":
	default:
		if number, err := strconv.Atoi(r.protocol); err != nil || number < 0 || number > 255 {
			return r, fail("InvalidParameterValue", "Invalid value '%s' for IP protocol. Unknown protocol.", r.protocol)
		}
	}
	return r, nil
}

// withTypeAndCode reads the type and code that ICMP has instead of ports; -1 means all.
func withTypeAndCode(r rule, kind, code *int32) (rule, error) {
	switch {
	case kind == nil || code == nil:
		return r, fail("InvalidParameterValue", "Invalid value for portRange. Must specify both from and to ports with ICMP.")
	case *kind < -1 || *kind > 255:
		return r, fail("InvalidParameterValue", "ICMP type (%d) out of range", *kind)
	case *code < -1 || *code > 255 || (*kind == -1 && *code != -1):
		return r, fail("InvalidParameterValue", "ICMP code (%d) out of range", *code)
	}
	r.from, r.to = *kind, *code
	return r, nil
}

// addTo adds a rule to a list of permissions as DescribeSecurityGroups groups them: by protocol and
// ports, with all their peers.
func (r *rule) addTo(list *[]types.IpPermission, pair func() types.UserIdGroupPair) {
	var from, to *int32
	if r.protocol == "tcp" || r.protocol == "udp" || r.protocol == "icmp" || r.protocol == "icmpv6" {
		from, to = aws.Int32(r.from), aws.Int32(r.to)
	}
	place := -1
	for i := range *list {
		if p := &(*list)[i]; aws.ToString(p.IpProtocol) == r.protocol && aws.ToInt32(p.FromPort) == aws.ToInt32(from) && aws.ToInt32(p.ToPort) == aws.ToInt32(to) {
			place = i
			break
		}
	}
	if place < 0 {
		*list = append(*list, types.IpPermission{IpProtocol: aws.String(r.protocol), FromPort: from, ToPort: to})
		place = len(*list) - 1
	}
	permission := &(*list)[place]
	var description *string
	if r.description != "" {
		description = aws.String(r.description)
	}
	switch {
	case strings.HasPrefix(r.peer, "sg-"):
		one := pair()
		one.Description = description
		permission.UserIdGroupPairs = append(permission.UserIdGroupPairs, one)
	case strings.HasPrefix(r.peer, "pl-"):
		permission.PrefixListIds = append(permission.PrefixListIds, types.PrefixListId{PrefixListId: aws.String(r.peer), Description: description})
	case strings.Contains(r.peer, ":"):
		permission.Ipv6Ranges = append(permission.Ipv6Ranges, types.Ipv6Range{CidrIpv6: aws.String(r.peer), Description: description})
	default:
		permission.IpRanges = append(permission.IpRanges, types.IpRange{CidrIp: aws.String(r.peer), Description: description})
	}
}

// checkQuota counts rules as EC2 does: each direction separately, IPv4 and IPv6 separately. A rule
// that names a group counts in both, and one that names a prefix list counts with the list's
// weight. Sources: VPC user guide, "Amazon VPC quotas" and "Security group rules". A rule is only
// refused in a family in which it counts.
func (w *World) checkQuota(rules []rule, added rule) error {
	quota := w.RuleQuota
	if quota == 0 {
		quota = defaultRuleQuota
	}
	for _, ipv6 := range []bool{false, true} {
		count := 0
		for i := range rules {
			if rules[i].egress == added.egress {
				count += w.weight(&rules[i], ipv6)
			}
		}
		if w.weight(&added, ipv6) > 0 && count > quota {
			return fail("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
		}
	}
	return nil
}

// weight returns how much a rule counts in a family.
func (w *World) weight(r *rule, ipv6 bool) int {
	list, isList := w.lists[r.peer]
	switch {
	case isList && list.ipv6 == ipv6:
		return list.weight
	case isList, r.prefix.IsValid() && r.prefix.Addr().Is6() != ipv6:
		return 0
	default:
		return 1
	}
}
