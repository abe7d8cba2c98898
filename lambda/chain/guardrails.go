package chain

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// Severity tells what a finding causes.
type Severity uint8

// The severities.
const (
	// Warned causes a warning: the chain is allowed, but probably not intended.
	Warned Severity = iota + 1
	// Refused refuses the chain, unless it sets Guardrails to warn.
	Refused
)

// The guardrails, by the IDs that findings have. The internet here is any great part of it: see
// [IsInternet].
const (
	// RulePublicTier finds a tier that is not the first and is open to the internet.
	RulePublicTier = "public-tier"
	// RulePublicAllPorts finds any tier that is open to the internet on at least half of all
	// ports.
	RulePublicAllPorts = "public-all-ports"
	// RulePublicAdminPort finds any tier that is open to the internet on a port for
	// administration or of a database.
	RulePublicAdminPort = "public-admin-port"
	// RuleHTTPWithoutHTTPS finds a tier that is open to the internet on port 80 but not on 443.
	RuleHTTPWithoutHTTPS = "http-without-https" //nolint:gosec // no credential: a word
	// RuleNoEgress finds a tier whose egress prevents it from using another tier, or that has
	// no outbound rule at all.
	RuleNoEgress = "no-egress"
	// RuleAddressForTier finds a private address range as a peer: a tier would be more precise.
	RuleAddressForTier = "address-for-tier"
)

// Finding is a finding of a guardrail about a tier.
type Finding struct {
	Rule     string
	Severity Severity
	Path     string // of the tier among the properties, such as "Tiers[1]"
	Tier     string
	Rules    string // the rules in question, such as "tcp 22 from 0.0.0.0/0"; may be empty
	Problem  string // the predicate of a sentence about the tier
	Remedy   string // sentences; empty for a finding that only warns
}

// String returns the finding as the text of a warning.
func (f Finding) String() string { return f.Rule + ": tier " + f.Tier + " " + f.Problem }

// GuardrailError is returned if guardrails refuse a chain. It has all refused findings.
type GuardrailError struct {
	Findings []Finding
	// Forced means that the provider enforces guardrails even if the chain sets Guardrails to
	// warn.
	Forced bool
}

// Error returns all findings on one line, numbered if there are several.
func (e *GuardrailError) Error() string {
	return "checking guardrails: " + e.problems().Error()
}

// Lines returns one line for each finding, without numbers.
func (e *GuardrailError) Lines() []string { return e.problems().Lines() }

func (e *GuardrailError) problems() Problems {
	var r reader
	for _, finding := range e.Findings {
		r.problem(finding.Path, "%s. %s", finding, finding.Remedy)
	}
	return r.all()
}

// Remedy tells how to continue, for all findings.
func (e *GuardrailError) Remedy() string {
	if e.Forced {
		return "Nothing was changed. The provider enforces guardrails (" + EnvGuardrails + "), and ignores Guardrails: warn."
	}
	return "Nothing was changed. To get only warnings, set Guardrails to warn."
}

// maxFindings limits how many findings of each severity get a text.
const maxFindings = maxProblems

// Guard splits the findings of a chain into those that refuse it, and the texts of the others.
// If forced is true, the chain cannot turn refusals into warnings.
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
		warnings = append(warnings, fmt.Sprintf("guardrails: %d more warnings are not shown", warned-maxFindings))
	}
	if len(findings) > 0 {
		refused = &GuardrailError{Findings: findings, Forced: forced}
	}
	return warnings, refused
}

// Guardrails lists the findings of a valid chain: by tier, the worst first.
func Guardrails(spec Spec) []Finding {
	var findings []Finding
	usable := egressBySource(spec)
	for i, tier := range spec.Tiers {
		add := func(rule string, severity Severity, about, remedy, format string, args ...any) {
			findings = append(findings, Finding{
				Rule: rule, Severity: severity, Path: index("Tiers", i), Tier: tier.Name, Rules: about, Problem: fmt.Sprintf(format, args...), Remedy: remedy,
			})
		}
		guardPublic(tier, i == 0, add)
		guardAddresses(tier, i == 0, add)
		guardEgress(tier, usable[tier.Name], add)
	}
	return findings
}

// add adds a finding about one tier.
type add = func(rule string, severity Severity, about, remedy, format string, args ...any)

