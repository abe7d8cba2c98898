package chain

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"regexp"
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
	// groupText is the character set of group names and descriptions (API
	// reference, CreateSecurityGroup).
	groupText = lazily(`^[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]+$`)
	// ruleText is that of rule descriptions, without the ampersand, which
	// UserIdGroupPair does not have.
	ruleText = lazily(`^[A-Za-z0-9 ._\-:/()#,@\[\]+=;{}!$*]+$`)
)

// Parse reads the properties of a [ResourceType], as decoded from JSON. It
// returns a Spec that can be built, or [Problems]: all of them, each with its
// path. AnswerBytes is the room for the attributes in the answer to
// CloudFormation; a chain whose attributes cannot fit is refused.
func Parse(properties map[string]any, answerBytes int) (Spec, error) {
	r := &reader{}
	object := r.object("", properties, "VpcId", "Tiers", "IpFamilies", "UnmanagedRules", "AdoptExisting",
		"Guardrails", "RuleQuota", "Revision", "Tags", "ServiceToken", "ServiceTimeout")
	spec := Spec{
		VPCID: r.vpcID(object["VpcId"]), IPv6: r.ipv6("IpFamilies", object["IpFamilies"]),
		RuleQuota:     r.ruleQuota("RuleQuota", object["RuleQuota"]),
		KeepUnmanaged: r.word("UnmanagedRules", object["UnmanagedRules"], "revoke", "keep") == "keep",
		Adopt:         r.flag("AdoptExisting", object["AdoptExisting"]),
		WarnOnly:      r.word("Guardrails", object["Guardrails"], "enforce", "warn") == "warn",
	}
	tags := r.tags("Tags", object["Tags"])
	tiers, readable := r.tierList(object["Tiers"])
	if len(tiers) == 0 && readable {
		r.problem("Tiers", "is an empty list; name at least one tier, or leave Tiers out for the default chain")
	}
	names := r.tierNames(tiers)
	for i, value := range tiers {
		tier := r.tier(index("Tiers", i), value, i, names, spec.IPv6)
		tier.Tags = r.mergeTags(index("Tiers", i)+".Tags", tags, tier.Tags)
		spec.Tiers = append(spec.Tiers, tier)
	}
	r.distinctGroupNames(spec.Tiers)
	if spec.Adopt && readable && !slices.ContainsFunc(spec.Tiers, func(tier Tier) bool { return tier.GroupName != "" }) {
		r.problem("AdoptExisting", "is true, and no tier has a GroupName, by which groups are adopted; give the tiers the names of the groups that are there, or leave it out")
	}
	if len(r.problems) == 0 {
		r.answerFits(spec, answerBytes)
	}
	if len(r.problems) > 0 {
		return Spec{}, r.problems
	}
	return spec, nil
}

// tierList reads Tiers: a list, or the same list as JSON in a string, which is how a
// template's parameter carries it.
func (r *reader) tierList(value any) (tiers []any, readable bool) {
	text, isText := value.(string)
	switch {
	case isAbsent(value):
		return defaultTiers(), true
	case isText:
		tiers, err := tiersFromJSON(text)
		if err != nil {
			r.problem("Tiers", `is text, and not a list of tiers in JSON (%v); write it as [{"Name": "Alb", "Ports": [80, 443]}]`, err)
		}
		return tiers, err == nil
	}
	before := len(r.problems)
	tiers = r.list("Tiers", value)
	return tiers, len(r.problems) == before
}

func tiersFromJSON(text string) ([]any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var tiers []any
	if err := decoder.Decode(&tiers); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the list")
	}
	return tiers, nil
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
		r.problem(path, "%q is not a quota of rules; write the account's own, a number from 1 to %d, or leave it out for %d", text, maxRuleQuota, defaultRuleQuota)
	}
	return quota
}

