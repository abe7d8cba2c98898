package lint

import (
	"slices"
	"strings"

	"sgchain/cdk/internal/template"
)

// groupName is an explicit name of a security group. An unknown value is represented by its text:
// one text is one value.
type groupName struct{ vpc, name, path string }

// same reports whether two names are certainly equal. A macro may return another value each time.
func same(a, b groupName) bool {
	return a.vpc == b.vpc && strings.EqualFold(a.name, b.name) && !strings.Contains(a.vpc+a.name, "!Transform")
}

// textOrUnknown returns a value as text, or the text of what is unknown.
func textOrUnknown(value any) string {
	if unknown, isUnknown := value.(template.Unknown); isUnknown {
		return unknown.Text
	}
	text, _ := template.TextOf(value)
	return strings.TrimSpace(text)
}

// groupNames returns the explicit names of the groups of a chain.
func groupNames(evaluation template.Evaluation) []groupName {
	vpc := textOrUnknown(evaluation.Properties["VpcId"])
	if evaluation.Properties == nil || vpc == "" {
		return nil
	}
	var names []groupName
	if tiers, isWritten := evaluation.Properties["Tiers"].([]any); isWritten {
		for i, tier := range tiers {
			fields, _ := tier.(map[string]any)
			if name := textOrUnknown(fields["GroupName"]); name != "" {
				names = append(names, groupName{vpc, name, indexed("Tiers", i) + ".GroupName"})
			}
		}
		return names
	}
	if _, isUnknown := evaluation.Properties["Tiers"].(template.Unknown); isUnknown {
		return nil
	}
	parsed := newVariant(evaluation) // the default chain, or Tiers as text
	if parsed.spec == nil {
		return nil
	}
	for _, tier := range parsed.spec.Tiers {
		if tier.GroupName != "" {
			names = append(names, groupName{vpc, tier.GroupName, "Tiers"})
		}
	}
	return names
}

// names reports groups with the same explicit name in one VPC: of two chains, or of a chain and
// AWS::EC2::SecurityGroup. It checks whether both can exist together only if they share a name.
func (l *linter) names() {
	taken := map[string][]groupName{}
	for _, state := range l.chains {
		for _, variant := range state.variants {
			taken[state.LogicalID] = append(taken[state.LogicalID], groupNames(variant.Evaluation)...)
		}
	}
	var groups []template.Resource
	for _, resource := range l.template.Resources() {
		if resource.Type != "AWS::EC2::SecurityGroup" {
			continue
		}
		groups = append(groups, resource)
		for _, alone := range l.template.Variants(l.values, maxVariants, resource) {
			taken[resource.LogicalID] = append(taken[resource.LogicalID], nameOfGroup(alone[0])...)
		}
	}
	for i, second := range l.chains {
		reported := map[string]bool{} // by path: one conflict is enough
		compare := func(other template.Resource, namesOf func(template.Evaluation) []groupName) {
			if slices.ContainsFunc(taken[second.LogicalID], func(one groupName) bool {
				return !reported[one.path+one.name] && slices.ContainsFunc(taken[other.LogicalID], func(name groupName) bool { return same(name, one) })
			}) {
				l.nameTwice(second, other, namesOf, reported)
			}
		}
		for _, first := range l.chains[:i] {
			compare(first.Chain, groupNames)
		}
		for _, group := range groups {
			compare(group, nameOfGroup)
		}
	}
}

// nameOfGroup returns the explicit name of an AWS::EC2::SecurityGroup.
func nameOfGroup(evaluation template.Evaluation) []groupName {
	one := groupName{vpc: textOrUnknown(evaluation.Properties["VpcId"]), name: textOrUnknown(evaluation.Properties["GroupName"])}
	if one.vpc == "" || one.name == "" {
		return nil
	}
	return []groupName{one}
}

// nameTwice compares the names of a chain with those of another resource in each variant with both,
// and records what it reports.
func (l *linter) nameTwice(state *chainState, other template.Resource, namesOf func(template.Evaluation) []groupName, reported map[string]bool) {
	for _, both := range l.template.Variants(l.values, maxVariants, other, state.Chain) {
		taken := namesOf(both[0])
		for _, one := range groupNames(both[1]) {
			if reported[one.path+one.name] || !slices.ContainsFunc(taken, func(name groupName) bool { return same(name, one) }) {
				continue
			}
			reported[one.path+one.name] = true
			owner := "a security group of chain " + other.LogicalID + " of this template"
			if other.Type != template.ResourceType {
				owner = other.LogicalID + " (" + other.Type + ") of this template"
			}
			l.add(state.Chain, both[1].At(one.path), Finding{
				Rule: RuleGroupNameTwice, Path: one.path, near: other.LogicalID,
				Message: one.path + ": " + owner + " also has the name " + one.name + ". Names are unique in a VPC, whatever their case",
				Remedy:  "Change one GroupName, or remove it for a generated name.",
			})
		}
	}
}
