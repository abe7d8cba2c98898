package plan

import (
	"cmp"
	"fmt"
	"maps"
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
// and before anything is taken away. MakeRoom is there only where a group has not room
// enough for its old rules and its new ones together; see [Plan.Fit]. Delete and Release are
// there only where groups leave; see [Removal].
type Phase int

// The phases in their order.
const (
	Create Phase = iota + 1
	MakeRoom
	Authorize
	Describe
	Retag
	Revoke
	Delete
	Release
)

// Action is what a step does to its group.
type Action string

// The actions, after EC2's own verbs.
const (
	CreateGroup        Action = "create group"
	AdoptGroup         Action = "adopt group"
	MoveGroup          Action = "move group"
	AuthorizeRules     Action = "authorize"
	UpdateDescriptions Action = "update description"
	RetagGroup         Action = "re-tag"
	UntagGroup         Action = "untag"
	RevokeRules        Action = "revoke"
	DeleteGroup        Action = "delete group"
	ReleaseGroup       Action = "release group"
	ReturnGroup        Action = "give back group"
)

// Step is one change of one group; for rules, of one group and direction, so
// that it is one EC2 call whatever the number of rules.
type Step struct {
	Phase     Phase
	Stage     int // of the phases MakeRoom, Delete and Release, from 1; of Retag, where something is untagged first
	Action    Action
	Group     chain.Identity
	Direction chain.Direction // of the rules; empty where there are none
	Rules     []chain.Rule    // sorted
	Epoch     chain.Epoch     // what a created, adopted or re-tagged group carries; zero where it stays
	Adoption  chain.Adoption  // the same for how it was adopted
	Tags      []Tag           // what such a group gets, or an untagged one loses; sorted
}

// Tag is a tag that the author, the stack or somebody else gave a group; one that is taken away
// has no value here.
type Tag struct {
	Key, Value string
	OfStack    bool
}

// Plan is the steps from a current state to a goal, in the order in which they
// are taken: by phase, then as the goal orders its groups, ingress before egress.
type Plan struct {
	Steps []Step
	// EachAlone says that a step of the phase Delete which fails keeps no other from being taken.
	EachAlone bool
}

// Empty says whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Steps) == 0 }

// Count is the number of steps that take an action.
func (p Plan) Count(action Action) int {
	count := 0
	for _, step := range p.Steps {
		if step.Action == action {
			count++
		}
	}
	return count
}

// Phases splits the plan into its phases and their stages, in order; those without a
// step are left out.
func (p Plan) Phases() [][]Step {
	var phases [][]Step
	for i, step := range p.Steps {
		if i == 0 || byPhase(p.Steps[i-1], step) != 0 {
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
		case step.Epoch != (chain.Epoch{}):
			fmt.Fprintf(&text, " %s", step.Epoch)
		}
		if step.Adoption.IsForeign() {
			fmt.Fprintf(&text, " (%s)", step.Adoption)
		}
		for _, tag := range step.Tags {
			if text.WriteString(" " + tag.Key); step.Action != UntagGroup {
				fmt.Fprintf(&text, "=%q", tag.Value)
			}
			if tag.OfStack {
				text.WriteString(" (of the stack)")
			}
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
			plan.add(Step{Phase: Create, Action: CreateGroup, Group: wanted.Identity, Epoch: wanted.Epoch, Tags: tagged(nil, wanted.Tags)})
			was = Fresh(wanted.Identity, wanted.Epoch)
			was.Tags = wanted.Tags
			was.Rules = append(was.Rules, twinOf(wanted.Rules)...)
		}
		if was.Adoption == chain.Adoptable && wanted.Adoption != chain.Adoptable {
			plan.add(Step{Phase: Create, Action: AdoptGroup, Group: wanted.Identity, Epoch: wanted.Epoch, Adoption: wanted.Adoption, Tags: tagged(was.Tags, wanted.Tags)})
			was.Epoch, was.Adoption, was.Tags = wanted.Epoch, wanted.Adoption, wanted.Tags
		}
		if was.Movable && !wanted.Movable {
			plan.add(Step{Phase: Create, Action: MoveGroup, Group: wanted.Identity, Epoch: wanted.Epoch, Tags: marks(wanted.Tags)})
			was.Epoch = wanted.Epoch
			was.Tags = maps.Clone(was.Tags)
			if was.Tags == nil {
				was.Tags = map[string]string{}
			}
			for _, mark := range marks(wanted.Tags) {
				was.Tags[mark.Key] = mark.Value
			}
		}
		retag := Step{Phase: Retag, Action: RetagGroup, Group: wanted.Identity, Tags: tagged(was.Tags, wanted.Tags)}
		if was.Epoch != wanted.Epoch {
			retag.Epoch = wanted.Epoch
		}
		if was.Adoption != wanted.Adoption {
			retag.Adoption = wanted.Adoption
		}
		// What goes makes room for what comes. The record of what came from the stack goes last, or shrinks with what
		// comes: of a tag that it lacks nobody knows that it came from the stack.
		for stage, isRecord := range []bool{false, true} {
			if lost := untagged(was.Tags, wanted.Tags, isRecord); len(lost) > 0 {
				plan.add(Step{Phase: Retag, Stage: stage, Action: UntagGroup, Group: wanted.Identity, Tags: lost})
				retag.Stage = 1
			}
		}
		if retag.Epoch != (chain.Epoch{}) || retag.Adoption != "" || len(retag.Tags) > 0 {
			plan.add(retag)
		}
		if slices.Equal(was.Rules, wanted.Rules) {
			continue
		}
		revoke := Revoke
		if !exists {
			revoke = Authorize
		}
		plan.rules(Authorize, AuthorizeRules, wanted.Identity, missing(was.Rules, wanted.Rules))
		plan.rules(Describe, UpdateDescriptions, wanted.Identity, described(was.Rules, wanted.Rules))
		plan.rules(revoke, RevokeRules, wanted.Identity, missing(wanted.Rules, was.Rules))
	}
	chain.Sort(plan, byPhase)
	return Plan{Steps: plan}
}

func byPhase(a, b Step) int {
	return cmp.Or(cmp.Compare(a.Phase, b.Phase), cmp.Compare(a.Stage, b.Stage))
}

// Fresh is a group as EC2 creates it: with its default egress.
func Fresh(identity chain.Identity, tag chain.Epoch) chain.Group {
	return chain.Group{Identity: identity, Epoch: tag, Rules: []chain.Rule{chain.AllTrafficV4()}}
}

// twinOf is the other default egress rule, where a fresh group's goal has it: a chain
// with IPv6 is in a VPC with IPv6, and there EC2 makes it. Where EC2 does not, the next
// plan does.
func twinOf(wanted []chain.Rule) []chain.Rule {
	return slices.DeleteFunc(slices.Clone(wanted), func(rule chain.Rule) bool { return rule.Key() != chain.AllTrafficV6() })
}

// tagged lists the tags that a group has to get, sorted.
func tagged(was, wanted map[string]string) []Tag {
	var tags []Tag
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		if value, has := was[key]; !has || value != wanted[key] {
			tags = append(tags, Tag{Key: key, Value: wanted[key], OfStack: chain.IsOfStack(wanted, key)})
		}
	}
	return tags
}

