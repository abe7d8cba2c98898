package describe

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sgchain/lambda/chain"
)

// Chain is the properties of a chain that describes groups.
type Chain struct {
	VPCID string
	IPv6  bool
	// RuleQuota is 0 for EC2's own.
	RuleQuota int
	// WarnOnly lets the guardrails warn of what the groups let in already.
	WarnOnly bool
	Tiers    []Tier // outermost first
	// Notes are what somebody should know before deploying the chain, in sentences.
	Notes []string
}

// Properties are those of a [chain.ResourceType] that adopts the groups, as decoded from JSON, without its ServiceToken.
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

// InexactError is groups that no chain describes as they are.
type InexactError struct{ Problems []string }

func (e *InexactError) Error() string {
	return "describing security groups: " + strings.Join(e.Problems, "\n")
}

// Chains describes groups of one VPC, in as many chains as CloudFormation's answers have room for. Whether they are right, [Chain.Prove] tells.
func Chains(groups []Group, found chain.Found) ([]Chain, error) {
	var vpcs []string
	for _, group := range groups {
		vpcs = append(vpcs, group.VPCID)
	}
	if slices.Sort(vpcs); len(slices.Compact(vpcs)) > 1 {
		return nil, fmt.Errorf("describing security groups: they are in several VPCs (%s), and a chain has one. Name one of them with --vpc", strings.Join(slices.Compact(vpcs), ", "))
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
			drafted.Notes = append(drafted.Notes, fmt.Sprintf("The %d groups are split over %d chains, since one chain has not room for them. The chains name each other's groups by their IDs.", len(ordered), len(parts)))
		}
		chains = append(chains, drafted)
	}
	return chains, nil
}

// problems lists what of the groups cannot be written, a line each.
func (d *drafter) problems() []string {
	var problems []string
	for _, group := range d.groups {
		if !keepsName(group) {
			problems = append(problems, fmt.Sprintf("%s (%s): a chain cannot have its name, and finds groups by their names", group.ID, group.Name))
		}
		for _, rule := range chain.Sorted(group.Rules, chain.CompareRules) {
			if why := d.unwritable(group, rule); why != "" {
				problems = append(problems, fmt.Sprintf("%s (%s): %s: %s", group.ID, group.Name, rule, why))
			}
		}
	}
	return problems
}

// draft describes groups in one chain: of the two ways to treat IPv6, in the shorter one.
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
		best.Notes = append(best.Notes, fmt.Sprintf("RuleQuota is %d, as many as the largest group has. Write your account's own quota of rules per security group.", best.RuleQuota))
	}
	return best, nil
}

// guarded lets a chain have what its groups let in already, and notes it: guardrails would refuse it.
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
			c.Notes = append(c.Notes, fmt.Sprintf("Guardrails are set to warn: tier %s %s. Remedy: %s. Then leave Guardrails out.", finding.Tier, finding.Problem, finding.Remedy))
		}
	}
	return c, nil
}

// defaultQuota is EC2's of rules, for each direction and family of addresses; see [chain.Spec].
const defaultQuota = 60

// quota is how many rules the largest group has, 0 where EC2's quota is enough. A rule that names a group counts in both families, one that
// names a prefix list as often as the list is heavy.
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

// place is that of IPv6 or of IPv4.
func place(isV6 bool) int {
	if isV6 {
		return 1
	}
	return 0
}

// maxRules is how many rules a chain has at most; Parse holds it.
const maxRules = 10_000

// split spreads ordered groups over chains. What has to do with one another stays together as far as it fits.
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
				return nil, fmt.Errorf("describing security groups: %s (%s) alone has too many rules for a chain. Exclude it", group.ID, group.Name)
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
