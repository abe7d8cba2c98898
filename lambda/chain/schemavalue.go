package chain

import (
	"regexp"
	"strconv"
	"strings"
)

// The rules of single values, as schemas. Patterns are in what Go, JavaScript and Python read alike:
// no look-ahead, no flags, no classes by name.

func vpcRules() node {
	return node{"type": "string", "pattern": spaced(inner(vpcPattern())), "errorMessage": "is not a VPC ID; it looks like vpc-0123456789abcdef0"}
}

func tiersRules() node {
	return node{
		"type": []any{"array", "string", "null"}, "minItems": 1, "maxItems": maxTiers, "items": ref("Tier"), "pattern": `^$|^[\x09\x0a\x0d ]*\[`,
		"errorMessage": `write a list of tiers, or the same list as JSON in a text: [{"Name": "Alb", "Ports": [80, 443]}]`,
	}
}

func ingressRules() node {
	return node{"type": []any{"array", "null"}, "minItems": 1, "items": ref("IngressEntry"), "errorMessage": "write a list of {Ports, Sources, Description}"}
}

func egressRules() node {
	return absent(node{
		"if":   node{"type": "array"},
		"then": node{"minItems": 1, "items": ref("EgressEntry")},
		"else": ref("EgressEntry"),
	})
}

func portRules() node {
	numbers, forms := namedNumbers()
	named := anyCase(numberForm+"/") + "[+]?0*" + oneOf(numbers) + blanks + "$"
	return except(named, "this protocol has a form of its own; write "+strings.Join(forms, ", "), node{
		"type": []any{"integer", "string"}, "minimum": 0, "maximum": maxPort, "pattern": spaced(portPattern()),
		"errorMessage": "is not a port; " + portForms,
	})
}

// portPattern matches what [reader.traffic] reads.
func portPattern() string {
	port := blanks + whole(maxPort) + blanks
	icmp := whole(maxICMP)
	forms := []string{
		anyCase(oneOf(sortedServices())), anyCase(string(All)),
		"(?:" + anyCase(oneOf([]string{string(TCP), string(UDP)})+"/") + ")?" + port + "(?:-" + port + ")?",
		anyCase(oneOf([]string{string(ICMP), string(ICMPv6)})) + "(?:/" + icmp + "(?:/" + icmp + ")?)?",
		anyCase(numberForm+"/") + whole(maxProtocol),
	}
	return strings.Join(forms, "|")
}

// namedNumbers lists the numbers of protocols that have a form of their own, and these forms.
func namedNumbers() (numbers, forms []string) {
	for number, form := range namedProtocols {
		if form != "" {
			numbers, forms = append(numbers, strconv.Itoa(number)), append(forms, form)
		}
	}
	return numbers, forms
}

// except adds that texts that begin in some way, after white space, are refused. Editors have no
// message of ours for "not", and one for a type.
func except(beginning, message string, rules node) node {
	rules["if"] = node{"type": "string", "pattern": "^" + blanks + "(?:" + beginning + ")"}
	rules["then"] = node{"type": "null", "errorMessage": message}
	return rules
}

// peerRules takes any name for that of a tier: which there are is for the parser to see.
func peerRules() node {
	ids := anyCase(groupPrefix) + blanks + anyCase(groupIDPrefix) + "|" + anyCase(listPrefix) + blanks + anyCase(inner(listID())) + blanks + "$"
	return except(ids, "has an ID in the place of a name; leave out what stands before it", node{
		"type": []any{"string", "boolean"}, "pattern": spaced(peerPattern()),
		"errorMessage": "is not a peer; write a tier, a CIDR such as 203.0.113.7/32, internet, internet-v4, internet-v6, vpc, self, " +
			"a security group (sg-... or group/NAME), a prefix list (pl-... or list/NAME) or the name of one of AWS (com.amazonaws...)",
	})
}

// namedPattern matches what [reader.named] reads: a name begins and ends with no blank.
func namedPattern(prefix string, names *regexp.Regexp) string {
	one := strings.TrimSuffix(strings.TrimPrefix(names.String(), "^"), "+$")
	first := strings.Replace(one, " ", "", 1)
	if strings.HasPrefix(one, "[^") {
		first = strings.TrimSuffix(one, "]") + blank + "]"
	}
	return anyCase(prefix) + blanks + first + repeated(one, 0, maxText-1)
}

