package chain

import (
	"slices"
	"strconv"
	"strings"
)

const (
	maxTierName = 64
	// maxText is EC2's limit for group names and for descriptions of groups and
	// rules (API reference, CreateSecurityGroup and IpRange).
	maxText = 255
)

var (
	vpcPattern  = lazily(`^vpc-[0-9a-z]+$`)
	tierPattern = lazily(`^[A-Za-z][A-Za-z0-9]*$`)
	// ec2Text matches names and descriptions of groups, and descriptions of rules whose peer is
	// an address range (API reference, CreateSecurityGroup, IpRange, Ipv6Range).
	ec2Text = lazily(`^[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]+$`)
	// pairText matches descriptions of other rules, which cannot have an ampersand
	// (UserIdGroupPair, PrefixListId).
	pairText = lazily(`^[A-Za-z0-9 ._\-:/()#,@\[\]+=;{}!$*]+$`)
)

// The known keys. [Schema] describes each of them.
//
//nolint:gochecknoglobals // constants in all but syntax
var (
	propertyKeys = []string{
		"VpcId", "Tiers", "IpFamilies", "UnmanagedRules", "AdoptExisting", "ReleaseTiers", "Guardrails", "RuleQuota", "Revision", "Tags", "StackTags", "MovedFrom",
		"ServiceToken", "ServiceTimeout",
	}
	tierKeys = []string{"Name", "GroupName", "Description", "Ports", "Sources", "Ingress", "Egress", "Tags", "AllowPublic"}
	// The keys of an entry of Ingress and of Egress.
	ingressKeys = []string{"Ports", "Sources", "Description"}
	egressKeys  = []string{"Ports", "Destinations", "Description"}
	tagKeys     = []string{"Key", "Value"}
	movedKeys   = []string{"LogicalId", "Stack", "Provider"}
)

// The known words, the default first.
//
//nolint:gochecknoglobals // constants in all but syntax
var (
	unmanagedWords = []string{"revoke", "keep"}
	guardrailWords = []string{"enforce", "warn"}
	flagWords      = []string{"false", "true"}
	stackTagsWords = []string{"true", "false"}
	egressWords    = []string{egressAll, egressChain, egressNone}
	familyWords    = []string{familyV4, familyV6}
)

// maxTiers is above the number of tiers that fit an answer to CloudFormation: about 62.
const maxTiers = 100

// Parse reads the properties of a [ResourceType], as decoded from JSON. It returns a valid Spec
// or all [Problems], each with its path. AnswerBytes is the room for the attributes in the answer
// to CloudFormation. Parse refuses a chain whose attributes do not fit.
func Parse(properties map[string]any, answerBytes int) (Spec, error) {
	return (&reader{}).parse(properties, answerBytes)
}

func (r *reader) parse(properties map[string]any, answerBytes int) (Spec, error) {
	object := r.object("", properties, propertyKeys...)
	spec := Spec{
		VPCID: r.vpcID(object["VpcId"]), IPv6: r.ipv6("IpFamilies", object["IpFamilies"]),
		RuleQuota:     r.ruleQuota("RuleQuota", object["RuleQuota"]),
		KeepUnmanaged: r.word("UnmanagedRules", object["UnmanagedRules"], unmanagedWords...) == "keep",
		Adopt:         r.flag("AdoptExisting", object["AdoptExisting"]),
		WarnOnly:      r.word("Guardrails", object["Guardrails"], guardrailWords...) == "warn",
		MovedFrom:     r.movedFrom("MovedFrom", object["MovedFrom"]),
		NoStackTags:   r.word("StackTags", object["StackTags"], stackTagsWords...) == "false",
	}
	tags := r.tags("Tags", object["Tags"])
	tiers, readable := r.tierList(object["Tiers"])
	switch {
	case len(tiers) == 0 && readable:
		r.problem("Tiers", "is an empty list. Add at least one tier, or remove Tiers to use the default chain.")
	case len(tiers) > maxTiers:
		r.problem("Tiers", "has %d tiers, but CloudFormation's response has room for at most %d. Use fewer tiers, or split the chain into several.", len(tiers), maxTiers)
		return Spec{}, r.err()
	}
	names := r.tierNames(tiers)
	spec.ReleaseTiers = r.releaseTiers(object["ReleaseTiers"], names)
	in := newScope(names, spec.IPv6)
	for i, value := range tiers {
		tier := r.tier(index("Tiers", i), value, i, in)
		tier.Tags = r.mergeTags(index("Tiers", i)+".Tags", tags, tier.Tags, spec.Adopt && tier.GroupName != "")
		spec.Tiers = append(spec.Tiers, tier)
	}
	r.distinctGroupNames(spec.Tiers)
	r.notOwnNames(spec.Tiers)
	if spec.Adopt && readable && !slices.ContainsFunc(spec.Tiers, func(tier Tier) bool { return tier.GroupName != "" }) {
		r.problem("AdoptExisting", "is true, but no tier has a GroupName. Set GroupName to the names of the existing groups, or remove AdoptExisting.")
	}
	if r.found == 0 {
		r.answerFits(spec, answerBytes)
	}
	if err := r.err(); err != nil {
		return Spec{}, err
	}
	return spec, nil
}

