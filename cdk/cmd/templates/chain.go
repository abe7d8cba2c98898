package main

import (
	"slices"

	"sgchain/cdk/internal/release"
	"sgchain/lambda/chain"
)

const (
	chainID = "Chain"
	// vpcID names both a parameter and a property.
	vpcID = "VpcId"
)

// maxTags is the longest text of the tags. With the longest Tiers, a parameter of 4,096 bytes, the
// input of a drift guard then still fits its 8,192 characters.
const maxTags = 2048

// The conditions on a chain's parameters.
const (
	ownTiers = "OwnTiers"
	noTiers  = "DefaultTiers"
	alsoIPv6 = "AlsoIPv6"
	tagged   = "Tagged"
	// The names of the two groups are explicit, not generated.
	albNamed, fargateNamed = "AlbNamed", "FargateNamed"
)

// The headings of the form whose fields have rules.
const (
	loadBalancerLabel = "Load balancer"
	containersLabel   = "Containers"
	namesLabel        = "Names of both groups"
	driftLabel        = "Drift guard"
)

// adoptDescription is for both templates: in the all-in-one the same parameter also grants the
// provider's permission.
const adoptDescription = "true: the chain adopts existing groups of the VPC that have a tier's group name. They keep their ID, and are later released, never deleted. The function may then tag groups that it did not create. " +
	"A shared provider needs AllowAdoption."

// vpcOfForm returns the parameter with the VPC, chosen from a list.
func vpcOfForm() parameter {
	return parameter{vpcID, "VPC", object{
		"Type": "AWS::EC2::VPC::Id", "Description": "The VPC of the security groups. Changing it replaces all of them.",
	}}
}

// vpcOfParameterStore returns the same parameter, read from Parameter Store, so that each account
// and Region has its own VPC.
func vpcOfParameterStore() parameter {
	return parameter{vpcID, "Parameter Store parameter with the VPC's ID", object{
		"Type": "AWS::SSM::Parameter::Value<AWS::EC2::VPC::Id>",
		"Description": "The name of a Parameter Store parameter in this account and Region, such as /network/vpc-id. Its value is the ID of the VPC of the security groups. " +
			"Every update reads it again, and another value replaces all groups.",
	}}
}

func allInOne(provider object, vpc parameter) template {
	// The last of the provider's resources depends on all of them. So the Delete event arrives
	// while the role, the log and the limits on retries still exist.
	own := merge(chainResource(getAtt(functionID, "Arn"), nil), after(retriesID))
	return template{
		description: "A chain of security groups, each open to exactly the tier before it, with its provider " + release.Mark(),
		groups:      append(chainGroups(vpc), functionGroup(), organizationGroup()),
		rules:       rules(),
		conditions: merge(chainConditions(), organizationConditions(), object{
			adopts: equals(ref("AdoptExisting"), "true"), repairs: equals(ref(driftGuardMode), "repair"),
		}),
		resources: merge(provider, object{chainID: own}, driftGuard(getAtt(functionID, "Arn"))),
		outputs:   chainOutputs(ref(functionID)),
	}
}

func nestedChain() template {
	token := parameter{"ServiceToken", "Provider", object{
		"Type": "String", "AllowedPattern": "^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_:-]+$",
		"ConstraintDescription": "must be the ARN of the provider's function: the output ServiceToken of its template",
		"Description":           "The output ServiceToken of a shared provider in this account and Region.",
	}}
	return template{
		description: "A chain of security groups, each open to exactly the tier before it, served by a shared provider " + release.Mark(),
		groups:      slices.Concat([]group{{"Provider", []parameter{token}}}, chainGroups(vpcOfForm()), []group{movesGroup()}),
		rules:       merge(rules(), moveRules()),
		conditions:  chainConditions(),
		resources:   merge(object{chainID: chainResource(ref("ServiceToken"), movedFrom())}, driftGuard(ref("ServiceToken"))),
		outputs:     chainOutputs(ref("ServiceToken")),
	}
}

// chainResource returns one resource, however many tiers the chain has. A plan does not read the
// properties in further.
func chainResource(serviceToken any, further object) object {
	return object{
		"Type": chain.ResourceType,
		"Properties": merge(chainProperties(), further, object{
			"ServiceToken":   serviceToken,
			"ServiceTimeout": chain.ServiceTimeout,
			"Revision":       ref("Revision"),
		}),
	}
}

