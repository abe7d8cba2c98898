package chain

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// Severity says what becomes of a finding.
type Severity uint8

// The severities.
const (
	// Warned is allowed and probably not meant.
	Warned Severity = iota + 1
	// Refused is not built, unless the chain says Guardrails: warn.
	Refused
)

// The guardrails, by the IDs that findings bear.
const (
	// RulePublicTier is a tier that is not the first and open to the world.
	RulePublicTier = "public-tier"
	// RulePublicAllPorts is any tier that is open to the world on all ports, or on half of
	// them or more.
	RulePublicAllPorts = "public-all-ports"
	// RulePublicAdminPort is any tier that is open to the world on a port for administration
	// or of a database.
	RulePublicAdminPort = "public-admin-port"
	// RuleHTTPWithoutHTTPS is a tier that the world reaches on 80 and not on 443.
	RuleHTTPWithoutHTTPS = "http-without-https" //nolint:gosec // no credential: a word
	// RuleNoEgress is a tier that cannot use what is open to it, or can call nobody at all.
	RuleNoEgress = "no-egress"
	// RuleAddressForTier is a private range where a tier could be named.
	RuleAddressForTier = "address-for-tier"
)

// Finding is what a guardrail says of a tier.
type Finding struct {
	Rule     string
	Severity Severity
	Path     string // of the tier among the properties, as in "Tiers[1]"
	Tier     string
	// Doors is what of the tier it is about, as in "tcp 22 from 0.0.0.0/0"; empty where that
	// is the tier as such.
	Doors   string
	Problem string
	Remedy  string
}

// String is the finding as one text for warnings.
func (f Finding) String() string { return f.Rule + ": tier " + f.Tier + " " + f.Problem }

// GuardrailError is a chain that guardrails refuse: all that they refuse, at once.
type GuardrailError struct {
	Findings []Finding
	// Forced says that the provider enforces guardrails, whatever the chain says.
	Forced bool
}

func (e *GuardrailError) Error() string {
	texts := make([]string, 0, min(len(e.Findings), maxFindings+1))
	for i, finding := range e.Findings {
		if i == maxFindings {
			texts = append(texts, fmt.Sprintf("and %d more", len(e.Findings)-i))
			break
		}
		texts = append(texts, finding.Path+": "+finding.String()+"; "+finding.Remedy)
	}
	return "guarding chain: " + strings.Join(texts, "; ")
}

// Remedy is one sentence of what to do.
func (e *GuardrailError) Remedy() string {
	if e.Forced {
		return "Nothing was changed; this provider enforces its guardrails (" + EnvGuardrails + "), so that Guardrails: warn has no effect."
	}
	return "Nothing was changed; with Guardrails: warn the chain is built all the same, and warns."
}

// maxFindings is how many findings of a kind are put into words. An answer has room for fewer.
const maxFindings = 100

// Guard splits the findings of a chain into those that keep it from being built and the
// texts of the others. Forced takes no notice of Guardrails: warn.
func Guard(spec Spec, forced bool) (warnings []string, refused *GuardrailError) {
	var findings []Finding
	warned := 0
	for _, finding := range Guardrails(spec) {
		if finding.Severity == Refused && (forced || !spec.WarnOnly) {
			findings = append(findings, finding)
			continue
		}
		if warned++; warned <= maxFindings {
			warnings = append(warnings, finding.String())
		}
	}
	if warned > maxFindings {
		warnings = append(warnings, fmt.Sprintf("guardrails: %d more warnings are left out here", warned-maxFindings))
	}
	if len(findings) > 0 {
		refused = &GuardrailError{Findings: findings, Forced: forced}
	}
	return warnings, refused
}

// Guardrails lists what is wrong with a chain that could be built, by tier, the worst first.
func Guardrails(spec Spec) []Finding {
	var findings []Finding
	doors := doorsBySource(spec)
	for i, tier := range spec.Tiers {
		add := func(rule string, severity Severity, doors, remedy, format string, args ...any) {
			findings = append(findings, Finding{
				Rule: rule, Severity: severity, Path: index("Tiers", i), Tier: tier.Name, Doors: doors, Problem: fmt.Sprintf(format, args...), Remedy: remedy,
			})
		}
		guardDoors(tier, i == 0, add)
		guardAddresses(tier, i == 0, add)
		guardEgress(tier, doors[tier.Name], add)
	}
	return findings
}

