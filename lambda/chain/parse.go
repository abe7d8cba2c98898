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
	// ec2Text is the characters of names and descriptions of groups, and of descriptions of rules
	// whose peer is a range of addresses (API reference, CreateSecurityGroup, IpRange, Ipv6Range).
	ec2Text = lazily(`^[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]+$`)
	// pairText is that of other rules' descriptions, without the ampersand (UserIdGroupPair,
	// PrefixListId).
	pairText = lazily(`^[A-Za-z0-9 ._\-:/()#,@\[\]+=;{}!$*]+$`)
)

// The keys that are read. [Schema] describes each of them.
//
//nolint:gochecknoglobals // constants in all but syntax
var (
	propertyKeys = []string{
		"VpcId", "Tiers", "IpFamilies", "UnmanagedRules", "AdoptExisting", "ReleaseTiers", "Guardrails", "RuleQuota", "Revision", "Tags", "StackTags", "MovedFrom",
		"ServiceToken", "ServiceTimeout",
	}
	tierKeys = []string{"Name", "GroupName", "Description", "Ports", "Sources", "Ingress", "Egress", "Tags", "AllowPublic"}
	// Those of an entry of Ingress and of Egress.
	ingressKeys = []string{"Ports", "Sources", "Description"}
	egressKeys  = []string{"Ports", "Destinations", "Description"}
	tagKeys     = []string{"Key", "Value"}
	movedKeys   = []string{"LogicalId", "Stack", "Provider"}
)

// The words that are read, the default first.
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

// maxTiers is more than any answer to CloudFormation has room for: about 62.
const maxTiers = 100

// Parse reads the properties of a [ResourceType], as decoded from JSON. It
// returns a Spec that can be built, or [Problems]: all of them, each with its
// path. AnswerBytes is the room for the attributes in the answer to
// CloudFormation; a chain whose attributes cannot fit is refused.
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
		r.problem("Tiers", "is an empty list; name at least one tier, or leave Tiers out for the default chain")
	case len(tiers) > maxTiers:
		r.problem("Tiers", "has %d tiers, and CloudFormation's answer has room for no more than %d; use fewer tiers, or split the chain in several", len(tiers), maxTiers)
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
		r.problem("AdoptExisting", "is true, and no tier has a GroupName, by which groups are adopted; give the tiers the names of the groups that are there, or leave it out")
	}
	if r.found == 0 {
		r.answerFits(spec, answerBytes)
	}
	if err := r.err(); err != nil {
		return Spec{}, err
	}
	return spec, nil
}

// defaultRuleQuota is EC2's for a direction and a family of addresses; with a higher
// one a network interface may have fewer groups, since rules times groups is at most
// maxRuleQuota (VPC user guide, "Amazon VPC quotas").
const (
	defaultRuleQuota = 60
	maxRuleQuota     = 1000
	// maxEntryRules is more than any group can have, of both families together.
	maxEntryRules = 2 * maxRuleQuota
)

func (r *reader) ruleQuota(path string, value any) int {
	text, ok := r.scalar(path, value)
	if !ok || text == "" {
		return defaultRuleQuota
	}
	quota, err := strconv.Atoi(text)
	if err != nil || quota < 1 || quota > maxRuleQuota {
		r.problem(path, "%s is not a quota of rules; write the account's own, a number from 1 to %d, or leave it out for %d", quoted(text), maxRuleQuota, defaultRuleQuota)
	}
	return quota
}

// ipv6 reads IpFamilies and reports whether IPv6 is among them.
func (r *reader) ipv6(path string, value any) bool {
	const remedy = "write ipv4, or ipv4 and ipv6"
	v4, v6 := false, false
	entries, _ := r.entries(path, value, remedy+", or leave IpFamilies out for ipv4")
	for i, entry := range entries {
		if !r.built && r.isEmptyEntry(index(path, i), i, entry, remedy) {
			continue
		}
		text, ok := r.scalar(index(path, i), entry)
		switch word := strings.ToLower(text); {
		case !ok || word == "":
		case !slices.Contains(familyWords, word):
			r.problem(index(path, i), "%s is not known; write ipv4, or ipv4 and ipv6", quoted(text))
		default:
			v4, v6 = v4 || word == familyV4, v6 || word == familyV6
		}
	}
	if v6 && !v4 {
		r.problem(path, "lacks ipv4, which every VPC has; write ipv4 and ipv6")
	}
	return v6
}

