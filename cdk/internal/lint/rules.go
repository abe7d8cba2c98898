package lint

import (
	"sgchain/lambda/chain"
)

// The IDs of the rules. Those of guardrails are in lambda/chain.
const (
	RuleProperties       = "properties"
	RuleUnknownAttribute = "unknown-attribute"
	RuleRefOfChain       = "ref-of-chain"
	RuleServiceTimeout   = "service-timeout"
	RuleServiceToken     = "service-token"
	RuleGroupNameTwice   = "group-name-twice"
	RuleForeignRule      = "foreign-rule"
	RuleMovedFrom        = "moved-from"
	RuleRetainedGroups   = "retained-groups"
	RuleDuplicateKey     = "duplicate-key"
	RuleNullValue        = "null-value"
	RuleResourceType     = "resource-type"
	RuleYAMLAlias        = "yaml-alias"
	RuleIgnore           = "ignore"
)

// Rule is a kind of finding.
type Rule struct {
	ID       string   `json:"id"`
	Severity Severity `json:"severity"` // of most of its findings
	Finds    string   `json:"finds"`
	Remedy   string   `json:"remedy"`
}

// Rules returns every rule, in the order of the documentation.
func Rules() []Rule {
	return []Rule{
		{RuleProperties, Error, "a property that the function refuses", "Change the property as the message says. docs/reference.md lists every property."},
		{chain.RulePublicTier, Error, "a tier that is not the first and is open to the world", "Name the tier before it as its source, or set AllowPublic on the tier."},
		{chain.RulePublicAllPorts, Error, "a tier with half of all ports or more open to the world", "Open only the ports that the tier serves."},
		{chain.RulePublicAdminPort, Error, "a tier with an administration or database port open to the world", "Set the source of the administrators: addresses, vpc, a tier or a group."},
		{chain.RuleHTTPWithoutHTTPS, Warning, "a tier with port 80 open to the world, but not 443", "Add port 443."},
		{chain.RuleNoEgress, Warning, "an inbound rule that its source cannot use, because the source's Egress does not allow it", "Set Egress of the source to all or chain, or add an entry to it."},
		{chain.RuleAddressForTier, Warning, "a tier that is not the first and allows private addresses", "Use the tier or the security group as the source."},
		{RuleUnknownAttribute, Error, "Fn::GetAtt or Fn::Sub with an attribute that the chain does not have", "Use <Tier>SecurityGroupId, SecurityGroupIds, VpcId, Summary, RuleCount or Warnings."},
		{RuleRefOfChain, Warning, "Ref of a chain as a value; an error where a security group is expected", "Use Fn::GetAtt. The physical ID is not a security group, and changes with the set of groups."},
		{RuleServiceTimeout, Error, "ServiceTimeout that is missing (a warning), too short, or not a number from 1 to 3600", "Write ServiceTimeout: 1020."},
		{RuleServiceToken, Error, "ServiceToken that is missing, empty, or not the ARN of a function", "Write the ARN of the provider's function, for example !ImportValue SecurityGroupChainProvider."},
		{RuleGroupNameTwice, Error, "two security groups of one VPC with the same explicit name", "Change one GroupName, or remove it for a generated name."},
		{RuleForeignRule, Error, "AWS::EC2::SecurityGroupIngress or Egress on a group of the chain, which the chain revokes", "Add the rule to the tier, or set UnmanagedRules: keep."},
		{RuleMovedFrom, Error, "MovedFrom with a resource that the template still has, or that another chain is moved from", "Remove the old chain from the template in the same update, or remove MovedFrom."},
		{RuleRetainedGroups, Warning, "UpdateReplacePolicy: Retain, which keeps replaced security groups", "Remove UpdateReplacePolicy."},
		{RuleDuplicateKey, Error, "a key that occurs twice in one map of a template with a chain", "Remove one of them."},
		{RuleYAMLAlias, Warning, "a YAML alias or merge key in a template with a chain, which CloudFormation refuses", "Write the value itself, or deploy the output of aws cloudformation package."},
		{RuleNullValue, Error, "a property without a value, which CloudFormation refuses", "Write the value, or remove the property."},
		{RuleResourceType, Error, "a type that is almost " + chain.ResourceType, "Write Type: " + chain.ResourceType + "."},
		{RuleIgnore, Error, "Metadata that ignores a rule that does not exist", "Write the ID of a rule from sgchain lint --list-rules."},
	}
}

// severityOf returns the severity of a rule.
func severityOf(id string) Severity {
	for _, rule := range Rules() {
		if rule.ID == id {
			return rule.Severity
		}
	}
	return Error
}
