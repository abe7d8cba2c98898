package chain

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
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
	Problem  string
	Remedy   string
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
	texts := make([]string, 0, len(e.Findings))
	for _, finding := range e.Findings {
		texts = append(texts, finding.Path+": "+finding.String()+"; "+finding.Remedy)
	}
	return "guarding chain: " + strings.Join(texts, "; ")
}

// Remedy is one sentence of what to do.
func (e *GuardrailError) Remedy() string {
	if e.Forced {
		return "Nothing was changed; this provider enforces its guardrails (SGCHAIN_GUARDRAILS), so that Guardrails: warn has no effect."
	}
	return "Nothing was changed; with Guardrails: warn the chain is built all the same, and warns."
}

// Guard splits the findings of a chain into those that keep it from being built and the
// texts of the others. Forced takes no notice of Guardrails: warn.
func Guard(spec Spec, forced bool) (warnings []string, refused *GuardrailError) {
	var findings []Finding
	for _, finding := range Guardrails(spec) {
		if finding.Severity == Refused && (forced || !spec.WarnOnly) {
			findings = append(findings, finding)
			continue
		}
		warnings = append(warnings, finding.String())
	}
	if len(findings) > 0 {
		refused = &GuardrailError{Findings: findings, Forced: forced}
	}
	return warnings, refused
}

// Guardrails lists what is wrong with a chain that could be built, by tier, the worst first.
func Guardrails(spec Spec) []Finding {
	var findings []Finding
	for i, tier := range spec.Tiers {
		add := func(rule string, severity Severity, remedy, format string, args ...any) {
			findings = append(findings, Finding{
				Rule: rule, Severity: severity, Path: index("Tiers", i), Tier: tier.Name, Problem: fmt.Sprintf(format, args...), Remedy: remedy,
			})
		}
		guardDoors(tier, i == 0, add)
		guardAddresses(tier, i == 0, add)
		guardEgress(spec, tier, add)
	}
	return findings
}

// add takes a finding of one tier.
type add = func(rule string, severity Severity, remedy, format string, args ...any)

// guardDoors looks at what the world may enter by.
func guardDoors(tier Tier, isFirst bool, add add) {
	var public []Rule
	for _, rule := range tier.Ingress {
		if isWorld(rule.Peer) {
			public = append(public, rule)
		}
	}
	if len(public) == 0 {
		return
	}
	inner := public
	for _, rule := range public {
		switch port := adminPort(rule); {
		case isAllPorts(rule):
			add(RulePublicAllPorts, Refused, "name the ports that it serves", "takes %s from %s", Traffic(rule.Protocol, rule.Ports), rule.Peer)
		case port != 0:
			add(RulePublicAdminPort, Refused, "name who administers it: addresses such as 203.0.113.7/32, vpc, a tier or a group",
				"takes %s from %s, and port %d is for administration or of a database", Traffic(rule.Protocol, rule.Ports), rule.Peer, port)
		}
	}
	switch {
	case isFirst:
	case tier.AllowPublic:
		add(RulePublicTier, Warned, "", "is open to the world, as its AllowPublic lets it: %s", doorsOf(inner))
	default:
		add(RulePublicTier, Refused, "name the tier before it as its source, or set AllowPublic on the tier if the world is meant", "is not the first and is open to the world: %s", doorsOf(inner))
	}
	serves := func(port int32) bool {
		return slices.ContainsFunc(public, func(rule Rule) bool { return covers(rule, TCP, PortRange{port, port}) })
	}
	if serves(80) && !serves(443) {
		add(RuleHTTPWithoutHTTPS, Warned, "", "takes tcp 80 from the world and not tcp 443: nobody reaches it by https")
	}
}

func doorsOf(rules []Rule) string {
	texts := make([]string, 0, len(rules))
	for _, rule := range rules {
		texts = append(texts, Traffic(rule.Protocol, rule.Ports)+" from "+rule.Peer.String())
	}
	return strings.Join(slices.Compact(texts), ", ")
}

