package main

import (
	"fmt"
	"slices"
	"strings"
)

// rules refuse a parameter that has no effect next to another one. CloudFormation checks them
// before it changes a resource. A rule fires only on a value that is not the default.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html
func rules() object {
	var beside, without list
	for _, one := range ofGroups(loadBalancerLabel, containersLabel, namesLabel) {
		beside = append(beside, assertion(isDefault(one), fmt.Sprintf(
			"%s has no effect with Tiers. Leave %s at its default (%v) and set it in Tiers, or leave Tiers empty.", one.name, one.name, orEmpty(one.definition["Default"]))))
	}
	for _, one := range ofGroups(driftLabel) {
		if one.name == driftGuardMode {
			continue
		}
		without = append(without, assertion(isDefault(one), fmt.Sprintf(
			"%s has no effect while %s is off. Set %s to check or repair, or leave %s at its default (%s).",
			one.name, driftGuardMode, driftGuardMode, one.name, orEmpty(one.definition["Default"]))))
	}
	nameless := both(equals(ref("AlbGroupName"), ""), equals(ref("FargateGroupName"), ""))
	return object{
		"TiersStandAlone":      rule(not(equals(ref("Tiers"), "")), beside...),
		"DriftGuardHasOptions": rule(equals(ref(driftGuardMode), "off"), without...),
		// The function checks the same for Tiers, which no rule can read.
		"AdoptionNeedsNames": rule(both(equals(ref("AdoptExisting"), "true"), equals(ref("Tiers"), "")), assertion(not(nameless),
			"AdoptExisting has no effect without a group name. Set AlbGroupName or FargateGroupName to the name of the existing group, or leave AdoptExisting at its default (false).")),
		"NamePrefixNeedsNames": rule(both(not(equals(ref("NamePrefix"), "")), equals(ref("Tiers"), "")), assertion(not(nameless),
			"NamePrefix has no effect without a group name: a generated one has no prefix. Set AlbGroupName or FargateGroupName, or leave NamePrefix at its default (empty).")),
		// The function finds names that differ only in case: rules compare exact texts.
		"GroupNamesDiffer": rule(both(equals(ref("Tiers"), ""), not(equals(ref("AlbGroupName"), ""))), assertion(
			not(equals(ref("AlbGroupName"), ref("FargateGroupName"))),
			"AlbGroupName and FargateGroupName are the same, but group names are unique in a VPC. Change one of them, or leave it empty for a generated name.")),
	}
}

func rule(condition object, assertions ...any) object {
	return object{"RuleCondition": condition, "Assertions": assertions}
}

func assertion(condition object, otherwise string) object {
	return object{"Assert": condition, "AssertDescription": otherwise}
}

func both(conditions ...any) object { return object{"Fn::And": conditions} }

// isDefault returns a condition that a parameter has its default. Rules cannot compare lists as a
// whole: every entry has to be one of the default's, and each default entry has to be among them.
func isDefault(one parameter) object {
	byDefault := fmt.Sprint(one.definition["Default"])
	if one.definition["Type"] != "CommaDelimitedList" {
		return equals(ref(one.name), byDefault)
	}
	var entries list
	for entry := range strings.SplitSeq(byDefault, ",") {
		entries = append(entries, entry)
	}
	conditions := list{object{"Fn::EachMemberIn": list{ref(one.name), entries}}}
	for _, entry := range entries {
		conditions = append(conditions, object{"Fn::Contains": list{ref(one.name), entry}})
	}
	return both(conditions...)
}

func orEmpty(text any) any {
	if text == "" {
		return "empty"
	}
	return text
}

// ofGroups returns the parameters under some headings of a chain's form.
func ofGroups(labels ...string) []parameter {
	var all []parameter
	for _, group := range chainGroups(vpcOfForm()) {
		if slices.Contains(labels, group.label) {
			all = append(all, group.parameters...)
		}
	}
	return all
}
