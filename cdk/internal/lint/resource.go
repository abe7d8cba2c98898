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
				Rule: RuleResourceType, Path: "Type", Message: "Type: " + resource.Type + " is not a type of the provider", Remedy: "Write Type: " + template.ResourceType + ".",
			})
		}
	}
}

// nulls reports properties without a value.
func (l *linter) nulls(state *chainState) {
	for _, null := range state.Nulls() {
		l.add(state.Chain, null.At, Finding{Rule: RuleNullValue, Path: null.Path, Message: null.Path + ": has no value (null), which CloudFormation refuses", Remedy: "Write the value, or remove the key."})
	}
}

// policies reports the policies that keep unused groups.
func (l *linter) policies(state *chainState) {
	if policy, at, _ := state.Field("UpdateReplacePolicy"); policy == "Retain" {
		l.add(state.Chain, at, Finding{
			Rule: RuleRetainedGroups, Path: "UpdateReplacePolicy",
			Message: "UpdateReplacePolicy: Retain keeps replaced security groups until a later update finds them unused",
			Remedy:  "Remove UpdateReplacePolicy. An update deletes replaced groups only after their consumers have moved.",
		})
	}
}

// duplicates reports keys that occur twice.
func (l *linter) duplicates() {
	for _, twice := range l.template.Duplicates {
		l.add(template.Resource{}, twice.Then, Finding{
			Rule: RuleDuplicateKey, Path: twice.Key, Message: "key " + twice.Key + " occurs twice, first at " + twice.First.String() + ". CloudFormation uses the last", Remedy: "Remove one of them.",
		})
	}
}

// aliases reports YAML that CloudFormation does not support ("Template validation error: YAML
// aliases are not allowed in CloudFormation templates").
func (l *linter) aliases() {
	for _, at := range l.template.Aliases {
		l.add(template.Resource{}, at, Finding{
			Rule: RuleYAMLAlias, Message: "CloudFormation refuses YAML aliases", Remedy: "Write the value itself, or deploy the output of aws cloudformation package.",
		})
	}
}

// ignored returns the rules that the Metadata of each resource ignores, and reports entries that it
// cannot read.
func (l *linter) ignored() map[string]map[string]bool {
	ignored := map[string]map[string]bool{}
	for _, resource := range l.template.Resources() {
		value, at := l.template.Metadata(resource, "sgchain")
		if at == (template.Position{}) {
			continue
		}
		problem := func(message string) {
			l.add(resource, at, Finding{Rule: RuleIgnore, Path: "Metadata.sgchain", Message: "Metadata.sgchain: " + message, Remedy: "Write {ignore: [rule]}, with IDs of sgchain lint --list-rules."})
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
				problem("rule " + textOrUnknown(rule) + " does not exist")
				continue
			}
			ignored[resource.LogicalID][id] = id != RuleIgnore
		}
	}
	return ignored
}