// add takes a finding of one tier.
type add = func(rule string, severity Severity, doors, remedy, format string, args ...any)

// guardDoors looks at what the world may enter by.
func guardDoors(tier Tier, isFirst bool, add add) {
	var public []Rule
	for _, rule := range tier.Ingress {
		if IsWorld(rule.Peer) {
			public = append(public, rule)
		}
	}
	if len(public) == 0 {
		return
	}
	doors := doorsOf(public)
	wide := widest(public)
	isWide := func(rule Rule) bool { return rule.Protocol == All || wide[rule.Protocol] >= halfOfPorts }
	if open := slices.DeleteFunc(slices.Clone(public), func(rule Rule) bool { return !isWide(rule) }); len(open) > 0 {
		add(RulePublicAllPorts, Refused, doorsOf(open), "name the ports that it serves", "takes %s", doorsOf(open))
	}
	for _, rule := range public {
		if port := adminPort(rule); port != 0 && !isWide(rule) {
			add(RulePublicAdminPort, Refused, doorOf(rule), "name who administers it: addresses such as 203.0.113.7/32, vpc, a tier or a group",
				"takes %s, and port %d is for administration or of a database", doorOf(rule), port)
		}
	}
	switch {
	case isFirst:
	case tier.AllowPublic:
		add(RulePublicTier, Warned, doors, "", "is open to the world, as its AllowPublic lets it: %s", doors)
	default:
		add(RulePublicTier, Refused, doors, "name the tier before it as its source, or set AllowPublic on the tier if the world is meant", "is not the first and is open to the world: %s", doors)
	}
	serves := func(port int32) bool {
		return slices.ContainsFunc(public, func(rule Rule) bool { return covers(rule, TCP, PortRange{port, port}) })
	}
	if serves(80) && !serves(443) {
		add(RuleHTTPWithoutHTTPS, Warned, "", "", "takes tcp 80 from the world and not tcp 443: nobody reaches it by https")
	}
}

func doorsOf(rules []Rule) string {
	texts := make([]string, 0, len(rules))
	for _, rule := range rules {
		texts = append(texts, doorOf(rule))
	}
	return strings.Join(slices.Compact(texts), ", ")
}

func doorOf(rule Rule) string {
	return Traffic(rule.Protocol, rule.Ports) + " from " + rule.Peer.String()
}

// guardAddresses looks for addresses where a tier could be named: who has such an address
// today is somebody else tomorrow.
func guardAddresses(tier Tier, isFirst bool, add add) {
	if isFirst {
		return
	}
	for _, rule := range tier.Ingress {
		if rule.Peer.Kind == PeerCIDR && isPrivate(rule.Peer.CIDR) {
			add(RuleAddressForTier, Warned, doorOf(rule), "", "takes %s from the addresses %s; a tier or a security group in their place lets in nobody else", Traffic(rule.Protocol, rule.Ports), rule.Peer)
		}
	}
}

// guardEgress looks for doors that a tier cannot use.
func guardEgress(tier Tier, doors []Rule, add add) {
	if tier.Egress.Chain && len(tier.Egress.Rules) == 0 && !tier.Egress.All && len(doors) == 0 {
		add(RuleNoEgress, Warned, "", "", "can call nobody: its Egress is chain and no tier takes traffic from it")
	}
	if tier.Egress.All || tier.Egress.Chain {
		return
	}
	if len(doors) == 0 {
		return
	}
	ways := waysOf(tier.Egress.Rules)
	for _, door := range doors {
		if !ways.leadTo(door) {
			traffic := Traffic(door.Protocol, door.Ports)
			add(RuleNoEgress, Warned, traffic+" to "+door.Peer.Tier, "", "cannot use the door %s of tier %s: its Egress does not lead there", traffic, door.Peer.Tier)
		}
	}
}

