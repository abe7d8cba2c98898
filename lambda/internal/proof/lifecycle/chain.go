package lifecycle

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
)

// Chain is a chain as its author sees it. What it allows is computed here from these fields only,
// independently of the code under test.
type Chain struct {
	Tiers []Tier
	// IPv6 makes the peers internet and vpc cover IPv6 as well.
	IPv6 bool `json:",omitempty"`
	// Quota is the RuleQuota; 0 means EC2's default.
	Quota int `json:",omitempty"`
	// Tags apply to every group.
	Tags map[string]string `json:",omitempty"`
	// Adopt takes over existing groups with the tiers' explicit names. Keep leaves rules alone that
	// the chain did not create.
	Adopt bool `json:",omitempty"`
	Keep  bool `json:",omitempty"`
	// Release names the tiers whose groups are released when they leave the chain.
	Release []string `json:",omitempty"`
	// NoStackTags keeps the stack's tags off the groups.
	NoStackTags bool `json:",omitempty"`
}

// Tier is one tier of a Chain.
type Tier struct {
	Name string
	// Named gives the group an explicit name.
	Named bool `json:",omitempty"`
	// Text is the description of a tier without an explicit name. Changing it replaces the group.
	Text string `json:",omitempty"`
	// Egress is all, chain or none.
	Egress  string
	Inbound []Rule `json:",omitempty"`
	// Outbound lists the peers that the tier may call in addition to Egress.
	Outbound []Rule            `json:",omitempty"`
	Tags     map[string]string `json:",omitempty"`
}

// Rule is a port and its peers: tier names, self, internet, vpc, CIDRs, prefix lists.
type Rule struct {
	Port  int
	Peers []string
}

// The prefix lists: officeList belongs to the account, remoteList is found by its name.
const (
	officeList = "pl-0123456789abcdef0"
	remoteList = "com.amazonaws.us-east-1.remote"
)

var lists = map[string][]netip.Prefix{
	officeList: {netip.MustParsePrefix("203.0.113.0/25")},
	namedList:  {netip.MustParsePrefix("203.0.113.0/25")}, // officeList, by its name
	remoteList: {netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("192.0.2.0/24")},
}

// Properties returns the chain's properties as a template has them.
func (c Chain) Properties(vpcID string) map[string]any {
	tiers := make([]any, 0, len(c.Tiers))
	for _, one := range c.Tiers {
		fields := map[string]any{"Name": one.Name, "Egress": one.Egress}
		if one.Named {
			fields["GroupName"] = groupName(one.Name)
		} else if one.Text != "" {
			fields["Description"] = one.Text
		}
		if len(one.Inbound) > 0 {
			fields["Ingress"] = entries(one.Inbound, "Sources")
		}
		if len(one.Outbound) > 0 {
			fields["Egress"] = append(entries(one.Outbound, "Destinations"), one.Egress)
		}
		if len(one.Tags) > 0 {
			fields["Tags"] = one.Tags
		}
		tiers = append(tiers, fields)
	}
	properties := map[string]any{"VpcId": vpcID, "Tiers": tiers, "ServiceTimeout": "1020", "Guardrails": "warn"}
	if c.IPv6 {
		properties["IpFamilies"] = []any{"ipv4", "ipv6"}
	}
	if c.Adopt && slices.ContainsFunc(c.Tiers, func(one Tier) bool { return one.Named }) {
		properties["AdoptExisting"] = "true"
	}
	if c.Keep {
		properties["UnmanagedRules"] = "keep"
	}
	if len(c.Release) > 0 {
		properties["ReleaseTiers"] = c.Release
	}
	if c.NoStackTags {
		properties["StackTags"] = "false"
	}
	if c.Quota > 0 {
		properties["RuleQuota"] = c.Quota
	}
	if len(c.Tags) > 0 {
		properties["Tags"] = c.Tags
	}
	return properties
}

// groupName returns the explicit name of a tier's group.
func groupName(tier string) string { return "the-" + tier }

func entries(rules []Rule, field string) []any {
	var all []any
	for _, rule := range rules {
		var sources []any
		for _, source := range rule.Peers {
			sources = append(sources, source)
		}
		all = append(all, map[string]any{"Ports": []any{rule.Port}, field: sources})
	}
	return all
}

// tags returns the author's tags for the group of a tier.
func (c Chain) tags(tier Tier) map[string]string {
	tags := map[string]string{}
	maps.Copy(tags, c.Tags)
	maps.Copy(tags, tier.Tags)
	return tags
}

func (c Chain) tier(name string) (Tier, bool) {
	for _, one := range c.Tiers {
		if one.Name == name {
			return one, true
		}
	}
	return Tier{}, false
}

// matches reports whether the rules of a tier allow another tier or an address on a port.
func (c Chain) matches(owner string, rules []Rule, tier string, address netip.Addr, port int) bool {
	return slices.ContainsFunc(rules, func(rule Rule) bool {
		return rule.Port == port && slices.ContainsFunc(rule.Peers, func(source string) bool {
			switch source {
			case "self":
				return tier == owner
			case "internet":
				return address.Is4() || (c.IPv6 && address.Is6())
			}
			return source == tier || (tier != "" && groupOf(source) == tier) || slices.ContainsFunc(rangesOf(source), func(prefix netip.Prefix) bool { return prefix.Contains(address) })
		})
	})
}

// ranges caches the results of rangesOf.
var ranges sync.Map

// rangesOf returns the address ranges that a peer means by itself. A tier name has none.
func rangesOf(source string) []netip.Prefix {
	if known, has := ranges.Load(source); has {
		prefixes, _ := known.([]netip.Prefix) // nothing else is stored
		return prefixes
	}
	found := lists[source]
	if prefix, err := netip.ParsePrefix(source); err == nil {
		found = []netip.Prefix{prefix}
	}
	if source == "vpc" {
		found = []netip.Prefix{vpcRange}
	}
	ranges.Store(source, found)
	return found
}

// admits reports whether a tier's inbound rules allow a tier or an address on a port.
func (c Chain) admits(t Tier, tier string, address netip.Addr, port int) bool {
	return c.matches(t.Name, t.Inbound, tier, address, port)
}

// inside is an address in the VPC's range that members of every tier may have.
var (
	inside   = netip.MustParseAddr("10.1.2.3")
	vpcRange = netip.MustParsePrefix("10.1.0.0/16")
)

// receives reports whether one tier accepts traffic from another. A tier that the chain lacks
// counts as an address.
func (c Chain) receives(source, target string, port int) bool {
	to, ok := c.tier(target)
	return ok && c.admits(to, source, inside, port)
}

// sends reports whether one tier may call another.
func (c Chain) sends(source, target string, port int) bool {
	from, okFrom := c.tier(source)
	to, okTo := c.tier(target)
	return okFrom && (from.Egress == "all" || c.matches(source, from.Outbound, target, inside, port) ||
		(from.Egress == "chain" && okTo && c.admits(to, source, netip.Addr{}, port)))
}

func (c Chain) allowsFrom(address netip.Addr, target string, port int) bool {
	to, ok := c.tier(target)
	return ok && c.admits(to, "", address, port)
}

func (c Chain) allowsTo(source string, address netip.Addr, port int) bool {
	from, ok := c.tier(source)
	return ok && (from.Egress == "all" || c.matches(source, from.Outbound, "", address, port))
}