// defaultRuleQuota is EC2's quota for a direction and an address family. With a higher quota, a
// network interface may have fewer groups: rules times groups is at most maxRuleQuota (VPC user
// guide, "Amazon VPC quotas").
const (
	defaultRuleQuota = 60
	maxRuleQuota     = 1000
	// maxEntryRules is the most rules that a group can have for both families together.
	maxEntryRules = 2 * maxRuleQuota
)

func (r *reader) ruleQuota(path string, value any) int {
	text, ok := r.scalar(path, value)
	if !ok || text == "" {
		return defaultRuleQuota
	}
	quota, err := strconv.Atoi(text)
	if err != nil || quota < 1 || quota > maxRuleQuota {
		r.problem(path, "%s is not a quota of rules. Write the account's quota, a number from 1 to %d, or remove it to use %d.", quoted(text), maxRuleQuota, defaultRuleQuota)
	}
	return quota
}

// ipv6 reads IpFamilies and reports whether IPv6 is among them.
func (r *reader) ipv6(path string, value any) bool {
	const remedy = "Write ipv4, or ipv4 and ipv6"
	v4, v6 := false, false
	entries, _ := r.entries(path, value, remedy+", or remove IpFamilies to use ipv4.")
	for i, entry := range entries {
		if !r.built && r.isEmptyEntry(index(path, i), i, entry, remedy+".") {
			continue
		}
		text, ok := r.scalar(index(path, i), entry)
		switch word := strings.ToLower(text); {
		case !ok || word == "":
		case !slices.Contains(familyWords, word):
			r.problem(index(path, i), "unknown value %s. "+remedy+".", quoted(text))
		default:
			v4, v6 = v4 || word == familyV4, v6 || word == familyV6
		}
	}
	if v6 && !v4 {
		r.problem(path, "lacks ipv4, which every VPC has. Write ipv4 and ipv6.")
	}
	return v6
}

