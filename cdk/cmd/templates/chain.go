package main

import (
	"slices"

	"sgchain/cdk/internal/release"
	"sgchain/lambda/chain"
)

const (
	chainID = "Chain"
	// vpcID is a parameter and a property.
	vpcID = "VpcId"
)

// maxTags is how long the text of the tags may be: with the longest Tiers, a parameter of 4,096 bytes,
// everything still fits into the 8,192 characters of a drift guard's input.
const maxTags = 2048

// The conditions of a chain's parameters.
const (
	ownTiers = "OwnTiers"
	noTiers  = "DefaultTiers"
	alsoIPv6 = "AlsoIPv6"
	tagged   = "Tagged"
	// The names of the two groups are given, and not generated.
	albNamed, fargateNamed = "AlbNamed", "FargateNamed"
)

// The headings of the form whose fields have rules.
const (
	loadBalancerLabel = "Load balancer"
	containersLabel   = "Containers"
	namesLabel        = "Names of both groups"
	driftLabel        = "Drift guard"
)

// adoptDescription holds for both templates: in the all-in-one the provider's right hangs
// on the same parameter.
const adoptDescription = "true: groups of the VPC that have a tier's group name are taken over, with their ID, and released in the end, never deleted. The function then may tag groups that it did not make; " +
	"a shared provider needs AllowAdoption."

// vpcOfForm is the parameter that has the VPC, chosen from a list.
func vpcOfForm() parameter {
	return parameter{vpcID, "VPC", object{
		"Type": "AWS::EC2::VPC::Id", "Description": "The VPC that the security groups belong to. Changing it replaces them all.",
	}}
}

// vpcOfParameterStore is the same, where each account and Region says for itself which VPC it is.
func vpcOfParameterStore() parameter {
	return parameter{vpcID, "Parameter of Parameter Store that has the VPC's ID", object{
		"Type": "AWS::SSM::Parameter::Value<AWS::EC2::VPC::Id>",
		"Description": "The name of a parameter of Parameter Store, such as /network/vpc-id, of this account and Region; its value is the ID of the VPC that the security groups belong to. " +
			"Every update reads it again, and another value replaces all groups.",
	}}
}

func allInOne(provider object, vpc parameter) template {
	// After the last of the provider's resources, and so after all of them: the Delete
	// event comes while role, log and the limits on retries are still there.
	own := merge(chainResource(getAtt(functionID, "Arn"), nil), after(retriesID))
	return template{
		description: "A chain of security groups, each open to exactly the tier before it, with its provider " + release.Mark(),
		groups:      append(chainGroups(vpc), functionGroup(), organizationGroup()),
		rules:       rules(),
		conditions: merge(chainConditions(), organizationConditions(), object{
			adopts: equals(ref("AdoptExisting"), "true"), repairs: equals(ref(modeOfGuard), "repair"),
		}),
		resources: merge(provider, object{chainID: own}, driftGuard(getAtt(functionID, "Arn"))),
		outputs:   chainOutputs(ref(functionID)),
	}
}

