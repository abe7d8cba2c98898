package chain

import (
	"regexp"
	"slices"
	"strings"
)

const (
	maxTierName = 64
	// maxText is EC2's limit for group names and for descriptions of groups and
	// rules (API reference, CreateSecurityGroup and IpRange).
	maxText = 255
)

var (
	vpcPattern  = regexp.MustCompile(`^vpc-[0-9a-z]+$`)
	tierPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)
	// groupText is the character set of group names and descriptions (API
	// reference, CreateSecurityGroup).
	groupText = regexp.MustCompile(`^[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]+$`)
	// ruleText is that of rule descriptions, without the ampersand, which
	// UserIdGroupPair does not have.
	ruleText = regexp.MustCompile(`^[A-Za-z0-9 ._\-:/()#,@\[\]+=;{}!$*]+$`)
)

// Parse reads the properties of a [ResourceType], as decoded from JSON. It
// returns a Spec that can be built, or [Problems]: all of them, each with its
// path. AnswerBytes is the room for the attributes in the answer to
// CloudFormation; a chain whose attributes cannot fit is refused.
func Parse(properties map[string]any, answerBytes int) (Spec, error) {
	r := &reader{}
	object := r.object("", properties, "VpcId", "Tiers", "IpFamilies", "UnmanagedRules", "AdoptExisting",
		"Guardrails", "RuleQuota", "Revision", "Tags", "ServiceToken", "ServiceTimeout")
	r.onlyDefault("IpFamilies", object["IpFamilies"], "ipv4")
	r.onlyDefault("UnmanagedRules", object["UnmanagedRules"], "revoke")
	r.onlyDefault("AdoptExisting", object["AdoptExisting"], "false")
	r.unsupported("Guardrails", object["Guardrails"])
	r.unsupported("RuleQuota", object["RuleQuota"])
	r.unsupported("Tags", object["Tags"])

	spec := Spec{VPCID: r.vpcID(object["VpcId"])}
	tiers := r.list("Tiers", object["Tiers"])
	if isAbsent(object["Tiers"]) {
		tiers = defaultTiers()
	}
	if len(tiers) == 0 && len(r.problems) == 0 {
		r.problem("Tiers", "is an empty list; name at least one tier, or leave Tiers out for the default chain")
	}
	names := r.tierNames(tiers)
	for i, value := range tiers {
		spec.Tiers = append(spec.Tiers, r.tier(index("Tiers", i), value, i, names))
	}
	r.distinctGroupNames(spec.Tiers)
	if len(r.problems) == 0 {
		r.answerFits(spec, answerBytes)
	}
	if len(r.problems) > 0 {
		return Spec{}, r.problems
	}
	return spec, nil
}

// defaultTiers is the chain that is meant when Tiers is absent.
func defaultTiers() []any {
	return []any{
		map[string]any{
			"Name": "Alb", "GroupName": "ALB-SG", "Description": "Security group for Application Load Balancer",
			"Ports": []any{"80", "443"},
		},
		map[string]any{
			"Name": "Fargate", "GroupName": "Fargate-SG", "Description": "Security group for Fargate containers",
			"Ports": []any{"6060"},
		},
	}
}

// onlyDefault admits a property of a later version with the value that this
// version works by.
func (r *reader) onlyDefault(path string, value any, only string) {
	for _, entry := range r.list(path, value) {
		if text, ok := r.scalar(path, entry); ok && text != "" && text != only {
			r.problem(path, "%q is not supported by this version; write %s or leave it out", text, only)
		}
	}
}

func (r *reader) unsupported(path string, value any) {
	if !isAbsent(value) {
		r.problem(path, "is not supported by this version; leave it out")
	}
}

func (r *reader) vpcID(value any) string {
	text, ok := r.scalar("VpcId", value)
	switch {
	case !ok:
	case text == "":
		r.problem("VpcId", "is missing; write the ID of the VPC that the groups belong to")
	case !vpcPattern.MatchString(text):
		r.problem("VpcId", "%q is not a VPC ID; it looks like vpc-0123456789abcdef0", text)
	}
	return text
}

// tierNames reads the names first, because tiers name one another.
func (r *reader) tierNames(tiers []any) []string {
	names := make([]string, len(tiers))
	for i, value := range tiers {
		path := index("Tiers", i)
		object, ok := value.(map[string]any)
		if !ok {
			continue // tier reports it
		}
		name, ok := r.scalar(path+".Name", object["Name"])
		switch {
		case !ok:
		case name == "":
			r.problem(path+".Name", "is missing; every tier has a name such as Alb")
		case !tierPattern.MatchString(name) || len(name) > maxTierName:
			r.problem(path+".Name", "%q is not a tier name; use at most %d letters and digits, a letter first", name, maxTierName)
		case slices.Contains(peerWords(), strings.ToLower(name)):
			r.problem(path+".Name", "%q is a word for a peer; choose another name", name)
		case slices.Contains(names[:i], name):
			r.problem(path+".Name", "%q is the name of another tier too; every tier needs its own", name)
		default:
			names[i] = name
		}
	}
	return names
}

func (r *reader) tier(path string, value any, place int, names []string) Tier {
	object := r.object(path, value, "Name", "GroupName", "Description", "Ports", "Sources", "Ingress", "Egress", "Tags", "AllowPublic")
	if object == nil {
		return Tier{}
	}
	r.unsupported(path+".Tags", object["Tags"])
	r.onlyDefault(path+".AllowPublic", object["AllowPublic"], "false")
	tier := Tier{Name: names[place]}
	tier.GroupName = r.groupName(path+".GroupName", object["GroupName"])
	tier.Description = r.text(path+".Description", object["Description"], groupText)
	if tier.Description == "" {
		tier.Description = "Security group of tier " + tier.Name
	}
	known := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "" })
	if isAbsent(object["Ingress"]) {
		previous := "internet"
		if place > 0 {
			previous = names[place-1]
		}
		tier.Ingress = r.shortForm(path, object, tier.Name, previous, known)
	} else {
		tier.Ingress = r.longForm(path, object, tier.Name, known)
	}
	tier.Egress = r.egress(path+".Egress", object["Egress"])
	return tier
}

