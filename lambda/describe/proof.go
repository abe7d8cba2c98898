package describe

import (
	"fmt"
	"slices"

	"sgchain/lambda/chain"
)

// Proof is what came of reading the properties of a chain and comparing what they ask for with groups.
type Proof struct {
	Groups, Rules int
	// Differences is what the chain would change, a line each; empty where it describes the groups exactly.
	Differences []string
	// Rewritten are the descriptions of rules that the chain changes with the first update after the one that adopts the groups.
	Rewritten []Rewriting
}

// Rewriting is a description of a rule that the chain changes.
type Rewriting struct {
	GroupID string
	Rule    chain.Rule // as it was read
	Now     string     // what the chain writes
}

// Prove reads the chain's properties as the provider does, resolves them with what is known, and compares the outcome with groups as they
// were read. A tier stands for the group that has its GroupName, since that is how the provider adopts it.
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
			differs("tier %s: no security group is called %q in %s", wanted.Tier, wanted.GroupName, wanted.VPCID)
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
			differs("tier %s: its group is %s, and it was written for %s", tier.Name, group.ID, tier.GroupID)
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
			differs("%s (%s): the chain would take away %s", group.ID, group.Name, rule)
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

// rewritten lists the rules of a group that get another description. EC2's own outbound rules keep having none where the chain asks for all.
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