func nestedChain() template {
	token := parameter{"ServiceToken", "Provider", object{
		"Type": "String", "AllowedPattern": "^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_:-]+$",
		"ConstraintDescription": "must be the ARN of the provider's function, its template's output ServiceToken",
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

// chainResource is one resource, however many tiers the chain has. What is in further is not asked for by a plan.
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

// chainProperties are those that say what the chain is.
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

// prefixed is a group's name with what stands before both names; a generated one has no prefix.
func prefixed(condition, name string) object {
	return ifElse(condition, join("", list{ref("NamePrefix"), ref(name)}), "")
}

func chainConditions() object {
	return object{
		tagged:       not(equals(ref("Tags"), "")),
		albNamed:     not(equals(ref("AlbGroupName"), "")),
		fargateNamed: not(equals(ref("FargateGroupName"), "")),
		noTiers:      equals(ref("Tiers"), ""),
		ownTiers:     not(object{"Condition": noTiers}),
		alsoIPv6:     equals(ref("IPv6"), "true"),
		guarded:      not(equals(ref(modeOfGuard), "off")),
		notified:     not(equals(ref("DriftTopicArn"), "")),
	}
}

func chainOutputs(function any) object {
	return object{
		"AlbSecurityGroupId":     where(noTiers, output("The security group of the load balancer", getAtt(chainID, "AlbSecurityGroupId"))),
		"FargateSecurityGroupId": where(noTiers, output("The security group of the containers", getAtt(chainID, "FargateSecurityGroupId"))),
		"SecurityGroupIds":       output("All security groups, in the order of the chain, joined by commas", getAtt(chainID, "SecurityGroupIds")),
		"Summary":                output("The chain in one line", getAtt(chainID, "Summary")),
		"Warnings":               output("What is allowed and probably not meant; empty if nothing", getAtt(chainID, "Warnings")),
		chain.OutputPayload:      output("What to invoke the function with to see what an update would change now (make plan)", payload(chain.ActionPlan)),
		chain.OutputFunction:     output("The function that serves the chain", function),
	}
}

// chainGroups are the fields of a chain. What they are by default is the default
// chain.
func chainGroups(vpc parameter) []group {
	name := func(byDefault string) object {
		return object{
			"Type": "String", "Default": byDefault, "AllowedPattern": groupNamePattern(), "ConstraintDescription": "must be at most 255 " + groupNameRefusal + " or be default",
			"Description": "The name of the group, unique in the VPC; a name that another stack has there is refused, and NamePrefix avoids that. Changing it replaces the group; empty: a name is generated.",
		}
	}
	return []group{
		{"Network", []parameter{vpc}},
		{loadBalancerLabel, []parameter{
			{"AlbPorts", "Ports", object{
				"Type": "CommaDelimitedList", "Default": "80,443", "AllowedPattern": portsPattern(),
				"ConstraintDescription": "must be ports from 0 to 65535 such as 443, 8000-8010 or udp/443, or http or https, separated by commas",
				"Description":           "What the load balancer listens on, separated by commas: ports such as 443, ranges such as 8000-8010, udp/443.",
			}},
			{"AlbSources", "Who may come in", object{
				"Type": "CommaDelimitedList", "Default": "internet", "AllowedPattern": sourcesPattern(),
				"ConstraintDescription": "must be internet, vpc, ranges such as 203.0.113.0/24 or 2001:db8::/32, security groups (sg-... or group/NAME) or prefix lists (pl-... or list/NAME), separated by commas",
				"Description":           "internet, vpc, ranges such as 203.0.113.7/32, security groups (sg-... or group/NAME) or prefix lists (pl-..., list/NAME, or one of AWS such as com.amazonaws.global.cloudfront.origin-facing), separated by commas.",
			}},
			{"AlbEgress", "What it may call", object{
				"Type": "String", "Default": "all", "AllowedValues": list{"all", "chain"},
				"Description": "all: it may call everything. chain: only the containers, on their port.",
			}},
			{"AlbGroupName", "Name of its group", name("ALB-SG")},
		}},
		{containersLabel, []parameter{
			{"ContainerPort", "Port", object{
				"Type": "String", "Default": "6060", "AllowedPattern": "^" + onePort + "$",
				"ConstraintDescription": "must be a port from 1 to 65535",
				"Description":           "The port that the containers listen on, from 1 to 65535. Only the load balancer reaches it.",
			}},
			{"FargateGroupName", "Name of their group", name("Fargate-SG")},
		}},
		{namesLabel, []parameter{{"NamePrefix", "What their names begin with", object{
			"Type": "String", "Default": "", "AllowedPattern": namePrefixPattern(), "ConstraintDescription": "must be at most 100 " + groupNameRefusal,
			"Description": "Stands before both group names, as in shop-ALB-SG: a second launch in the same VPC needs a prefix of its own, because names are unique in a VPC. Empty: none; changing it replaces both groups.",
		}}}},
		{"A chain of your own", []parameter{
			{"Tiers", "Tiers, in place of load balancer and containers", object{
				"Type": "String", "Default": "", "AllowedPattern": `^(\s*\[[\s\S]*\]\s*)?$`,
				"ConstraintDescription": `must be a list of tiers in JSON, such as [{"Name": "Web", "Ports": [443]}], or empty`,
				"Description":           `Empty: load balancer and containers as above. Otherwise the list of tiers in JSON, outermost first, at most 4,096 bytes: [{"Name": "Web", "Ports": [443]}, {"Name": "App", "Ports": [8080]}, {"Name": "Db", "Ports": ["postgres"]}]`,
			}},
			{"ReleaseTiers", "Tiers to release", object{
				"Type": "CommaDelimitedList", "Default": "", "AllowedPattern": "^([A-Za-z][A-Za-z0-9]{0,63})?$",
				"ConstraintDescription": "must be names of tiers, separated by commas, or empty",
				"Description":           "Names of tiers that leave Tiers in this update: their groups are released with their own rules, and not deleted. Empty: none.",
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
			"Description":           `The tags of every group, as a map in JSON: {"Team": "shop", "CostCenter": "4711"}, or as a list of Key and Value. At most 44 tags in 2,048 characters; empty: none.`,
		}},
		{"StackTags", "Tags of the stack", object{
			"Type": "String", "Default": "true", "AllowedValues": list{"true", "false"},
			"Description": "true: the groups get the tags of the stack as well, where Tags do not have the same key. false: they do not.",
		}},
		{"IPv6", "IPv6", object{
			"Type": "String", "Default": "false", "AllowedValues": list{"false", "true"},
			"Description": "true: internet, vpc and the way out mean IPv6 as well as IPv4. false: IPv4 alone.",
		}},
		{"RuleQuota", "Rules in a group", object{
			"Type": "String", "Default": "60", "AllowedPattern": "^(1000|[1-9][0-9]{0,2})$",
			"ConstraintDescription": "must be a number from 1 to 1000",
			"Description":           "The account's quota of rules in a group, for each direction and family of addresses, from 1 to 1000. 60 is EC2's own.",
		}},
		{"Guardrails", "Guardrails", object{
			"Type": "String", "Default": "enforce", "AllowedValues": list{"enforce", "warn"},
			"Description": "enforce: a chain that opens an inner tier, all ports, or a port of administration or of a database to the world is refused. warn: it is made, with a warning.",
		}},
		{"UnmanagedRules", "Rules that others made", object{
			"Type": "String", "Default": "revoke", "AllowedValues": list{"revoke", "keep"},
			"Description": "What becomes of rules on the groups that the chain never made. revoke: an update takes them away. keep: they are left alone.",
		}},
		{"AdoptExisting", "Take over groups that are there", object{
			"Type": "String", "Default": "false", "AllowedValues": list{"false", "true"},
			"Description": adoptDescription,
		}},
		{"Revision", "Revision", object{
			"Type": "String", "Default": "",
			"Description": "Any text. Change it to have the security groups verified and repaired by an update.",
		}},
	}}
}