// peerPattern matches what [reader.peers] reads.
func peerPattern() string {
	octet := "(?:" + upTo(0xff) + ")"
	const groups = "[0-9A-Fa-f:.]*"
	return strings.Join([]string{
		tierName(), anyCase(oneOf(peerWords())), anyCase(inner(groupPeer())), anyCase(inner(listPeer())),
		anyCase(oneOf(listPartitions) + inner(listRest())),
		namedPattern(groupPrefix, ec2Text()), namedPattern(listPrefix, listText()),
		octet + `(?:\.` + octet + `){3}/(?:` + upTo(InternetV4.Addr().BitLen()) + ")",
		groups + ":" + groups + "/(?:" + upTo(InternetV6.Addr().BitLen()) + ")",
	}, "|")
}

func tierName() string { return bounded(inner(tierPattern()), maxTierName-1) }

func nameRules() node {
	return except(anyCase(oneOf(peerWords()))+blanks+"$", "is a word for a peer; choose another name", node{
		"type": []any{"string", "boolean"}, "pattern": spaced(tierName()),
		"errorMessage": "is not a tier name; use at most " + strconv.Itoa(maxTierName) + " letters and digits, a letter first",
	})
}

// releaseRules takes a list of tier names, or one in its place, and nothing as well.
func releaseRules() node {
	one := nameRules()
	one["type"], one["pattern"] = []any{"string", "boolean", "null"}, spaced("(?:"+tierName()+")?")
	return node{"if": node{"type": "array"}, "then": node{"items": value(node{}, one)}, "else": one}
}

// textRules is of descriptions, and of all that EC2 takes as them.
func textRules() node {
	return node{
		"type":         []any{"string", "number", "boolean", "null"},
		"pattern":      "^" + blanks + "(?:" + bounded(inner(ec2Text()), maxText) + ")?" + blanks + "$",
		"errorMessage": "EC2 takes at most " + strconv.Itoa(maxText) + " letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*",
	}
}

func groupNameRules() node {
	reserved := anyCase(groupIDPrefix) + "|" + anyCase(defaultGroupName) + blanks + "$"
	return except(reserved, "EC2 keeps names that begin with sg- for IDs, and default for every VPC's own group; choose another name", textRules())
}

// wordRules takes one of some words, or nothing.
func wordRules(words []string, kinds ...any) node {
	return node{
		"type": append([]any{"string", "null"}, kinds...), "pattern": spaced("(?:" + anyCase(oneOf(words)) + ")?"),
		"errorMessage": "write " + strings.Join(words, " or ") + ", or leave it out for " + words[0],
	}
}

func quotaRules() node {
	return node{
		"type": []any{"integer", "string", "null"}, "minimum": 1, "maximum": maxRuleQuota, "pattern": spaced(whole(maxRuleQuota) + "?"),
		"errorMessage": "write the account's own quota, a number from 1 to " + strconv.Itoa(maxRuleQuota) + ", or leave it out for " + strconv.Itoa(defaultRuleQuota),
	}
}

// familyRules wants IPv4 in any case.
func familyRules() node {
	const remedy = "write ipv4, or ipv4 and ipv6"
	v4 := node{"type": "string", "pattern": spaced(anyCase(familyV4)), "errorMessage": remedy}
	one := node{"type": "string", "pattern": spaced(anyCase(oneOf(familyWords))), "errorMessage": remedy}
	return node{
		"if": node{"type": "array"},
		"then": node{
			"minItems": 1, "items": value(offering(node{}, texts(familyWords)), one),
			"contains": value(node{}, v4), "errorMessage": "lacks ipv4, which every VPC has; " + remedy,
		},
		"else": absent(v4),
	}
}

// movedRules is a logical ID, or a map with one; either may be empty, as the parameters of a template are.
func movedRules() node {
	return absent(node{
		"if":   node{"type": "object"},
		"then": object(movedKeys, movedNodes(), "LogicalId"),
		"else": formRules(logicalIDPattern, logicalIDForm),
	})
}

// formRules is a text of a form, or an empty one.
func formRules(pattern func() *regexp.Regexp, form string) node {
	return node{"type": []any{"string", "number", "boolean"}, "pattern": "^" + blanks + "$|" + spaced(inner(pattern())), "errorMessage": "is not " + form}
}

func tagKeyRules() node {
	reserved := []string{reservedTag, OwnershipPrefix}
	return except(anyCase(oneOf(reserved)), "the key begins with a prefix that is reserved ("+strings.Join(reserved, ", ")+"); choose another key", node{
		"type": []any{"string", "number", "boolean"}, "maxLength": maxTagKey, "pattern": "[^" + blank + "]",
		"errorMessage": "a key has 1 to " + strconv.Itoa(maxTagKey) + " characters",
	})
}

func tagValueRules() node {
	return node{
		"type": []any{"string", "number", "boolean", "null"}, "maxLength": maxTagValue,
		"errorMessage": "a tag has one value of at most " + strconv.Itoa(maxTagValue) + " characters",
	}
}