// DefaultTiers returns the property Tiers of the chain that is meant when it is absent.
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
		r.problem("VpcId", "is missing; write the ID of the VPC that the groups belong to")
	case !vpcPattern().MatchString(text) || (len(text) > maxText && !r.built):
		r.problem("VpcId", "%s is not a VPC ID; it looks like vpc-0123456789abcdef0", quoted(text))
	}
	return text
}

// tierNames reads the names first, because tiers name one another. One that cannot be read is empty.
func (r *reader) tierNames(tiers []any) []string {
	names, taken := make([]string, len(tiers)), map[string]string{}
	for i, value := range tiers {
		object, ok := value.(map[string]any)
		if !ok {
			continue // tier reports it
		}
		path := index("Tiers", i) + ".Name"
		if isBlank(object["Name"]) || object["Name"] == nil {
			r.problem(path, "is missing; every tier has a name such as Alb")
			continue
		}
		names[i] = r.tierName(path, object["Name"], taken, "is the name of another tier too; every tier needs its own")
	}
	return names
}

// releaseTiers reads the names of tiers whose groups are released when they leave the chain. Empty
// ones do not count: a parameter that is a list cannot have none.
func (r *reader) releaseTiers(value any, live []string) []string {
	var names []string
	taken := map[string]string{}
	for _, name := range live {
		taken[name] = "is in Tiers; take it out of Tiers in the same update"
	}
	for i, entry := range r.list("ReleaseTiers", value) {
		if entry == nil || isBlank(entry) {
			continue
		}
		if name := r.tierName(index("ReleaseTiers", i), entry, taken, "is there twice; keep one"); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// tierName reads a name that is not taken, and takes it: again is what is wrong with it the next time. One that cannot be read is empty.
func (r *reader) tierName(path string, value any, taken map[string]string, again string) string {
	name, ok := r.scalar(path, value)
	switch {
	case !ok:
	case len(name) > maxTierName || !tierPattern().MatchString(name):
		r.problem(path, "%s is not a tier name; use at most %d letters and digits, a letter first", quoted(name), maxTierName)
	case slices.Contains(peerWords(), strings.ToLower(name)):
		r.problem(path, "%s is a word for a peer; choose another name", quoted(name))
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
	entries, isLong := r.entries(path+".Ingress", object["Ingress"], "leave Ports and Ingress out for a tier that nobody enters")
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

// EC2 gives no group a name that begins as its IDs do, and that of every VPC's own group to no other one.
const (
	groupIDPrefix    = "sg-"
	defaultGroupName = "default"
)

func (r *reader) groupName(path string, value any) string {
	name := r.text(path, value, true)
	switch lower := strings.ToLower(name); {
	case strings.HasPrefix(lower, groupIDPrefix):
		r.problem(path, "%s begins with sg-, which EC2 keeps for group IDs; choose another name", quoted(name))
	case lower == defaultGroupName && !r.built:
		r.problem(path, "%s is the name of every VPC's own group, which EC2 gives to no other one and nobody can adopt; choose another name", quoted(name))
	}
	return name
}

// text reads a name or a description. The ampersand is for all but the descriptions of some
// rules.
func (r *reader) text(path string, value any, ampersand bool) string {
	text, ok := r.scalar(path, value)
	allowed, characters := ec2Text(), `._-:/()#,@[]+=&;{}!$*`
	if !ampersand {
		allowed, characters = pairText(), `._-:/()#,@[]+=;{}!$*`
	}
	switch {
	case !ok || text == "":
	case !allowed.MatchString(text):
		r.problem(path, "%s has characters that EC2 refuses; use letters, digits, spaces and %s", quoted(text), characters)
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
			r.problem(index("Tiers", i)+".GroupName", "%s is the name of tier %s's group too; names are unique in a VPC, whatever their case", quoted(tier.GroupName), other)
			continue
		}
		first[name] = tier.Name
	}
}