// chainProperties returns the properties that define the chain.
func chainProperties() object {
	return object{
		"VpcId":          ref(vpcID),
		"IpFamilies":     ifElse(alsoIPv6, list{"ipv4", "ipv6"}, list{"ipv4"}),
		"RuleQuota":      ref("RuleQuota"),
		"Guardrails":     ref("Guardrails"),
		"UnmanagedRules": ref("UnmanagedRules"),
		"AdoptExisting":  ref("AdoptExisting"),
		"ReleaseTiers":   ref("ReleaseTiers"),
		"Tags":           ifElse(tagged, ref("Tags"), ""),
		"StackTags":      ref("StackTags"),
		"Tiers": ifElse(ownTiers, ref("Tiers"), list{
			object{
				"Name": "Alb", "GroupName": prefixed(albNamed, "AlbGroupName"), "Description": "Security group for Application Load Balancer",
				"Ports": ref("AlbPorts"), "Sources": ref("AlbSources"), "Egress": ref("AlbEgress"),
			},
			object{
				"Name": "Fargate", "GroupName": prefixed(fargateNamed, "FargateGroupName"), "Description": "Security group for Fargate containers",
				"Ports": list{ref("ContainerPort")},
			},
		}),
	}
}

// prefixed returns a group's name with the common prefix. A generated name has no prefix.
func prefixed(condition, name string) object {
	return ifElse(condition, join("", list{ref("NamePrefix"), ref(name)}), "")
}

func chainConditions() object {
	return object{
		tagged:        not(equals(ref("Tags"), "")),
		albNamed:      not(equals(ref("AlbGroupName"), "")),
		fargateNamed:  not(equals(ref("FargateGroupName"), "")),
		noTiers:       equals(ref("Tiers"), ""),
		ownTiers:      not(object{"Condition": noTiers}),
		alsoIPv6:      equals(ref("IPv6"), "true"),
		hasDriftGuard: not(equals(ref(driftGuardMode), "off")),
		notified:      not(equals(ref("DriftTopicArn"), "")),
	}
}

func chainOutputs(function any) object {
	return object{
		"AlbSecurityGroupId":     conditional(noTiers, output("The security group of the load balancer", getAtt(chainID, "AlbSecurityGroupId"))),
		"FargateSecurityGroupId": conditional(noTiers, output("The security group of the containers", getAtt(chainID, "FargateSecurityGroupId"))),
		"SecurityGroupIds":       output("All security groups, in the order of the chain, joined by commas", getAtt(chainID, "SecurityGroupIds")),
		"Summary":                output("The chain in one line", getAtt(chainID, "Summary")),
		"Warnings":               output("Warnings about rules that are allowed but probably a mistake; empty without warnings", getAtt(chainID, "Warnings")),
		chain.OutputPayload:      output("The function's input to see what an update would change now (make plan)", payload(chain.ActionPlan)),
		chain.OutputFunction:     output("The function that serves the chain", function),
	}
}

