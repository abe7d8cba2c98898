package provider

import (
	"fmt"
	"strings"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/sg"
	"sgchain/lambda/plan"
)

// query returns what a run has to find out in addition to its own groups.
func (r *run) query(spec chain.Spec, chains plan.Change) sg.Query {
	wanted := sg.Query{
		MayBeMoved: r.Moves,
		Unmanaged:  spec.KeepUnmanaged, Built: chains.Old.Identities(), Identities: append(chains.New.Identities(), chains.Old.Identities()...), IsGone: r.reader.IsGone,
	}
	for _, identity := range spec.Identities() {
		if spec.Adopt && identity.GroupName != "" {
			wanted.Adoptable = append(wanted.Adoptable, identity)
		}
	}
	return wanted
}

// adoptions returns a warning for each group that the run adopted.
func adoptions(target sg.Target, observed sg.Observed) []string {
	var texts []string
	for _, group := range observed.State.Groups {
		if group.Adoption.IsBy(target.Change.AdoptedBy) {
			text := fmt.Sprintf("security group %s (tier %s) was adopted: it is released, not deleted, when it leaves the chain", observed.GroupIDs[group.Identity], group.Tier)
			if rules := extra(target, observed.State, group); len(rules) > 0 {
				text += ". The next update revokes the rules that the chain lacks: " + strings.Join(rules, ", ")
			}
			texts = append(texts, text)
		}
	}
	return texts
}

// kept returns a warning for each group that keeps rules which the chain did not create.
func kept(target sg.Target, observed sg.Observed) []string {
	if !target.Change.KeepUnmanaged {
		return nil
	}
	var texts []string
	for _, group := range target.Change.Kept(observed.State) {
		texts = append(texts, fmt.Sprintf("security group %s (tier %s) keeps unmanaged rules: %s", observed.GroupIDs[group.Identity], group.Tier, strings.Join(ruleTexts(group.Rules), ", ")))
	}
	return texts
}

// extra lists the rules that a newly adopted group has and the chain lacks.
func extra(target sg.Target, state chain.State, adopted chain.Group) []string {
	if target.Change.KeepUnmanaged {
		return nil // kept names them
	}
	for _, group := range target.Change.Kept(state) {
		if group.Identity == adopted.Identity {
			return ruleTexts(group.Rules)
		}
	}
	return nil
}

func ruleTexts(rules []chain.Rule) []string {
	texts := make([]string, 0, len(rules))
	for _, rule := range rules {
		texts = append(texts, rule.String())
	}
	return texts
}
