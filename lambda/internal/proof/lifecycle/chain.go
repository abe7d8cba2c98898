package lifecycle

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
)

// Chain is a chain as its author thinks of it. What it allows is worked out here, from
// nothing but these words.
type Chain struct {
	Tiers []Tier
	// IPv6 says that the internet and the VPC mean IPv6 as well.
	IPv6 bool `json:",omitempty"`
	// Quota is the RuleQuota; 0 for EC2's own.
	Quota int `json:",omitempty"`
	// Tags are those of every group.
	Tags map[string]string `json:",omitempty"`
	// Adopt takes over groups of the tiers' explicit names, Keep leaves rules alone that
	// the chain never made.
	Adopt bool `json:",omitempty"`
	Keep  bool `json:",omitempty"`
	// Release names tiers that are released when they leave the chain.
	Release []string `json:",omitempty"`
	// NoStackTags keeps the stack's tags from the groups.
	NoStackTags bool `json:",omitempty"`
}

// Tier is one tier of a Chain.
type Tier struct {
	Name string
	// Named gives the group an explicit name.
	Named bool `json:",omitempty"`
	// Text is the description of a tier without an explicit name; a change of it
	// replaces the group.
	Text string `json:",omitempty"`
	// Egress is all, chain or none.
	Egress string
	Doors  []Door `json:",omitempty"`
	// Ways are where the tier may go beside what Egress says.
	Ways []Door            `json:",omitempty"`
	Tags map[string]string `json:",omitempty"`
}

// Door is a port and who is at the other end: tier names, self, internet, vpc, CIDRs,
// prefix lists.
type Door struct {
	Port    int
	Sources []string
}

// The prefix lists that there are, one of which the account made itself and one of which
// is found by its name.
const (
	officeList = "pl-0123456789abcdef0"
	remoteList = "com.amazonaws.us-east-1.remote"
)

var lists = map[string][]netip.Prefix{
	officeList: {netip.MustParsePrefix("203.0.113.0/25")},
	namedList:  {netip.MustParsePrefix("203.0.113.0/25")}, // the same one, by its name
	remoteList: {netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("192.0.2.0/24")},
}

// Properties are the chain as a template has it.
func (c Chain) Properties(vpcID string) map[string]any {
	tiers := make([]any, 0, len(c.Tiers))
	for _, one := range c.Tiers {
		fields := map[string]any{"Name": one.Name, "Egress": one.Egress}
		if one.Named {
			fields["GroupName"] = groupName(one.Name)
		} else if one.Text != "" {
			fields["Description"] = one.Text
		}
		if len(one.Doors) > 0 {
			fields["Ingress"] = entries(one.Doors, "Sources")
		}
		if len(one.Ways) > 0 {
			fields["Egress"] = append(entries(one.Ways, "Destinations"), one.Egress)
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

// groupName is the explicit name of a tier's group.
func groupName(tier string) string { return "the-" + tier }

func entries(doors []Door, peers string) []any {
	var all []any
	for _, door := range doors {
		var sources []any
		for _, source := range door.Sources {
			sources = append(sources, source)
		}
		all = append(all, map[string]any{"Ports": []any{door.Port}, peers: sources})
	}
	return all
}

// tags is what the group of a tier carries of the author's.
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

// opens says whether doors of a tier let a tier or an address pass on a port.
func (c Chain) opens(owner string, doors []Door, tier string, address netip.Addr, port int) bool {
	return slices.ContainsFunc(doors, func(door Door) bool {
		return door.Port == port && slices.ContainsFunc(door.Sources, func(source string) bool {
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

// ranges is what rangesOf found.
var ranges sync.Map

// rangesOf is the addresses that a source stands for by itself: none where it names a tier.
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

// admits says whether a tier takes traffic on a port from a tier or an address.
func (c Chain) admits(t Tier, tier string, address netip.Addr, port int) bool {
	return c.opens(t.Name, t.Doors, tier, address, port)
}

// inside is an address that members of every tier may have, in the VPC's range.
var (
	inside   = netip.MustParseAddr("10.1.2.3")
	vpcRange = netip.MustParsePrefix("10.1.0.0/16")
)

// takes says whether one tier lets another one in. A tier that the chain lacks is an
// address like any other.
func (c Chain) takes(source, target string, port int) bool {
	to, ok := c.tier(target)
	return ok && c.admits(to, source, inside, port)
}

// sends says whether one tier may call another one.
func (c Chain) sends(source, target string, port int) bool {
	from, okFrom := c.tier(source)
	to, okTo := c.tier(target)
	return okFrom && (from.Egress == "all" || c.opens(source, from.Ways, target, inside, port) ||
		(from.Egress == "chain" && okTo && c.admits(to, source, netip.Addr{}, port)))
}

func (c Chain) allowsFrom(address netip.Addr, target string, port int) bool {
	to, ok := c.tier(target)
	return ok && c.admits(to, "", address, port)
}

func (c Chain) allowsTo(source string, address netip.Addr, port int) bool {
	from, ok := c.tier(source)
	return ok && (from.Egress == "all" || c.opens(source, from.Ways, "", address, port))
}