// DefaultTiers returns the default of the property Tiers.
func DefaultTiers() []any {
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

func (r *reader) vpcID(value any) string {
	text, ok := r.scalar("VpcId", value)
	switch {
	case !ok:
	case text == "":
		r.problem("VpcId", "is missing. Write the ID of the VPC for the groups.")
	case !vpcPattern().MatchString(text) || (len(text) > maxText && !r.built):
		r.problem("VpcId", "%s is not a VPC ID. Use an ID such as vpc-0123456789abcdef0.", quoted(text))
	}
	return text
}

// tierNames reads the names before the tiers, because tiers name each other. An invalid name is
// empty in the result.
func (r *reader) tierNames(tiers []any) []string {
	names, taken := make([]string, len(tiers)), map[string]string{}
	for i, value := range tiers {
		object, ok := value.(map[string]any)
		if !ok {
			continue // tier reports it
		}
		path := index("Tiers", i) + ".Name"
		if isBlank(object["Name"]) || object["Name"] == nil {
			r.problem(path, "is missing. Give the tier a name, such as Alb.")
			continue
		}
		names[i] = r.tierName(path, object["Name"], taken, "is the name of another tier too. Use another name.")
	}
	return names
}

// releaseTiers reads the names of tiers whose groups are released when they leave the chain. It
// ignores empty names: a list parameter always has at least one entry.
func (r *reader) releaseTiers(value any, current []string) []string {
	var names []string
	taken := map[string]string{}
	for _, name := range current {
		taken[name] = "is in Tiers. Remove it from Tiers in the same update."
	}
	for i, entry := range r.list("ReleaseTiers", value) {
		if entry == nil || isBlank(entry) {
			continue
		}
		if name := r.tierName(index("ReleaseTiers", i), entry, taken, "occurs twice. Keep one."); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// tierName reads a name that is not taken, and takes it. Again is the problem if the name occurs
// another time. For an invalid name the result is empty.
func (r *reader) tierName(path string, value any, taken map[string]string, again string) string {
	name, ok := r.scalar(path, value)
	switch {
	case !ok:
	case len(name) > maxTierName || !tierPattern().MatchString(name):
		r.problem(path, "%s is not a tier name. Use at most %d letters and digits, a letter first.", quoted(name), maxTierName)
	case slices.Contains(peerWords(), strings.ToLower(name)):
		r.problem(path, "%s is a word for a peer. Use another name.", quoted(name))
	case taken[name] != "":
		r.problem(path, "%s %s", quoted(name), taken[name])
	default:
		taken[name] = again
		return name
	}
	return ""
}

func (r *reader) tier(path string, value any, place int, in scope) Tier {
	object := r.object(path, value, tierKeys...)
	if object == nil {
		return Tier{}
	}
	in.tier = in.names[place]
	tier := Tier{Name: in.tier, AllowPublic: r.flag(path+".AllowPublic", object["AllowPublic"]), Tags: r.tags(path+".Tags", object["Tags"])}
	tier.GroupName = r.groupName(path+".GroupName", object["GroupName"])
	tier.Description = r.text(path+".Description", object["Description"], true)
	if tier.Description == "" {
		tier.Description = "Security group of tier " + tier.Name
	}
	entries, isLong := r.entries(path+".Ingress", object["Ingress"], "Add entries, or remove Ingress to allow no inbound traffic.")
	if isLong {
		tier.Ingress = r.longForm(path, object, entries, in)
	} else {
		previous := "internet"
		if place > 0 {
			previous = in.names[place-1]
		}
		tier.Ingress = r.shortForm(path, object, previous, in)
	}
	tier.Egress = r.egress(path+".Egress", object["Egress"], in)
	return tier
}

// EC2 refuses group names that begin like group IDs, and the name of every VPC's default group.
const (
	groupIDPrefix    = "sg-"
	defaultGroupName = "default"
)

func (r *reader) groupName(path string, value any) string {
	name := r.text(path, value, true)
	switch lower := strings.ToLower(name); {
	case strings.HasPrefix(lower, groupIDPrefix):
		r.problem(path, "%s begins with sg-, which EC2 reserves for group IDs. Use another name.", quoted(name))
	case lower == defaultGroupName && !r.built:
		r.problem(path, "%s is the name of every VPC's default security group, which cannot be created or adopted. Use another name.", quoted(name))
	}
	return name
}

// text reads a name or a description. Only the descriptions of some rules cannot have an
// ampersand.
func (r *reader) text(path string, value any, ampersand bool) string {
	text, ok := r.scalar(path, value)
	allowed, characters := ec2Text(), `._-:/()#,@[]+=&;{}!$*`
	if !ampersand {
		allowed, characters = pairText(), `._-:/()#,@[]+=;{}!$*`
	}
	switch {
	case !ok || text == "":
	case !allowed.MatchString(text):
		r.problem(path, "%s has characters that EC2 refuses. Use letters, digits, spaces and %s.", quoted(text), characters)
	case len(text) > maxText:
		r.problem(path, "has %d characters. Use at most %d.", len(text), maxText)
	}
	return text
}

// distinctGroupNames compares names as EC2 does: names in a VPC must differ in more than case.
func (r *reader) distinctGroupNames(tiers []Tier) {
	first := map[string]string{}
	for i, tier := range tiers {
		name := strings.ToLower(tier.GroupName)
		if name == "" {
			continue
		}
		if other, taken := first[name]; taken {
			r.problem(index("Tiers", i)+".GroupName", "%s is the name of tier %s's group too (EC2 ignores letter case). Use another name.", quoted(tier.GroupName), other)
			continue
		}
		first[name] = tier.Name
	}
}
