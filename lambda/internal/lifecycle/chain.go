package lifecycle

import (
	"net/netip"
	"slices"
)

// Chain is a chain as its author thinks of it. What it allows is worked out here, from
// nothing but these words.
type Chain struct{ Tiers []Tier }

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
}

// Door is a port that a tier opens to some sources: tier names, self, internet, CIDRs.
type Door struct {
	Port    int
	Sources []string
}

// Properties are the chain as a template has it.
func (c Chain) Properties(vpcID string) map[string]any {
	tiers := make([]any, 0, len(c.Tiers))
	for _, one := range c.Tiers {
		fields := map[string]any{"Name": one.Name, "Egress": one.Egress}
		if one.Named {
			fields["GroupName"] = "the-" + one.Name
		} else if one.Text != "" {
			fields["Description"] = one.Text
		}
		var doors []any
		for _, door := range one.Doors {
			var sources []any
			for _, source := range door.Sources {
				sources = append(sources, source)
			}
			doors = append(doors, map[string]any{"Ports": []any{door.Port}, "Sources": sources})
		}
		if len(doors) > 0 {
			fields["Ingress"] = doors
		}
		tiers = append(tiers, fields)
	}
	return map[string]any{"VpcId": vpcID, "Tiers": tiers, "ServiceTimeout": "1020"}
}

func (c Chain) tier(name string) (Tier, bool) {
	for _, one := range c.Tiers {
		if one.Name == name {
			return one, true
		}
	}
	return Tier{}, false
}

// admits says whether a tier takes traffic on a port from a tier or an address.
func (t Tier) admits(tier string, address netip.Addr, port int) bool {
	return slices.ContainsFunc(t.Doors, func(door Door) bool {
		return door.Port == port && slices.ContainsFunc(door.Sources, func(source string) bool {
			switch source {
			case "self":
				return tier == t.Name
			case "internet":
				return address.Is4()
			}
			prefix, err := netip.ParsePrefix(source)
			return source == tier || (err == nil && prefix.Contains(address))
		})
	})
}

// inside is an address that members of every tier may have.
var inside = netip.MustParseAddr("10.1.2.3")

// takes says whether one tier lets another one in. A tier that the chain lacks is an
// address like any other.
func (c Chain) takes(source, target string, port int) bool {
	to, ok := c.tier(target)
	return ok && to.admits(source, inside, port)
}

// sends says whether one tier may call another one.
func (c Chain) sends(source, target string, port int) bool {
	from, okFrom := c.tier(source)
	to, okTo := c.tier(target)
	return okFrom && (from.Egress == "all" || (from.Egress == "chain" && okTo && to.admits(source, netip.Addr{}, port)))
}

func (c Chain) allowsFrom(address netip.Addr, target string, port int) bool {
	to, ok := c.tier(target)
	return ok && to.admits("", address, port)
}

func (c Chain) allowsTo(source string) bool {
	from, ok := c.tier(source)
	return ok && from.Egress == "all"
}
