package chain

import (
	"regexp"
	"strconv"
	"strings"
)

// The rules of single values, as schemas. Patterns use only syntax with the same meaning in Go,
// JavaScript and Python: no look-ahead, no flags, no named classes.

func vpcRules() node {
	return node{"type": "string", "pattern": spaced(inner(vpcPattern())), "errorMessage": "is not a VPC ID. Use an ID such as vpc-0123456789abcdef0."}
}

func tiersRules() node {
	return node{
		"type": []any{"array", "string", "null"}, "minItems": 1, "maxItems": maxTiers, "items": ref("Tier"), "pattern": `^$|^[\x09\x0a\x0d ]*\[`,
		"errorMessage": `Write a list of tiers, or the same list as JSON text: [{"Name": "Alb", "Ports": [80, 443]}].`,
	}
}

func ingressRules() node {
	return node{"type": []any{"array", "null"}, "minItems": 1, "items": ref("IngressEntry"), "errorMessage": "Write a list of {Ports, Sources, Description}."}
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
	return except(named, "this protocol has a form of its own. Write "+strings.Join(forms, ", ")+".", node{
		"type": []any{"integer", "string"}, "minimum": 0, "maximum": maxPort, "pattern": spaced(portPattern()),
		"errorMessage": "is not a port. " + portForms,
	})
}

// portPattern returns an expression for the texts that [reader.traffic] accepts.
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

// namedNumbers returns the numbers of protocols that have a form of their own, and these forms.
func namedNumbers() (numbers, forms []string) {
	for number, form := range namedProtocols {
		if form != "" {
			numbers, forms = append(numbers, strconv.Itoa(number)), append(forms, form)
		}
	}
	return numbers, forms
}

// except also refuses texts that begin with an expression, after white space. It refuses them by
// their type, because editors do not show our message for "not".
func except(beginning, message string, rules node) node {
	rules["if"] = node{"type": "string", "pattern": "^" + blanks + "(?:" + beginning + ")"}
	rules["then"] = node{"type": "null", "errorMessage": message}
	return rules
}

// peerRules accepts any tier name. Only the parser knows whether the tier exists.
func peerRules() node {
	ids := anyCase(groupPrefix) + blanks + anyCase(groupIDPrefix) + "|" + anyCase(listPrefix) + blanks + anyCase(inner(listID())) + blanks + "$"
	return except(ids, "has an ID instead of a name. Remove the prefix.", node{
		"type": []any{"string", "boolean"}, "pattern": spaced(peerPattern()),
		"errorMessage": "is not a peer. Write a tier, a CIDR such as 203.0.113.7/32, internet, internet-v4, internet-v6, vpc, self, " +
			"a security group (sg-... or group/NAME), or a prefix list (pl-..., list/NAME or com.amazonaws...).",
	})
}

// namedPattern returns an expression for the texts that [reader.named] accepts. The name has no
// blank at its beginning or end.
func namedPattern(prefix string, names *regexp.Regexp) string {
	one := strings.TrimSuffix(strings.TrimPrefix(names.String(), "^"), "+$")
	first := strings.Replace(one, " ", "", 1)
	if strings.HasPrefix(one, "[^") {
		first = strings.TrimSuffix(one, "]") + blank + "]"
	}
	return anyCase(prefix) + blanks + first + repeated(one, 0, maxText-1)
}

// peerPattern returns an expression for the texts that [reader.peers] accepts.
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
	return except(anyCase(oneOf(peerWords()))+blanks+"$", "is a word for a peer. Use another name.", node{
		"type": []any{"string", "boolean"}, "pattern": spaced(tierName()),
		"errorMessage": "is not a tier name. Use at most " + strconv.Itoa(maxTierName) + " letters and digits, a letter first.",
	})
}

// releaseRules accepts a list of tier names, or a single one. Names may be empty.
func releaseRules() node {
	one := nameRules()
	one["type"], one["pattern"] = []any{"string", "boolean", "null"}, spaced("(?:"+tierName()+")?")
	return node{"if": node{"type": "array"}, "then": node{"items": value(node{}, one)}, "else": one}
}

// textRules returns the rules of descriptions and of other texts with the same limits in EC2.
func textRules() node {
	return node{
		"type":         []any{"string", "number", "boolean", "null"},
		"pattern":      "^" + blanks + "(?:" + bounded(inner(ec2Text()), maxText) + ")?" + blanks + "$",
		"errorMessage": "Use at most " + strconv.Itoa(maxText) + " letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*.",
	}
}

func groupNameRules() node {
	reserved := anyCase(groupIDPrefix) + "|" + anyCase(defaultGroupName) + blanks + "$"
	return except(reserved, "EC2 reserves names that begin with sg-, and the name default. Use another name.", textRules())
}

// wordRules accepts one of some words, or an empty text.
func wordRules(words []string, kinds ...any) node {
	return node{
		"type": append([]any{"string", "null"}, kinds...), "pattern": spaced("(?:" + anyCase(oneOf(words)) + ")?"),
		"errorMessage": "Write " + strings.Join(words, " or ") + ", or remove it to use " + words[0] + ".",
	}
}

func quotaRules() node {
	return node{
		"type": []any{"integer", "string", "null"}, "minimum": 1, "maximum": maxRuleQuota, "pattern": spaced(whole(maxRuleQuota) + "?"),
		"errorMessage": "Write the account's quota, a number from 1 to " + strconv.Itoa(maxRuleQuota) + ", or remove it to use " + strconv.Itoa(defaultRuleQuota) + ".",
	}
}

// familyRules always requires IPv4.
func familyRules() node {
	const remedy = "Write ipv4, or ipv4 and ipv6."
	v4 := node{"type": "string", "pattern": spaced(anyCase(familyV4)), "errorMessage": remedy}
	one := node{"type": "string", "pattern": spaced(anyCase(oneOf(familyWords))), "errorMessage": remedy}
	return node{
		"if": node{"type": "array"},
		"then": node{
			"minItems": 1, "items": value(offering(node{}, texts(familyWords)), one),
			"contains": value(node{}, v4), "errorMessage": "lacks ipv4, which every VPC has. " + remedy,
		},
		"else": absent(v4),
	}
}

// movedRules accepts a logical ID, or a map with one. Either may be empty, as a template's
// parameters can be.
func movedRules() node {
	return absent(node{
		"if":   node{"type": "object"},
		"then": object(movedKeys, movedNodes(), "LogicalId"),
		"else": formRules(logicalIDPattern, logicalIDForm),
	})
}

// formRules accepts a text of a form, or an empty text.
func formRules(pattern func() *regexp.Regexp, form string) node {
	return node{"type": []any{"string", "number", "boolean"}, "pattern": "^" + blanks + "$|" + spaced(inner(pattern())), "errorMessage": "Write " + form + "."}
}

func tagKeyRules() node {
	reserved := []string{reservedTag, OwnershipPrefix}
	return except(anyCase(oneOf(reserved)), "the key begins with a reserved prefix ("+strings.Join(reserved, ", ")+"). Use another key.", node{
		"type": []any{"string", "number", "boolean"}, "maxLength": maxTagKey, "pattern": "[^" + blank + "]",
		"errorMessage": "Use a key of 1 to " + strconv.Itoa(maxTagKey) + " characters.",
	})
}

func tagValueRules() node {
	return node{
		"type": []any{"string", "number", "boolean", "null"}, "maxLength": maxTagValue,
		"errorMessage": "Use one value of at most " + strconv.Itoa(maxTagValue) + " characters.",
	}
}