// untagged lists the tags that a group has to lose, sorted, without their values: the record of what came from the stack, or all others.
func untagged(was, wanted map[string]string, isRecord bool) []Tag {
	var tags []Tag
	for _, key := range slices.Sorted(maps.Keys(was)) {
		if _, stays := wanted[key]; !stays && isRecord == (key == chain.TagStackTags) {
			tags = append(tags, Tag{Key: key, OfStack: chain.IsOfStack(was, key)})
		}
	}
	return tags
}

// builder gathers the steps of a plan.
type builder []Step

func (b *builder) add(step Step) { *b = append(*b, step) }

func (b *builder) rules(phase Phase, action Action, group chain.Identity, rules []chain.Rule) {
	for _, direction := range []chain.Direction{chain.Ingress, chain.Egress} {
		if some := inDirection(rules, direction); len(some) > 0 {
			b.add(Step{Phase: phase, Action: action, Group: group, Direction: direction, Rules: some})
		}
	}
}

// those returns those of some rules for which a question holds, nil for none. Rules are large: growing a list of hundreds of them costs
// more than to count them first.
func those(rules []chain.Rule, holds func(chain.Rule) bool) []chain.Rule {
	places := make([]int, 0, len(rules))
	for i := range rules {
		if holds(rules[i]) {
			places = append(places, i)
		}
	}
	if len(places) == 0 {
		return nil
	}
	some := make([]chain.Rule, len(places))
	for i, place := range places {
		some[i] = rules[place]
	}
	return some
}

// missing lists the rules of wanted that have lacks, whatever the descriptions.
func missing(have, wanted []chain.Rule) []chain.Rule {
	keys := make(map[chain.Rule]bool, len(have))
	for _, rule := range have {
		keys[rule.Key()] = true
	}
	return those(wanted, func(rule chain.Rule) bool { return !keys[rule.Key()] })
}

// described lists the rules of wanted that are there with another description, with the
// account of their peer as EC2 shows it.
func described(have, wanted []chain.Rule) []chain.Rule {
	there := make(map[chain.Rule]chain.Rule, len(have))
	for _, rule := range have {
		there[rule.Key()] = rule
	}
	var changed []chain.Rule
	for _, rule := range wanted {
		if was, exists := there[rule.Key()]; exists && was.Description != rule.Description {
			rule.Peer.Account = was.Peer.Account
			changed = append(changed, rule)
		}
	}
	return changed
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
