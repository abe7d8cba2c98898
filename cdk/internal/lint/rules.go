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

// Rules returns every rule, in the order in which they are documented.
func Rules() []Rule {
	return []Rule{
		{RuleProperties, Error, "a property that the function refuses", "Write what the message says. The README lists every property."},
		{chain.RulePublicTier, Error, "a tier that is not the first and is open to the world", "Name the tier before it as its source, or set AllowPublic on the tier."},
		{chain.RulePublicAllPorts, Error, "a tier that takes half of all ports or more from the world", "Name the ports that it serves."},
		{chain.RulePublicAdminPort, Error, "a tier that takes a port for administration or of a database from the world", "Name who administers it: addresses, vpc, a tier or a group."},
		{chain.RuleHTTPWithoutHTTPS, Warning, "a tier that takes port 80 from the world and not 443", "Add port 443."},
		{chain.RuleNoEgress, Warning, "an inbound rule that its source cannot use, because its Egress does not lead there", "Open the way out: all, chain, or an entry of the list."},
		{chain.RuleAddressForTier, Warning, "a tier that is not the first and takes traffic from private addresses", "Name the tier or the security group."},
		{RuleUnknownAttribute, Error, "Fn::GetAtt or Fn::Sub with an attribute that the chain does not have", "Use <Tier>SecurityGroupId, SecurityGroupIds, VpcId, Summary, RuleCount or Warnings."},
		{RuleRefOfChain, Warning, "Ref of a chain as a value; an error where a security group is expected", "Use Fn::GetAtt. The physical ID is no security group, and changes when the set of groups does."},
		{RuleServiceTimeout, Error, "ServiceTimeout that is missing (a warning), too short, or no number from 1 to 3600", "Write ServiceTimeout: 1020."},
		{RuleServiceToken, Error, "ServiceToken that is missing, empty, or no ARN of a function", "Write the ARN of the provider's function, as with !ImportValue SecurityGroupChainProvider."},
		{RuleGroupNameTwice, Error, "two security groups of one VPC with the same explicit name", "Give one of them another GroupName, or leave GroupName out."},
		{RuleForeignRule, Error, "AWS::EC2::SecurityGroupIngress or Egress on a group of the chain, which the chain revokes", "Write the rule into the tier, or set UnmanagedRules: keep."},
		{RuleMovedFrom, Error, "MovedFrom with a resource that the template still has, or with a chain that another one is moved from too", "Remove the old chain from the template in the same update, or leave MovedFrom out."},
		{RuleRetainedGroups, Warning, "UpdateReplacePolicy: Retain, which keeps replaced security groups", "Leave UpdateReplacePolicy out."},
		{RuleDuplicateKey, Error, "a key that is there twice in one map of a template with a chain", "Keep one of them."},
		{RuleYAMLAlias, Warning, "an alias or a merge key of YAML in a template with a chain, which CloudFormation refuses", "Write the value itself, or deploy what aws cloudformation package writes."},
		{RuleNullValue, Error, "a property without a value, which CloudFormation refuses", "Write the value, or leave the property out."},
		{RuleResourceType, Error, "a type that is almost " + chain.ResourceType, "Write Type: " + chain.ResourceType + "."},
		{RuleIgnore, Error, "Metadata that ignores a rule that there is none of", "Write the ID of a rule, as sgchain lint --list-rules has it."},
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