// covers says whether a rule has something of a protocol and its ports. Of ICMP these are a
// type and a code, and -1 is any.
func covers(rule Rule, protocol Protocol, ports PortRange) bool {
	switch {
	case rule.Protocol == All || protocol == All:
		return true
	case rule.Protocol != protocol:
		return false
	case protocol == TCP || protocol == UDP:
		return rule.Ports.From <= ports.To && ports.From <= rule.Ports.To
	default:
		const anyICMP = -1
		meets := func(a, b int32) bool { return a == b || a == anyICMP || b == anyICMP }
		return !protocol.HasPorts() || (meets(rule.Ports.From, ports.From) && meets(rule.Ports.To, ports.To))
	}
}

// The lengths of the longest prefixes that are not the world any more: its halves, and halves
// of halves, count. Of IPv6 hardly more than a few /12 are given out at all, one to each
// regional registry (IANA, "IPv6 Global Unicast Address Space").
const (
	worldBits   = 8
	worldBitsV6 = 16
)

// IsWorld says whether a peer is the internet or a great part of it.
func IsWorld(peer Peer) bool {
	bits := worldBits
	if peer.CIDR.Addr().Is6() {
		bits = worldBitsV6
	}
	return peer.Kind == PeerCIDR && peer.CIDR.IsValid() && peer.CIDR.Bits() < bits && !isPrivate(peer.CIDR)
}

var privateRanges = sync.OnceValue(func() []netip.Prefix {
	var ranges []netip.Prefix
	for _, text := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7", "fe80::/10"} {
		ranges = append(ranges, netip.MustParsePrefix(text))
	}
	return ranges
})

// isPrivate reports whether a range is none of the internet's: RFC 1918, 6598, 3927, 1122, 4193
// and 4291.
func isPrivate(prefix netip.Prefix) bool {
	for _, private := range privateRanges() {
		if prefix.Bits() >= private.Bits() && private.Contains(prefix.Addr()) {
			return true
		}
	}
	return false
}

// halfOfPorts is so many that nobody meant each of them.
const halfOfPorts = (maxPort + 1) / 2

// widest is how many ports of each protocol rules open, over all of their ranges; one that is
// opened to several peers counts once.
func widest(rules []Rule) map[Protocol]int32 {
	wide := map[Protocol]int32{}
	for _, protocol := range []Protocol{TCP, UDP} {
		var ranges []PortRange
		for _, rule := range rules {
			if rule.Protocol == protocol {
				ranges = append(ranges, rule.Ports)
			}
		}
		Sort(ranges, func(a, b PortRange) int { return cmp.Compare(a.From, b.From) })
		next := int32(0)
		for _, one := range ranges {
			wide[protocol] += max(0, one.To-max(one.From, next)+1)
			next = max(next, one.To+1)
		}
	}
	return wide
}

// adminPort is the first port of a rule that is for administration or of a database, or 0.
// Base: AWS Security Hub's control EC2.19 and Trusted Advisor's check of unrestricted ports,
// without their ports of web and mail servers, and with more databases; of udp those on which
// such services listen, since games and media take wide ranges of the others.
func adminPort(rule Rule) int32 {
	var ports []int32
	switch rule.Protocol {
	case TCP:
		ports = []int32{
			20, 21, 22, 23, 111, 135, 137, 138, 139, 389, 445, 1433, 1434, 1521, 2049, 2375, 2376, 2379, 2380, 3306, 3389, 4333, 5432, 5439, 5500,
			5601, 5900, 5985, 5986, 6379, 6443, 9042, 9092, 9200, 9300, 10250, 11211, 27017, 27018,
		}
	case UDP:
		ports = []int32{111, 135, 137, 138, 139, 161, 389, 445, 1434, 2049, 3389, 11211}
	default:
		return 0
	}
	place, _ := slices.BinarySearchFunc(ports, rule.Ports.From, cmp.Compare)
	if place < len(ports) && ports[place] <= rule.Ports.To {
		return ports[place]
	}
	return 0
}
