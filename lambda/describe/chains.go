package describe

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sgchain/lambda/chain"
)

// Chain holds the properties of a chain that describes existing groups.
type Chain struct {
	VPCID string
	IPv6  bool
	// RuleQuota is 0 for EC2's default.
	RuleQuota int
	// WarnOnly makes the guardrails warn of what the groups already allow.
	WarnOnly bool
	Tiers    []Tier // outermost first
	// Notes are sentences to read before deploying the chain.
	Notes []string
}

// Properties returns the properties of a [chain.ResourceType] that adopts the groups, as decoded from JSON, without its ServiceToken.
func (c Chain) Properties() map[string]any {
	properties := map[string]any{"VpcId": c.VPCID, "AdoptExisting": true}
	if c.IPv6 {
		properties["IpFamilies"] = []any{"ipv4", "ipv6"}
	}
	if c.RuleQuota != 0 {
		properties["RuleQuota"] = c.RuleQuota
	}
	if c.WarnOnly {
		properties["Guardrails"] = "warn"
	}
	tiers := make([]any, 0, len(c.Tiers))
	for _, tier := range c.Tiers {
		tiers = append(tiers, tier.properties())
	}
	properties["Tiers"] = tiers
	return properties
}

func (t Tier) properties() map[string]any {
	tier := map[string]any{"Name": t.Name, "GroupName": t.GroupName}
	if t.Description != "" {
		tier["Description"] = t.Description
	}
	if len(t.Ports) > 0 {
		tier["Ports"] = plain(t.Ports)
	}
	if len(t.Sources) > 0 {
		tier["Sources"] = texts(t.Sources)
	}
	if len(t.Ingress) > 0 {
		tier["Ingress"] = listed(t.Ingress, "Sources")
	}
	if t.AllowPublic {
		tier["AllowPublic"] = true
	}
	switch {
	case len(t.EgressTo) > 0:
		tier["Egress"] = append(texts(t.Egress), listed(t.EgressTo, "Destinations")...)
	case len(t.Egress) > 1:
		tier["Egress"] = texts(t.Egress)
	case t.Egress[0] != "all":
		tier["Egress"] = t.Egress[0]
	}
	return tier
}

func listed(entries []Entry, peers string) []any {
	list := make([]any, 0, len(entries))
	for _, entry := range entries {
		one := map[string]any{"Ports": plain(entry.Ports), peers: texts(entry.Peers)}
		if entry.Description != "" {
			one["Description"] = entry.Description
		}
		list = append(list, one)
	}
	return list
}

func texts(words []string) []any {
	list := make([]any, 0, len(words))
	for _, word := range words {
		list = append(list, word)
	}
	return list
}

// InexactError reports groups that no chain describes exactly.
type InexactError struct{ Problems []string }

func (e *InexactError) Error() string {
	return "describing security groups: " + strings.Join(e.Problems, "\n")
}

// Chains describes groups of one VPC, in as many chains as CloudFormation's responses require. [Chain.Prove] verifies each of them.
func Chains(groups []Group, found chain.Found) ([]Chain, error) {
	var vpcs []string
	for _, group := range groups {
		vpcs = append(vpcs, group.VPCID)
	}
	if slices.Sort(vpcs); len(slices.Compact(vpcs)) > 1 {
		return nil, fmt.Errorf("describing security groups: they are in several VPCs (%s), and a chain has one VPC. Name one with --vpc", strings.Join(slices.Compact(vpcs), ", "))
	}
	oracle := newOracle()
	ordered := Outermost(groups)
	names := tierNames(ordered)
	if problems := newDrafter(oracle, ordered, names, found, false).problems(); len(problems) > 0 {
		return nil, &InexactError{problems}
	}
	parts, err := split(ordered, names)
	if err != nil {
		return nil, err
	}
	var chains []Chain
	for _, part := range parts {
		drafted, err := draft(oracle, part, names, found)
		if err != nil {
			return nil, err
		}
		if len(parts) > 1 {
			drafted.Notes = append(drafted.Notes, fmt.Sprintf("The %d groups are split over %d chains, because one chain has no room for all of them. The chains name each other's groups by ID.", len(ordered), len(parts)))
		}
		chains = append(chains, drafted)
	}
	return chains, nil
}

// problems lists what a chain cannot express, one line each.
func (d *drafter) problems() []string {
	var problems []string
	for _, group := range d.groups {
		if !keepsName(group) {
			problems = append(problems, fmt.Sprintf("%s (%s): a chain cannot use this name, and finds groups by name", group.ID, group.Name))
		}
		for _, rule := range chain.Sorted(group.Rules, chain.CompareRules) {
			if why := d.unwritable(group, rule); why != "" {
				problems = append(problems, fmt.Sprintf("%s (%s): %s: %s", group.ID, group.Name, rule, why))
			}
		}
	}
	return problems
}