// ipv6 reads IpFamilies and says whether IPv6 is among them.
func (r *reader) ipv6(path string, value any) bool {
	var families []string
	for i, entry := range r.list(path, value) {
		text, ok := r.scalar(index(path, i), entry)
		switch word := strings.ToLower(text); {
		case !ok || word == "":
		case word == familyV4 || word == familyV6:
			families = append(families, word)
		default:
			r.problem(index(path, i), "%q is not known; write ipv4, or ipv4 and ipv6", text)
		}
	}
	if len(families) > 0 && !slices.Contains(families, familyV4) {
		r.problem(path, "lacks ipv4, which every VPC has; write ipv4 and ipv6")
	}
	return slices.Contains(families, familyV6)
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

func (r *reader) vpcID(value any) string {
	text, ok := r.scalar("VpcId", value)
	switch {
	case !ok:
	case text == "":
		r.problem("VpcId", "is missing; write the ID of the VPC that the groups belong to")
	case !vpcPattern().MatchString(text):
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
		case !tierPattern().MatchString(name) || len(name) > maxTierName:
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

func (r *reader) tier(path string, value any, place int, names []string, ipv6 bool) Tier {
	object := r.object(path, value, "Name", "GroupName", "Description", "Ports", "Sources", "Ingress", "Egress", "Tags", "AllowPublic")
	if object == nil {
		return Tier{}
	}
	tier := Tier{Name: names[place], AllowPublic: r.flag(path+".AllowPublic", object["AllowPublic"]), Tags: r.tags(path+".Tags", object["Tags"])}
	tier.GroupName = r.groupName(path+".GroupName", object["GroupName"])
	tier.Description = r.text(path+".Description", object["Description"], groupText())
	if tier.Description == "" {
		tier.Description = "Security group of tier " + tier.Name
	}
	in := scope{tier: tier.Name, ipv6: ipv6}
	in.tiers = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "" })
	if isAbsent(object["Ingress"]) {
		previous := "internet"
		if place > 0 {
			previous = names[place-1]
		}
		tier.Ingress = r.shortForm(path, object, previous, in)
	} else {
		tier.Ingress = r.longForm(path, object, in)
	}
	tier.Egress = r.egress(path+".Egress", object["Egress"], in)
	return tier
}

// shortForm reads Ports and Sources. The first tier is open to the internet and
// every other one to its predecessor, unless Sources says otherwise.
func (r *reader) shortForm(path string, object map[string]any, previous string, in scope) []Rule {
	traffics := r.traffics(path+".Ports", object["Ports"])
	sources := r.list(path+".Sources", object["Sources"])
	switch {
	case len(sources) > 0 && isAbsent(object["Ports"]):
		r.problem(path+".Ports", "is missing; Sources says who may come in, Ports says to which ports")
	case len(sources) == 0 && previous != "": // a nameless predecessor is reported by tierNames
		sources = []any{previous}
	}
	return r.rules(path+".Sources", Ingress, traffics, sources, "", in)
}

// longForm reads Ingress: a list of doors, each with its own Ports and Sources.
func (r *reader) longForm(path string, object map[string]any, in scope) []Rule {
	for _, key := range []string{"Ports", "Sources"} {
		if !isAbsent(object[key]) {
			r.problem(join(path, key), "stands beside Ingress; write it inside Ingress, or leave Ingress out")
		}
	}
	var rules []Rule
	for i, value := range r.list(path+".Ingress", object["Ingress"]) {
		rules = r.join(rules, index(path+".Ingress", i), r.door(index(path+".Ingress", i), value, Ingress, in))
	}
	return rules
}

// door reads one entry of the long form, of either direction.
func (r *reader) door(path string, value any, direction Direction, in scope) []Rule {
	peers := "Sources"
	if direction == Egress {
		peers = "Destinations"
	}
	entry := r.object(path, value, "Ports", peers, "Description")
	if entry == nil {
		return nil
	}
	for _, key := range []string{"Ports", peers} {
		if len(r.list(join(path, key), entry[key])) == 0 {
			r.problem(join(path, key), "is missing; an entry of the long form needs both Ports and %s", peers)
		}
	}
	traffics := r.traffics(path+".Ports", entry["Ports"])
	description := r.text(path+".Description", entry["Description"], ruleText())
	return r.rules(join(path, peers), direction, traffics, r.list(join(path, peers), entry[peers]), description, in)
}

// join adds the rules of one entry to those of the entries before it.
func (r *reader) join(rules []Rule, path string, more []Rule) []Rule {
	for _, rule := range more {
		twin := slices.IndexFunc(rules, func(other Rule) bool { return other.Key() == rule.Key() })
		switch {
		case twin < 0:
			rules = append(rules, rule)
		case withoutAccount(rules[twin]) == withoutAccount(rule):
			rules[twin].Peer.Account = cmp.Or(rules[twin].Peer.Account, rule.Peer.Account)
		default:
			r.problem(path, "%s is there already, with the description %q; a rule has one description", rule, rules[twin].Description)
		}
	}
	return rules
}

// withoutAccount is the description of a rule as if the account of its group had not been
// written: descriptions that the chain makes repeat what the author wrote.
func withoutAccount(rule Rule) string {
	if rule.Peer.Account == "" {
		return rule.Description
	}
	return strings.ReplaceAll(rule.Description, rule.Peer.Account+"/", "")
}

// rules combines every kind of traffic with every peer.
func (r *reader) rules(path string, direction Direction, traffics []traffic, peers []any, description string, in scope) []Rule {
	var rules []Rule
	var all []source
	before := len(r.problems)
	for i, value := range peers {
		all = append(all, r.sources(index(path, i), value, in)...)
	}
	if n := len(traffics) * len(all); n > maxEntryRules {
		r.problem(path, "is %d peers on %d kinds of ports, %d rules; a group can have at most %d for each direction and family", len(all), len(traffics), n, maxRuleQuota)
		return nil
	}
	there := map[Rule]int{}
	for _, traffic := range traffics {
		served := false
		for _, source := range all {
			rule := Rule{Direction: direction, Protocol: traffic.protocol, Ports: traffic.ports, Peer: source.peer}
			if !rule.Protocol.fits(rule.Peer) {
				continue
			}
			served = true
			if place, twice := there[rule.Key()]; twice {
				rules[place].Peer.Account = cmp.Or(rules[place].Peer.Account, rule.Peer.Account)
				continue
			}
			there[rule.Key()] = len(rules)
			from, to := source.name, in.tier
			if direction == Egress {
				from, to = to, from
			}
			if rule.Description = description; description == "" {
				rule.Description = describe(from, to, rule)
			}
			rules = append(rules, rule)
		}
		if !served && len(peers) > 0 && len(r.problems) == before {
			r.problem(path, "none of these goes with %s; icmp is for IPv4 and icmpv6 for IPv6", Traffic(traffic.protocol, traffic.ports))
		}
	}
	return rules
}

// egress reads a word, or a list of words and of entries with Ports and Destinations.
func (r *reader) egress(path string, value any, in scope) EgressSpec {
	var egress EgressSpec
	if isAbsent(value) {
		return EgressSpec{All: true}
	}
	entries, isList := value.([]any)
	if !isList {
		entries = []any{value}
	}
	none := false
	for i, entry := range entries {
		place := path
		if isList {
			place = index(path, i)
		}
		if _, isMap := entry.(map[string]any); isMap {
			egress.Rules = r.join(egress.Rules, place, r.door(place, entry, Egress, in))
			continue
		}
		text, ok := r.scalar(place, entry)
		switch strings.ToLower(text) {
		case egressAll:
			egress.All = true
		case egressChain:
			egress.Chain = true
		case egressNone:
			none = true
		default:
			if ok {
				r.problem(place, "%q is not known; write all, chain or none, or a list of these words and of {Ports, Destinations}", text)
			}
		}
	}
	switch {
	case len(entries) == 0:
		r.problem(path, "is an empty list; write none for a tier that calls nobody, or leave Egress out for all")
	case none && len(entries) > 1:
		r.problem(path, "has none beside others; write none alone")
	}
	return egress
}

func (r *reader) groupName(path string, value any) string {
	name := r.text(path, value, groupText())
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
	tiers, _ := new(reader).tierList(properties["Tiers"])
	var names []string
	for _, value := range tiers {
		tier, isMap := value.(map[string]any)
		if name, isText := tier["Name"].(string); isMap && isText {
			names = append(names, name)
		}
	}
	return names
}
