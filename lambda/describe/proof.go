package describe

import (
	"fmt"
	"slices"

	"sgchain/lambda/chain"
)

// Proof is the result of comparing the properties of a chain with existing groups.
type Proof struct {
	Groups, Rules int
	// Differences lists what the chain would change, one line each. It is empty if the chain describes the groups exactly.
	Differences []string
	// Rewritten lists the descriptions of rules that the chain changes in the first update after the adoption.
	Rewritten []Rewriting
}

// Rewriting is a description of a rule that the chain changes.
type Rewriting struct {
	GroupID string
	Rule    chain.Rule // as it was read
	Now     string     // what the chain writes
}

// Prove parses the chain's properties as the provider does, resolves names, and compares the result with groups as EC2 shows them. A tier
// matches the group with its GroupName, since the provider adopts that one.
func (c Chain) Prove(groups []Group, found chain.Found) Proof {
	var proof Proof
	differs := func(format string, arguments ...any) {
		proof.Differences = append(proof.Differences, fmt.Sprintf(format, arguments...))
	}
	spec, err := chain.Parse(c.Properties(), chain.DefaultAnswerBytes)
	if err != nil {
		differs("%v", err)
		return proof
	}
	desired, problems := chain.Desired(spec).Resolve(found)
	for _, problem := range problems {
		differs("%v", problem)
	}
	byName, tiers := map[string]Group{}, map[string]Group{}
	for _, group := range groups {
		byName[group.Name] = group
	}
	for _, wanted := range desired.Groups {
		tiers[wanted.Tier] = byName[wanted.GroupName]
	}
	for _, wanted := range desired.Groups {
		group := tiers[wanted.Tier]
		if group.ID == "" || group.VPCID != wanted.VPCID {
			differs("tier %s: %s has no security group named %q", wanted.Tier, wanted.VPCID, wanted.GroupName)
			continue
		}
		proof.Groups++
		proof.Rules += len(group.Rules)
		for i, rule := range wanted.Rules {
			if rule.Peer.Kind == chain.PeerTier {
				wanted.Rules[i].Peer = chain.GroupPeer(tiers[rule.Peer.Tier].ID)
			}
		}
		compareRules(group, wanted.Rules, differs)
		proof.Rewritten = append(proof.Rewritten, rewritten(group, wanted.Rules)...)
	}
	for _, tier := range c.Tiers {
		if group := tiers[tier.Name]; group.ID != tier.GroupID {
			differs("tier %s: the chain would adopt %q, and it describes %s", tier.Name, group.ID, tier.GroupID)
		}
	}
	return proof
}

func compareRules(group Group, wanted []chain.Rule, differs func(string, ...any)) {
	has, wants := byKey(group.Rules), byKey(wanted)
	for _, rule := range chain.Sorted(wanted, chain.CompareRules) {
		if _, isThere := has[rule.Key()]; !isThere {
			differs("%s (%s): the chain would add %s", group.ID, group.Name, rule)
		}
	}
	for _, rule := range chain.Sorted(group.Rules, chain.CompareRules) {
		if _, isThere := wants[rule.Key()]; !isThere {
			differs("%s (%s): the chain would remove %s", group.ID, group.Name, rule)
		}
	}
}

func byKey(rules []chain.Rule) map[chain.Rule]chain.Rule {
	all := make(map[chain.Rule]chain.Rule, len(rules))
	for _, rule := range rules {
		all[rule.Key()] = rule
	}
	return all
}

// rewritten lists the rules of a group that get another description. If the chain allows all outbound traffic, EC2's own rules keep none.
func rewritten(group Group, wanted []chain.Rule) []Rewriting {
	wants := byKey(wanted)
	_, asksAll := wants[chain.AllTrafficV4()]
	var all []Rewriting
	for _, rule := range chain.Sorted(group.Rules, chain.CompareRules) {
		now, isThere := wants[rule.Key()]
		isOwn := asksAll && rule.Description == "" && slices.Contains([]chain.Rule{chain.AllTrafficV4(), chain.AllTrafficV6()}, rule.Key())
		if isThere && !isOwn && now.Description != rule.Description {
			all = append(all, Rewriting{GroupID: group.ID, Rule: rule, Now: now.Description})
		}
	}
	return all
}