// guardAddresses looks for addresses where a tier could be named: who has such an address
// today is somebody else tomorrow.
func guardAddresses(tier Tier, isFirst bool, add add) {
	if isFirst {
		return
	}
	for _, rule := range tier.Ingress {
		if rule.Peer.Kind == PeerCIDR && isPrivate(rule.Peer.CIDR) {
			add(RuleAddressForTier, Warned, "", "takes %s from the addresses %s; a tier or a security group in their place lets in nobody else", Traffic(rule.Protocol, rule.Ports), rule.Peer)
		}
	}
}

// guardEgress looks for doors that a tier cannot use.
func guardEgress(spec Spec, tier Tier, add add) {
	doors := doorsTo(spec, tier.Name)
	if tier.Egress.Chain && len(tier.Egress.Rules) == 0 && !tier.Egress.All && len(doors) == 0 {
		add(RuleNoEgress, Warned, "", "can call nobody: its Egress is chain and no tier takes traffic from it")
	}
	if tier.Egress.All || tier.Egress.Chain {
		return
	}
	for _, door := range doors {
		if !slices.ContainsFunc(tier.Egress.Rules, func(way Rule) bool { return leadsTo(way, door) }) {
			add(RuleNoEgress, Warned, "", "cannot use the door %s of tier %s: its Egress does not lead there", Traffic(door.Protocol, door.Ports), door.Peer.Tier)
		}
	}
}

// leadsTo says whether a way out may lead through a door; whose addresses are meant by
// anything but a tier is not known.
func leadsTo(way, door Rule) bool {
	return (way.Peer.Kind != PeerTier || way.Peer == door.Peer) && covers(way, door.Protocol, door.Ports)
}

// covers says whether a rule has something of a protocol and its ports.
func covers(rule Rule, protocol Protocol, ports PortRange) bool {
	return rule.Protocol == All || protocol == All ||
		(rule.Protocol == protocol && (!protocol.HasPorts() || (rule.Ports.From <= ports.To && ports.From <= rule.Ports.To)))
}

// worldBits is the length of the longest prefix that is not the world any more: its halves,
// and halves of halves, count.
const worldBits = 8

// isWorld says whether a peer is the internet or a great part of it.
func isWorld(peer Peer) bool {
	return peer.Kind == PeerCIDR && peer.CIDR.IsValid() && peer.CIDR.Bits() < worldBits && !isPrivate(peer.CIDR)
}

// isPrivate says whether a range is none of the internet's: RFC 1918, 6598, 3927, 1122, 4193
// and 4291.
func isPrivate(prefix netip.Prefix) bool {
	for _, text := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7", "fe80::/10"} {
		private := netip.MustParsePrefix(text)
		if prefix.Bits() >= private.Bits() && private.Contains(prefix.Addr()) {
			return true
		}
	}
	return false
}

// halfOfPorts is so many that nobody meant each of them.
const halfOfPorts = (maxPort + 1) / 2

func isAllPorts(rule Rule) bool {
	return rule.Protocol == All || ((rule.Protocol == TCP || rule.Protocol == UDP) && rule.Ports.To-rule.Ports.From+1 >= halfOfPorts)
}

// adminPort is the first port of a rule that is for administration or of a database, or 0.
// Base: AWS Security Hub's control EC2.19 and Trusted Advisor's check of unrestricted ports,
// without their ports of web and mail servers, and with more databases.
func adminPort(rule Rule) int32 {
	if rule.Protocol != TCP && rule.Protocol != UDP {
		return 0
	}
	ports := []int32{
		20, 21, 22, 23, 111, 135, 137, 138, 139, 389, 445, 1433, 1434, 1521, 2049, 2375, 2376, 2379, 2380, 3306, 3389, 4333, 5432, 5500, 5601,
		5900, 5985, 5986, 6379, 9042, 9092, 9200, 9300, 10250, 11211, 27017, 27018,
	}
	place, _ := slices.BinarySearchFunc(ports, rule.Ports.From, cmp.Compare)
	if place < len(ports) && ports[place] <= rule.Ports.To {
		return ports[place]
	}
	return 0
}