// guardPublic checks the inbound rules that are open to the internet.
func guardPublic(tier Tier, isFirst bool, add add) {
	var public []Rule
	for _, rule := range tier.Ingress {
		if IsInternet(rule.Peer) {
			public = append(public, rule)
		}
	}
	if len(public) == 0 {
		return
	}
	all := listed(public)
	wide := widest(public)
	isWide := func(rule Rule) bool { return rule.Protocol == All || wide[rule.Protocol] >= halfOfPorts }
	if open := slices.DeleteFunc(slices.Clone(public), func(rule Rule) bool { return !isWide(rule) }); len(open) > 0 {
		add(RulePublicAllPorts, Refused, listed(open), "Allow only the ports that it serves.", "allows %s", listed(open))
	}
	for _, rule := range public {
		if port := adminPort(rule); port != 0 && !isWide(rule) {
			add(RulePublicAdminPort, Refused, inbound(rule), "Allow only peers that need it: addresses (203.0.113.7/32), vpc, a tier or a group.",
				"allows %s, and %d is an administration or database port", inbound(rule), port)
		}
	}
	switch {
	case isFirst:
	case tier.AllowPublic:
		add(RulePublicTier, Warned, all, "", "is open to the internet, as its AllowPublic permits: %s", all)
	default:
		add(RulePublicTier, Refused, all, "Use the previous tier as its source, or set AllowPublic on the tier.", "is not the first and is open to the internet: %s", all)
	}
	serves := func(port int32) bool {
		return slices.ContainsFunc(public, func(rule Rule) bool { return covers(rule, TCP, PortRange{port, port}) })
	}
	if serves(80) && !serves(443) {
		add(RuleHTTPWithoutHTTPS, Warned, "", "", "allows tcp 80 from the internet but not tcp 443, so it cannot serve HTTPS")
	}
}

func listed(rules []Rule) string {
	texts := make([]string, 0, len(rules))
	for _, rule := range rules {
		texts = append(texts, inbound(rule))
	}
	return strings.Join(slices.Compact(texts), ", ")
}

func inbound(rule Rule) string {
	return Traffic(rule.Protocol, rule.Ports) + " from " + rule.Peer.String()
}

// guardAddresses finds addresses as peers instead of tiers. Tomorrow such an address may belong
// to another network interface.
func guardAddresses(tier Tier, isFirst bool, add add) {
	if isFirst {
		return
	}
	for _, rule := range tier.Ingress {
		if rule.Peer.Kind == PeerCIDR && isPrivate(rule.Peer.CIDR) {
			add(RuleAddressForTier, Warned, inbound(rule), "", "allows %s from the addresses %s instead of a tier or a security group", Traffic(rule.Protocol, rule.Ports), rule.Peer)
		}
	}
}

// guardEgress finds inbound rules of other tiers that a tier cannot use. Usable has them, as
// outbound rules of the tier.
func guardEgress(tier Tier, usable []Rule, add add) {
	if tier.Egress.Chain && len(tier.Egress.Rules) == 0 && !tier.Egress.All && len(usable) == 0 {
		add(RuleNoEgress, Warned, "", "", "has no outbound rule: its Egress is chain, and no tier allows traffic from it")
	}
	if tier.Egress.All || tier.Egress.Chain {
		return
	}
	if len(usable) == 0 {
		return
	}
	coverage := coverageOf(tier.Egress.Rules)
	for _, rule := range usable {
		if !coverage.meets(rule) {
			traffic := Traffic(rule.Protocol, rule.Ports)
			add(RuleNoEgress, Warned, traffic+" to "+rule.Peer.Tier, "", "cannot use the inbound rule %s of tier %s: its Egress does not allow that", traffic, rule.Peer.Tier)
		}
	}
}

// covers reports whether a rule allows any of the traffic of a protocol and its ports. Ports of
// ICMP are a type and a code, and -1 is any.
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

// The lengths of the shortest prefixes that do not count as the internet. Its halves and their
// halves count. Few /12 prefixes of IPv6 are allocated at all, one to each regional registry
// (IANA, "IPv6 Global Unicast Address Space").
const (
	worldBits   = 8
	worldBitsV6 = 16
)

// IsInternet reports whether a peer is the internet or a great part of it.
func IsInternet(peer Peer) bool {
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

// isPrivate reports whether a range is outside of the internet: RFC 1918, 6598, 3927, 1122, 4193
// and 4291.
func isPrivate(prefix netip.Prefix) bool {
	for _, private := range privateRanges() {
		if prefix.Bits() >= private.Bits() && private.Contains(prefix.Addr()) {
			return true
		}
	}
	return false
}

// halfOfPorts is the number of ports from which on a rule counts as one for all ports.
const halfOfPorts = (maxPort + 1) / 2

// widest returns how many ports of each protocol the rules allow together. A port that is allowed
// for several peers counts once.
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

// adminPort returns the first port of a rule that is for administration or of a database, or 0.
// The lists are those of AWS Security Hub's control EC2.19 and of Trusted Advisor's check of
// unrestricted ports. They lack the ports of web and mail servers and have more databases. Of udp
// they have only ports on which such services listen: games and media use wide ranges of others.
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