// shortForm reads Ports and Sources. The first tier is open to the internet and
// every other one to its predecessor, unless Sources says otherwise.
func (r *reader) shortForm(path string, object map[string]any, tier, previous string, known []string) []Rule {
	traffics := r.traffics(path+".Ports", object["Ports"])
	sources := r.list(path+".Sources", object["Sources"])
	switch {
	case len(sources) > 0 && isAbsent(object["Ports"]):
		r.problem(path+".Ports", "is missing; Sources says who may come in, Ports says to which ports")
	case len(sources) == 0 && previous != "": // a nameless predecessor is reported by tierNames
		sources = []any{previous}
	}
	return r.rules(path+".Sources", traffics, sources, "", tier, known)
}

// longForm reads Ingress: a list of doors, each with its own Ports and Sources.
func (r *reader) longForm(path string, object map[string]any, tier string, known []string) []Rule {
	for _, key := range []string{"Ports", "Sources"} {
		if !isAbsent(object[key]) {
			r.problem(join(path, key), "stands beside Ingress; write it inside Ingress, or leave Ingress out")
		}
	}
	var rules []Rule
	for i, value := range r.list(path+".Ingress", object["Ingress"]) {
		door := index(path+".Ingress", i)
		entry := r.object(door, value, "Ports", "Sources", "Description")
		if entry == nil {
			continue
		}
		for _, key := range []string{"Ports", "Sources"} {
			if len(r.list(join(door, key), entry[key])) == 0 {
				r.problem(join(door, key), "is missing; a door of the long form needs both Ports and Sources")
			}
		}
		traffics := r.traffics(door+".Ports", entry["Ports"])
		sources := r.list(door+".Sources", entry["Sources"])
		description := r.text(door+".Description", entry["Description"], ruleText)
		for _, rule := range r.rules(door+".Sources", traffics, sources, description, tier, known) {
			twin := slices.IndexFunc(rules, func(other Rule) bool { return other.Key() == rule.Key() })
			switch {
			case twin < 0:
				rules = append(rules, rule)
			case rules[twin].Description != rule.Description:
				r.problem(door, "%s is there already, with the description %q; a rule has one description", rule, rules[twin].Description)
			}
		}
	}
	return rules
}

// rules combines every kind of traffic with every source.
func (r *reader) rules(path string, traffics []traffic, sources []any, description, tier string, known []string) []Rule {
	var rules []Rule
	for i, value := range sources {
		source, ok := r.source(index(path, i), value, tier, known)
		if !ok {
			continue
		}
		for _, traffic := range traffics {
			rule := Rule{Direction: Ingress, Protocol: traffic.protocol, Ports: traffic.ports, Peer: source.peer}
			if slices.ContainsFunc(rules, func(other Rule) bool { return other.Key() == rule }) {
				continue
			}
			rule.Description = description
			if description == "" {
				rule.Description = describe(source.name, tier, rule)
			}
			rules = append(rules, rule)
		}
	}
	return rules
}

func (r *reader) egress(path string, value any) EgressMode {
	if _, isList := value.([]any); isList {
		r.problem(path, "lists are not supported by this version; write all, chain or none")
		return EgressAll
	}
	text, ok := r.scalar(path, value)
	switch mode := EgressMode(text); {
	case !ok || mode == "":
		return EgressAll
	case mode == EgressAll || mode == EgressChain || mode == EgressNone:
		return mode
	default:
		r.problem(path, "%q is not known; write all, chain or none", text)
		return EgressAll
	}
}

func (r *reader) groupName(path string, value any) string {
	name := r.text(path, value, groupText)
	if strings.HasPrefix(strings.ToLower(name), "sg-") {
		r.problem(path, "%q begins with sg-, which EC2 keeps for group IDs; choose another name", name)
	}
	return name
}

func (r *reader) text(path string, value any, allowed *regexp.Regexp) string {
	text, ok := r.scalar(path, value)
	switch {
	case !ok || text == "":
	case !allowed.MatchString(text):
		r.problem(path, "%q has characters that EC2 refuses; use letters, digits, spaces and ._-:/()#,@[]+=;{}!$*", text)
	case len(text) > maxText:
		r.problem(path, "has %d characters; EC2 takes at most %d", len(text), maxText)
	}
	return text
}

// distinctGroupNames compares as EC2 does: names are unique in a VPC without
// regard to case.
func (r *reader) distinctGroupNames(tiers []Tier) {
	first := map[string]string{}
	for i, tier := range tiers {
		name := strings.ToLower(tier.GroupName)
		if name == "" {
			continue
		}
		if other, taken := first[name]; taken {
			r.problem(index("Tiers", i)+".GroupName", "%q is the name of tier %s's group too; names are unique in a VPC, whatever their case", tier.GroupName, other)
			continue
		}
		first[name] = tier.Name
	}
}

// TierNames lists the tiers' names as far as they can be read, without any
// check: a Delete wants their order and must not fail on properties that were
// refused before.
func TierNames(properties map[string]any) []string {
	tiers, ok := properties["Tiers"].([]any)
	if !ok {
		tiers = defaultTiers()
	}
	var names []string
	for _, value := range tiers {
		tier, isMap := value.(map[string]any)
		if name, isText := tier["Name"].(string); isMap && isText {
			names = append(names, name)
		}
	}
	return names
}
