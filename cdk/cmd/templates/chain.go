package main

import (
	"sgchain/cdk/internal/release"
	"sgchain/lambda/chain"
)

const chainID = "Chain"

// The conditions of a chain's parameters.
const (
	ownTiers = "OwnTiers"
	noTiers  = "DefaultTiers"
	alsoIPv6 = "AlsoIPv6"
)

// The headings of the form whose fields have rules.
const (
	loadBalancerLabel = "Load balancer"
	containersLabel   = "Containers"
	driftLabel        = "Drift guard"
)

// adoptDescription holds for both templates: in the all-in-one the provider's right hangs
// on the same parameter.
const adoptDescription = "true: groups of the VPC that have a tier's group name are taken over, with their ID, and released in the end, never deleted. The function then may tag groups that it did not make; " +
	"a shared provider needs AllowAdoption."

// groupName is what EC2 takes as the name of a group that is made, and the empty text. Default is
// the name of every VPC's own group.
const groupName = `^(?![sS][gG]-)(?! *[dD][eE][fF][aA][uU][lL][tT] *$)[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}$`

func allInOne(provider object) template {
	// After the last of the provider's resources, and so after all of them: the Delete
	// event comes while role, log and the limits on retries are still there.
	own := merge(chainResource(getAtt(functionID, "Arn")), after(retriesID))
	return template{
		description: "A chain of security groups, each open to exactly the tier before it, with its provider " + release.Mark(),
		groups:      append(chainGroups(), functionGroup()),
		rules:       rules(),
		conditions: merge(chainConditions(), object{
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
		groups:      append([]group{{"Provider", []parameter{token}}}, chainGroups()...),
		rules:       rules(),
		conditions:  chainConditions(),
		resources:   merge(object{chainID: chainResource(ref("ServiceToken"))}, driftGuard(ref("ServiceToken"))),
		outputs:     chainOutputs(ref("ServiceToken")),
	}
}

// chainResource is one resource, however many tiers the chain has.
func chainResource(serviceToken any) object {
	return object{
		"Type": chain.ResourceType,
		"Properties": merge(chainProperties(), object{
			"ServiceToken":   serviceToken,
			"ServiceTimeout": chain.ServiceTimeout,
			"Revision":       ref("Revision"),
		}),
	}
}

// chainProperties are those that say what the chain is.
func chainProperties() object {
	return object{
		"VpcId":          ref("VpcId"),
		"IpFamilies":     ifElse(alsoIPv6, list{"ipv4", "ipv6"}, list{"ipv4"}),
		"RuleQuota":      ref("RuleQuota"),
		"Guardrails":     ref("Guardrails"),
		"UnmanagedRules": ref("UnmanagedRules"),
		"AdoptExisting":  ref("AdoptExisting"),
		"Tiers": ifElse(ownTiers, ref("Tiers"), list{
			object{
				"Name": "Alb", "GroupName": ref("AlbGroupName"), "Description": "Security group for Application Load Balancer",
				"Ports": ref("AlbPorts"), "Sources": ref("AlbSources"), "Egress": ref("AlbEgress"),
			},
			object{
				"Name": "Fargate", "GroupName": ref("FargateGroupName"), "Description": "Security group for Fargate containers",
				"Ports": list{ref("ContainerPort")},
			},
		}),
	}
}

func chainConditions() object {
	return object{
		noTiers:  equals(ref("Tiers"), ""),
		ownTiers: not(object{"Condition": noTiers}),
		alsoIPv6: equals(ref("IPv6"), "true"),
		guarded:  not(equals(ref(modeOfGuard), "off")),
		notified: not(equals(ref("DriftTopicArn"), "")),
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
func chainGroups() []group {
	name := func(byDefault string) object {
		return object{
			"Type": "String", "Default": byDefault, "AllowedPattern": groupName,
			"ConstraintDescription": "must be at most 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*, and not begin with sg- or be default",
			"Description":           "Unique in the VPC. Changing it replaces the group. Empty: a name is generated.",
		}
	}
	return []group{
		{"Network", []parameter{
			{"VpcId", "VPC", object{"Type": "AWS::EC2::VPC::Id", "Description": "The VPC that the security groups belong to. Changing it replaces them all."}},
		}},
		{loadBalancerLabel, []parameter{
			{"AlbPorts", "Ports", object{
				"Type": "CommaDelimitedList", "Default": "80,443", "AllowedPattern": "^((tcp|udp)/)?[0-9]{1,5}(-[0-9]{1,5})?$|^https?$",
				"ConstraintDescription": "must be ports such as 443, 8000-8010 or udp/443, separated by commas",
				"Description":           "What the load balancer listens on, separated by commas.",
			}},
			{"AlbSources", "Who may come in", object{
				"Type": "CommaDelimitedList", "Default": "internet",
				"AllowedPattern":        `^(internet(-v4|-v6)?|vpc|([0-9]{12}/)?sg-[0-9a-z]+|pl-[0-9a-z]+|(group|list)/[^,\\]+|((cn\.)?com\.amazonaws|eu\.amazonaws|gov\.(ic\.c2s|sgov\.sc2s|ic\.hci\.csp)|uk\.adc-e\.cloud)\.[a-z0-9{}.-]+|[0-9A-Fa-f.:]+/[0-9]{1,3})$`,
				"ConstraintDescription": "must be internet, vpc, ranges such as 203.0.113.0/24, security groups (sg-... or group/NAME) or prefix lists (pl-... or list/NAME), separated by commas",
				"Description":           "internet, vpc, ranges such as 203.0.113.7/32, security groups (sg-... or group/NAME) or prefix lists (pl-..., list/NAME, or one of AWS such as com.amazonaws.global.cloudfront.origin-facing), separated by commas.",
			}},
			{"AlbEgress", "What it may call", object{
				"Type": "String", "Default": "all", "AllowedValues": list{"all", "chain"},
				"Description": "all, or chain: only the containers, on their port.",
			}},
			{"AlbGroupName", "Name of its group", name("ALB-SG")},
		}},
		{containersLabel, []parameter{
			{"ContainerPort", "Port", object{
				"Type": "Number", "Default": 6060, "MinValue": 1, "MaxValue": 65535,
				"ConstraintDescription": "must be a port from 1 to 65535",
				"Description":           "What the containers listen on. Only the load balancer reaches it.",
			}},
			{"FargateGroupName", "Name of their group", name("Fargate-SG")},
		}},
		{"A chain of your own", []parameter{
			{"Tiers", "Tiers, in place of load balancer and containers", object{
				"Type": "String", "Default": "", "AllowedPattern": `^(\s*\[[\s\S]*\]\s*)?$`,
				"ConstraintDescription": `must be a list of tiers in JSON, such as [{"Name": "Web", "Ports": [443]}], or empty`,
				"Description":           `Empty: load balancer and containers as above. Otherwise the list of tiers in JSON, outermost first, at most 4,096 bytes: [{"Name": "Web", "Ports": [443]}, {"Name": "App", "Ports": [8080]}, {"Name": "Db", "Ports": ["postgres"]}]`,
			}},
		}},
		optionsGroup(),
		driftGroup(),
	}
}

func optionsGroup() group {
	return group{"Options", []parameter{
		{"IPv6", "IPv6", object{
			"Type": "String", "Default": "false", "AllowedValues": list{"false", "true"},
			"Description": "true: internet, vpc and the way out mean IPv6 as well as IPv4.",
		}},
		{"RuleQuota", "Rules in a group", object{
			"Type": "Number", "Default": 60, "MinValue": 1, "MaxValue": 1000,
			"ConstraintDescription": "must be a number from 1 to 1000",
			"Description":           "The account's quota of rules in a group, for each direction and family of addresses.",
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