// chainGroups returns the fields of a chain. Their defaults are the default chain.
func chainGroups(vpc parameter) []group {
	name := func(byDefault string) object {
		return object{
			"Type": "String", "Default": byDefault, "AllowedPattern": groupNamePattern(), "ConstraintDescription": "must be at most 255 " + groupNameRefusal + " or be default",
			"Description": "The name of the group, unique in the VPC. A name of another stack's group is refused: NamePrefix avoids that. Changing it replaces the group. Empty: a generated name.",
		}
	}
	return []group{
		{"Network", []parameter{vpc}},
		{loadBalancerLabel, []parameter{
			{"AlbPorts", "Ports", object{
				"Type": "CommaDelimitedList", "Default": "80,443", "AllowedPattern": portsPattern(),
				"ConstraintDescription": "must be ports from 0 to 65535 such as 443, 8000-8010 or udp/443, or http or https, separated by commas",
				"Description":           "The load balancer's listener ports, separated by commas: ports such as 443, ranges such as 8000-8010, udp/443.",
			}},
			{"AlbSources", "Inbound sources", object{
				"Type": "CommaDelimitedList", "Default": "internet", "AllowedPattern": sourcesPattern(),
				"ConstraintDescription": "must be internet, vpc, ranges such as 203.0.113.0/24 or 2001:db8::/32, security groups (sg-... or group/NAME) or prefix lists (pl-... or list/NAME), separated by commas",
				"Description":           "internet, vpc, ranges such as 203.0.113.7/32, security groups (sg-... or group/NAME) or prefix lists (pl-..., list/NAME, or one of AWS such as com.amazonaws.global.cloudfront.origin-facing), separated by commas.",
			}},
			{"AlbEgress", "Outbound destinations", object{
				"Type": "String", "Default": "all", "AllowedValues": list{"all", "chain"},
				"Description": "all: every destination. chain: only the containers, on their port.",
			}},
			{"AlbGroupName", "Group name", name("ALB-SG")},
		}},
		{containersLabel, []parameter{
			{"ContainerPort", "Port", object{
				"Type": "String", "Default": "6060", "AllowedPattern": "^" + onePort + "$",
				"ConstraintDescription": "must be a port from 1 to 65535",
				"Description":           "The port that the containers listen on, from 1 to 65535. Only the load balancer reaches it.",
			}},
			{"FargateGroupName", "Group name", name("Fargate-SG")},
		}},
		{namesLabel, []parameter{{"NamePrefix", "Name prefix", object{
			"Type": "String", "Default": "", "AllowedPattern": namePrefixPattern(), "ConstraintDescription": "must be at most 100 " + groupNameRefusal,
			"Description": "Begins both group names, as in shop-ALB-SG. Names are unique in a VPC, so a second launch in the same VPC needs its own prefix. Changing it replaces both groups. Empty: no prefix.",
		}}}},
		{"Your own chain", []parameter{
			{"Tiers", "Tiers, instead of load balancer and containers", object{
				"Type": "String", "Default": "", "AllowedPattern": `^(\s*\[[\s\S]*\]\s*)?$`,
				"ConstraintDescription": `must be a list of tiers in JSON, such as [{"Name": "Web", "Ports": [443]}], or empty`,
				"Description":           `Empty: load balancer and containers as above. Otherwise the list of tiers in JSON, outermost first, at most 4,096 bytes: [{"Name": "Web", "Ports": [443]}, {"Name": "App", "Ports": [8080]}, {"Name": "Db", "Ports": ["postgres"]}]`,
			}},
			{"ReleaseTiers", "Tiers to release", object{
				"Type": "CommaDelimitedList", "Default": "", "AllowedPattern": "^([A-Za-z][A-Za-z0-9]{0,63})?$",
				"ConstraintDescription": "must be names of tiers, separated by commas, or empty",
				"Description":           "Names of tiers that this update removes from Tiers. Their groups are released with their own rules, and not deleted. Empty: none.",
			}},
		}},
		optionsGroup(),
		driftGroup(),
	}
}

func optionsGroup() group {
	return group{"Options", []parameter{
		{"Tags", "Tags of the groups", object{
			"Type": "String", "Default": "", "AllowedPattern": `^(\s*(\{[\s\S]*\}|\[[\s\S]*\])\s*)?$`, "MaxLength": maxTags,
			"ConstraintDescription": `must be tags in JSON, such as {"Team": "shop"}, at most 2,048 characters, or empty`,
			"Description":           `The tags of every group, as a map in JSON: {"Team": "shop", "CostCenter": "4711"}, or as a list of Key and Value. At most 44 tags in 2,048 characters. Empty: none.`,
		}},
		{"StackTags", "Tags of the stack", object{
			"Type": "String", "Default": "true", "AllowedValues": list{"true", "false"},
			"Description": "true: the groups also get the stack's tags, unless Tags have the same key. false: they do not.",
		}},
		{"IPv6", "IPv6", object{
			"Type": "String", "Default": "false", "AllowedValues": list{"false", "true"},
			"Description": "true: internet, vpc and outbound rules cover IPv6 as well as IPv4. false: IPv4 only.",
		}},
		{"RuleQuota", "Rules per group", object{
			"Type": "String", "Default": "60", "AllowedPattern": "^(1000|[1-9][0-9]{0,2})$",
			"ConstraintDescription": "must be a number from 1 to 1000",
			"Description":           "The account's quota of rules per group, direction and address family, from 1 to 1000. EC2's default is 60.",
		}},
		{"Guardrails", "Guardrails", object{
			"Type": "String", "Default": "enforce", "AllowedValues": list{"enforce", "warn"},
			"Description": "enforce: refuses a chain that opens an inner tier, all ports, or an administration or database port to the world. warn: creates it with a warning.",
		}},
		{"UnmanagedRules", "Rules from outside the chain", object{
			"Type": "String", "Default": "revoke", "AllowedValues": list{"revoke", "keep"},
			"Description": "Rules on the groups that the chain did not create. revoke: an update removes them. keep: they stay.",
		}},
		{"AdoptExisting", "Adopt existing groups", object{
			"Type": "String", "Default": "false", "AllowedValues": list{"false", "true"},
			"Description": adoptDescription,
		}},
		{"Revision", "Revision", object{
			"Type": "String", "Default": "",
			"Description": "Any text. Change it so that an update verifies and repairs the security groups.",
		}},
	}}
}
