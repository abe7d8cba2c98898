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
// phase begins. Steps within a phase do not depend on one another.
//
// Authorize comes before Revoke: EC2 has no call that swaps one rule for another,
// and a gap would drop live traffic. A new group has no members, so its unwanted
// default egress is revoked together with the authorizing of its rules.
//
// Retag comes between the two: after a retired group's neighbors have the rules
// that they need, and before anything is removed.
//
// MakeRoom occurs only if the quota has no room for a group's old and new rules
// together; see [Plan.Fit]. Delete and Release occur only if groups leave the
// chain; see [Removal].
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
	ReturnGroup        Action = "return group"
)

// Step is one change of one group. A change of rules is of one direction, so that it
// is one EC2 call whatever the number of rules.
type Step struct {
	Phase     Phase
	Stage     int // of the phases MakeRoom, Delete and Release, from 1; of Retag, 1 if an untag must precede it
	Action    Action
	Group     chain.Identity
	Direction chain.Direction // of the rules; empty if the step has none
	Rules     []chain.Rule    // sorted
	Epoch     chain.Epoch     // set on a created, adopted or re-tagged group; zero if unchanged
	Adoption  chain.Adoption  // likewise, how the group was adopted
	Tags      []Tag           // added to the group, or removed by an untag; sorted
}

// Tag is a tag of a group from its author, its stack or another owner. It has no
// value if the step removes it.
type Tag struct {
	Key, Value string
	OfStack    bool
}

// Plan holds the steps from a current state to a goal, in the order of execution.
// They are sorted by phase, then by the goal's order of groups, then by direction:
// ingress is first.
type Plan struct {
	Steps []Step
	// EachAlone reports whether the other steps of the phase Delete are taken if one fails.
	EachAlone bool
}

// Empty reports whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Steps) == 0 }

// Count returns the number of steps that take an action.
func (p Plan) Count(action Action) int {
	count := 0
	for _, step := range p.Steps {
		if step.Action == action {
			count++
		}
	}
	return count
}

// Phases splits the plan into its phases and their stages, in order. It omits
// those without a step.
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

// String prints the plan, one line for each step and each rule.
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

// Diff returns the plan that turns the current state into the goal. It does not
// touch groups that the goal lacks: an update deletes nothing.
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
		// Untag first: EC2 limits the number of tags. The record of the stack's tags is removed last, or shrinks
		// with the re-tag: a stack tag without a record would look like another owner's.
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

// Fresh returns a group as EC2 creates it: with its default egress rule.
func Fresh(identity chain.Identity, tag chain.Epoch) chain.Group {
	return chain.Group{Identity: identity, Epoch: tag, Rules: []chain.Rule{chain.AllTrafficV4()}}
}

// twinOf returns the default egress rule for ::/0 if a new group's goal has it. A
// chain with IPv6 is in a VPC with IPv6, and there EC2 creates this rule. If EC2
// does not, the next plan adds it.
func twinOf(wanted []chain.Rule) []chain.Rule {
	return slices.DeleteFunc(slices.Clone(wanted), func(rule chain.Rule) bool { return rule.Key() != chain.AllTrafficV6() })
}

// tagged lists the tags to set on a group, sorted.
func tagged(was, wanted map[string]string) []Tag {
	var tags []Tag
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		if value, has := was[key]; !has || value != wanted[key] {
			tags = append(tags, Tag{Key: key, Value: wanted[key], OfStack: chain.IsOfStack(wanted, key)})
		}
	}
	return tags
}

// untagged lists the tags to remove from a group, sorted and without values: the record of the stack's tags, or all others.
func untagged(was, wanted map[string]string, isRecord bool) []Tag {
	var tags []Tag
	for _, key := range slices.Sorted(maps.Keys(was)) {
		if _, stays := wanted[key]; !stays && isRecord == (key == chain.TagStackTags) {
			tags = append(tags, Tag{Key: key, OfStack: chain.IsOfStack(was, key)})
		}
	}
	return tags
}

// builder collects the steps of a plan.
type builder []Step

func (b *builder) add(step Step) { *b = append(*b, step) }

func (b *builder) rules(phase Phase, action Action, group chain.Identity, rules []chain.Rule) {
	for _, direction := range []chain.Direction{chain.Ingress, chain.Egress} {
		if some := inDirection(rules, direction); len(some) > 0 {
			b.add(Step{Phase: phase, Action: action, Group: group, Direction: direction, Rules: some})
		}
	}
}

// those returns the rules for which holds is true, or nil if it is for none. It counts first: rules are large, and growing a list of
// hundreds of them costs more.
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

// missing lists the rules of wanted that have lacks. It ignores descriptions.
func missing(have, wanted []chain.Rule) []chain.Rule {
	keys := make(map[chain.Rule]bool, len(have))
	for _, rule := range have {
		keys[rule.Key()] = true
	}
	return those(wanted, func(rule chain.Rule) bool { return !keys[rule.Key()] })
}

// described lists the rules of wanted that exist with another description. Their
// peer gets the account that EC2 shows.
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

// NameConflict describes a group that a plan would create under the name of
// another group of the same chain in the same VPC.
type NameConflict struct{ Wanted, Holder chain.Identity }

// NameConflicts lists the plan's groups that cannot be created because a group of
// the current state has their explicit name. EC2 compares names within a VPC,
// ignoring case.
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
