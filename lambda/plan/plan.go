package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sgchain/lambda/chain"
)

// Phase is a stage of a plan. Every step of a phase is done before the next
// phase begins; steps within a phase do not depend on one another.
//
// Authorize comes before Revoke, because EC2 has no call that swaps one rule for
// another and a gap would drop live traffic. A fresh group has no members, so
// its unwanted default egress goes at the same time as its rules come. Groups
// are re-tagged in between: once a retired group's neighbors have what they need
// and before anything is taken away.
type Phase int

// The phases in their order.
const (
	Create Phase = iota + 1
	Authorize
	Describe
	Retag
	Revoke
)

// Action is what a step does to its group.
type Action string

// The actions, after EC2's own verbs.
const (
	CreateGroup        Action = "create group"
	AuthorizeRules     Action = "authorize"
	UpdateDescriptions Action = "update description"
	RetagGroup         Action = "re-tag"
	RevokeRules        Action = "revoke"
)

// Step is one change of one group; for rules, of one group and direction, so
// that it is one EC2 call whatever the number of rules.
type Step struct {
	Phase     Phase
	Action    Action
	Group     chain.Identity
	Direction chain.Direction // of the rules; empty where there are none
	Rules     []chain.Rule    // sorted
	Tag       chain.Tag       // what a created or re-tagged group carries
}

// Plan is the steps from a current state to a goal, in the order in which they
// are taken: by phase, then as the goal orders its groups, ingress before egress.
type Plan struct{ Steps []Step }

// Empty says whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Steps) == 0 }

// Phases splits the plan into its phases, in order; phases without a step are
// left out.
func (p Plan) Phases() [][]Step {
	var phases [][]Step
	for i, step := range p.Steps {
		if i == 0 || p.Steps[i-1].Phase != step.Phase {
			phases = append(phases, nil)
		}
		phases[len(phases)-1] = append(phases[len(phases)-1], step)
	}
	return phases
}

// String prints the plan, a line for each step and each rule.
func (p Plan) String() string {
	if p.Empty() {
		return "nothing to do\n"
	}
	var text strings.Builder
	for _, step := range p.Steps {
		fmt.Fprintf(&text, "%s %s", step.Action, step.Group)
		switch {
		case step.Action == CreateGroup:
			fmt.Fprintf(&text, " %q", step.Group.Description)
		case step.Action == RetagGroup:
			fmt.Fprintf(&text, " %s", step.Tag)
		}
		text.WriteByte('\n')
		for _, rule := range step.Rules {
			fmt.Fprintf(&text, "  %s\n", rule)
		}
	}
	return text.String()
}

// Diff is the plan that turns the current state into the goal. Groups that the
// goal lacks are left alone: a run that updates deletes nothing.
func Diff(current, goal chain.State) Plan {
	current, goal = current.Normalize(), goal.Normalize()
	var plan builder
	for _, wanted := range goal.Groups {
		was, exists := current.Find(wanted.Identity)
		if !exists {
			plan.add(Step{Phase: Create, Action: CreateGroup, Group: wanted.Identity, Tag: wanted.Tag})
			was = Fresh(wanted.Identity, wanted.Tag)
		}
		if was.Tag != wanted.Tag {
			plan.add(Step{Phase: Retag, Action: RetagGroup, Group: wanted.Identity, Tag: wanted.Tag})
		}
		revoke := Revoke
		if !exists {
			revoke = Authorize
		}
		plan.rules(Authorize, AuthorizeRules, wanted.Identity, missing(was.Rules, wanted.Rules))
		plan.rules(Describe, UpdateDescriptions, wanted.Identity, described(was.Rules, wanted.Rules))
		plan.rules(revoke, RevokeRules, wanted.Identity, missing(wanted.Rules, was.Rules))
	}
	slices.SortStableFunc(plan, func(a, b Step) int { return cmp.Compare(a.Phase, b.Phase) })
	return Plan{Steps: plan}
}

// Fresh is a group as EC2 creates it: with its default egress.
func Fresh(identity chain.Identity, tag chain.Tag) chain.Group {
	return chain.Group{Identity: identity, Tag: tag, Rules: []chain.Rule{chain.AllTrafficV4()}}
}

// builder gathers the steps of a plan.
type builder []Step

func (b *builder) add(step Step) { *b = append(*b, step) }

func (b *builder) rules(phase Phase, action Action, group chain.Identity, rules []chain.Rule) {
	for _, direction := range []chain.Direction{chain.Ingress, chain.Egress} {
		var some []chain.Rule
		for _, rule := range rules {
			if rule.Direction == direction {
				some = append(some, rule)
			}
		}
		if len(some) > 0 {
			b.add(Step{Phase: phase, Action: action, Group: group, Direction: direction, Rules: some})
		}
	}
}

// missing lists the rules of wanted that have lacks, whatever the descriptions.
func missing(have, wanted []chain.Rule) []chain.Rule {
	keys := make(map[chain.Rule]bool, len(have))
	for _, rule := range have {
		keys[rule.Key()] = true
	}
	return slices.DeleteFunc(slices.Clone(wanted), func(rule chain.Rule) bool { return keys[rule.Key()] })
}

// described lists the rules of wanted that are there with another description.
func described(have, wanted []chain.Rule) []chain.Rule {
	texts := make(map[chain.Rule]string, len(have))
	for _, rule := range have {
		texts[rule.Key()] = rule.Description
	}
	return slices.DeleteFunc(slices.Clone(wanted), func(rule chain.Rule) bool {
		text, exists := texts[rule.Key()]
		return !exists || text == rule.Description
	})
}

// NameConflict is a group that a plan would create under a name that another
// group of the same chain has in the same VPC.
type NameConflict struct{ Wanted, Holder chain.Identity }

// NameConflicts finds the plan's groups that cannot be created because their
// explicit name is taken by a group of the current state. EC2 compares names
// without regard to case, within a VPC.
func (p Plan) NameConflicts(current chain.State) []NameConflict {
	var conflicts []NameConflict
	for _, step := range p.Steps {
		if step.Action != CreateGroup || step.Group.GroupName == "" {
			continue
		}
		for _, holder := range sorted(current).Groups {
			if holder.VPCID == step.Group.VPCID && strings.EqualFold(holder.GroupName, step.Group.GroupName) {
				conflicts = append(conflicts, NameConflict{Wanted: step.Group, Holder: holder.Identity})
			}
		}
	}
	return conflicts
}
