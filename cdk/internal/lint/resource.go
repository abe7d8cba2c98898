package lint

import (
	"slices"
	"strings"

	"sgchain/cdk/internal/template"
	"sgchain/lambda/chain"
)

// types reports custom resources whose type is almost that of a chain.
func (l *linter) types() {
	const near = 3
	for _, resource := range l.template.Resources() {
		if resource.Type == template.ResourceType || !strings.HasPrefix(resource.Type, "Custom::") {
			continue
		}
		if chain.Distance(strings.ToLower(resource.Type), strings.ToLower(template.ResourceType)) <= near {
			_, at, _ := resource.Field("Type")
			l.add(resource, at, Finding{
				Rule: RuleResourceType, Path: "Type", Message: "Type: " + resource.Type + " is none that the provider serves", Remedy: "Write Type: " + template.ResourceType + ".",
			})
		}
	}
}

// nulls reports properties without a value.
func (l *linter) nulls(state *chainState) {
	for _, null := range state.Nulls() {
		l.add(state.Chain, null.At, Finding{Rule: RuleNullValue, Path: null.Path, Message: null.Path + ": has no value (null), which CloudFormation refuses", Remedy: "Write the value, or leave the key out."})
	}
}

// policies reports what keeps groups that nobody uses any more.
func (l *linter) policies(state *chainState) {
	if policy, at, _ := state.Field("UpdateReplacePolicy"); policy == "Retain" {
		l.add(state.Chain, at, Finding{
			Rule: RuleRetainedGroups, Path: "UpdateReplacePolicy",
			Message: "UpdateReplacePolicy: Retain keeps the security groups that an update replaces, until a later update finds them unused",
			Remedy:  "Leave UpdateReplacePolicy out. An update deletes replaced groups only after their consumers have moved.",
		})
	}
}

// duplicates reports keys that are there twice.
func (l *linter) duplicates() {
	for _, twice := range l.template.Duplicates {
		l.add(template.Resource{}, twice.Then, Finding{
			Rule: RuleDuplicateKey, Path: twice.Key, Message: "key " + twice.Key + " is there twice, and CloudFormation takes the last; the first is at " + twice.First.String(), Remedy: "Keep one of them.",
		})
	}
}

// aliases reports what CloudFormation's YAML does not have ("Template validation error: YAML aliases are not allowed in CloudFormation
// templates").
func (l *linter) aliases() {
	for _, at := range l.template.Aliases {
		l.add(template.Resource{}, at, Finding{
			Rule: RuleYAMLAlias, Message: "CloudFormation refuses YAML aliases", Remedy: "Write the value itself, or deploy what aws cloudformation package writes.",
		})
	}
}

// ignored reads what the Metadata of each resource ignores, and reports what it cannot.
func (l *linter) ignored() map[string]map[string]bool {
	ignored := map[string]map[string]bool{}
	for _, resource := range l.template.Resources() {
		value, at := l.template.Metadata(resource, "sgchain")
		if at == (template.Position{}) {
			continue
		}
		problem := func(message string) {
			l.add(resource, at, Finding{Rule: RuleIgnore, Path: "Metadata.sgchain", Message: "Metadata.sgchain: " + message, Remedy: "Write {ignore: [rule]}, with the IDs that sgchain lint --list-rules has."})
		}
		fields, isMap := value.(map[string]any)
		rules, isList := fields["ignore"].([]any)
		if !isMap || !isList || len(fields) != 1 {
			problem("must be a map with the key ignore, a list of rules")
			continue
		}
		ignored[resource.LogicalID] = map[string]bool{}
		for _, rule := range rules {
			id, isText := rule.(string)
			if !isText || !slices.ContainsFunc(Rules(), func(one Rule) bool { return one.ID == id }) {
				problem("there is no rule " + textOrUnknown(rule))
				continue
			}
			ignored[resource.LogicalID][id] = id != RuleIgnore
		}
	}
	return ignored
}