// draft describes groups in one chain, with or without IPv6, whichever is shorter.
func draft(oracle *oracle, groups []Group, names map[string]string, found chain.Found) (Chain, error) {
	var best Chain
	shortest := -1
	for _, ipv6 := range []bool{false, true} {
		ordered := Outermost(groups)
		drafted := Chain{VPCID: ordered[0].VPCID, IPv6: ipv6, RuleQuota: quota(ordered, found), Tiers: newDrafter(oracle, ordered, names, found, ipv6).tiers()}
		text, err := json.Marshal(drafted.Properties())
		if err != nil {
			return Chain{}, err
		}
		if shortest < 0 || len(text) < shortest {
			best, shortest = drafted, len(text)
		}
	}
	best, err := guarded(best)
	if err != nil {
		return Chain{}, err
	}
	for _, group := range groups {
		if descriptionOf(group) != group.Description {
			best.Notes = append(best.Notes, fmt.Sprintf("A chain cannot have the description of %s (%s). The group keeps it.", group.ID, group.Name))
		}
	}
	if best.RuleQuota != 0 {
		best.Notes = append(best.Notes, fmt.Sprintf("RuleQuota is %d, the number of rules of the largest group. Set it to your account's quota of rules per security group.", best.RuleQuota))
	}
	return best, nil
}

// guarded allows what the groups already allow and guardrails would refuse, and adds a note about it.
func guarded(c Chain) (Chain, error) {
	for range 2 {
		spec, err := chain.Parse(c.Properties(), chain.DefaultAnswerBytes)
		if err != nil {
			return Chain{}, fmt.Errorf("describing security groups: %w", err)
		}
		_, refused := chain.Guard(spec, false)
		if refused == nil {
			return c, nil
		}
		for _, finding := range refused.Findings {
			place := slices.IndexFunc(c.Tiers, func(tier Tier) bool { return tier.Name == finding.Tier })
			if finding.Rule == chain.RulePublicTier {
				c.Tiers[place].AllowPublic = true
				c.Notes = append(c.Notes, fmt.Sprintf("Tier %s has AllowPublic, since it %s.", finding.Tier, finding.Problem))
				continue
			}
			c.WarnOnly = true
			c.Notes = append(c.Notes, fmt.Sprintf("Guardrails are set to warn: tier %s %s. Remedy: %s Then remove Guardrails.", finding.Tier, finding.Problem, finding.Remedy))
		}
	}
	return c, nil
}

// defaultQuota is EC2's default quota of rules, for each direction and address family; see [chain.Spec].
const defaultQuota = 60

// quota returns the number of rules of the largest group, or 0 if EC2's default quota is enough. A rule that names a group counts in both
// families. One that names a prefix list counts as often as the list's weight.
func quota(groups []Group, found chain.Found) int {
	most := 0
	for _, group := range groups {
		counts := map[chain.Direction][2]int{}
		for _, rule := range group.Rules {
			weight := [2]int{1, 1}
			switch rule.Peer.Kind {
			case chain.PeerCIDR:
				weight[place(!rule.Peer.CIDR.Addr().Is6())] = 0
			case chain.PeerPrefixList:
				list, _ := found.List(rule.Peer.ID)
				weight = [2]int{}
				weight[place(list.IPv6)] = max(1, list.Weight)
			case chain.PeerGroup, chain.PeerTier, chain.PeerMember, chain.PeerVPC, chain.PeerListName, chain.PeerGroupName:
			}
			count := counts[rule.Direction]
			counts[rule.Direction] = [2]int{count[0] + weight[0], count[1] + weight[1]}
			most = max(most, counts[rule.Direction][0], counts[rule.Direction][1])
		}
	}
	if most <= defaultQuota {
		return 0
	}
	return most
}

// place returns the index of an address family.
func place(isV6 bool) int {
	if isV6 {
		return 1
	}
	return 0
}

// maxRules is the highest number of rules of a chain, which Parse enforces.
const maxRules = 10_000

// split distributes ordered groups over chains. Related groups stay together as far as they fit.
func split(groups []Group, names map[string]string) ([][]Group, error) {
	if fits(groups, names) {
		return [][]Group{groups}, nil
	}
	var parts [][]Group
	var part []Group
	for _, together := range related(groups) {
		switch {
		case fits(slices.Concat(part, together), names):
			part = append(part, together...)
			continue
		case len(part) > 0 && fits(together, names):
			parts, part = append(parts, part), together
			continue
		}
		for _, group := range together {
			if !fits([]Group{group}, names) {
				return nil, fmt.Errorf("describing security groups: %s (%s) alone has too many rules for one chain. Exclude it", group.ID, group.Name)
			}
			if !fits(append(slices.Clone(part), group), names) {
				parts, part = append(parts, part), nil
			}
			part = append(part, group)
		}
	}
	return append(parts, part), nil
}

// fits reports whether a chain has room for groups.
func fits(groups []Group, names map[string]string) bool {
	rules := 0
	var tiers []any
	for _, group := range groups {
		rules += len(group.Rules)
		tiers = append(tiers, map[string]any{"Name": names[group.ID]})
	}
	_, err := chain.Parse(map[string]any{"VpcId": "vpc-0123456789abcdef0", "Tiers": tiers}, chain.DefaultAnswerBytes)
	return err == nil && rules <= maxRules
}
