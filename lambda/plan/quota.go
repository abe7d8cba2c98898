package plan

import (
	"fmt"
	"slices"
	"strings"

	"sgchain/lambda/chain"
)

// Quota is the number of rules that EC2 allows a group, for each direction and address
// family. Source: "This quota is enforced separately for IPv4 rules and IPv6 rules" (VPC
// user guide, "Amazon VPC quotas").
type Quota struct {
	Rules int
	Lists []chain.PrefixList // the known prefix lists of the rules
}

// counts is the number of rules of each family.
type counts struct{ v4, v6 int }

func (c counts) plus(other counts) counts  { return counts{c.v4 + other.v4, c.v6 + other.v6} }
func (c counts) minus(other counts) counts { return counts{c.v4 - other.v4, c.v6 - other.v6} }
func (c counts) both() int                 { return c.v4 + c.v6 }

// scale weighs rules against a quota. It looks prefix lists up by ID.
type scale struct {
	rules int
	lists map[string]chain.PrefixList
}

func (q Quota) scale() scale {
	lists := make(map[string]chain.PrefixList, len(q.Lists))
	for _, list := range q.Lists {
		if _, known := lists[list.ID]; !known {
			lists[list.ID] = list
		}
	}
	return scale{rules: q.Rules, lists: lists}
}

// HasRoom reports whether the quota has room for all these rules of a direction.
func (q Quota) HasRoom(rules []chain.Rule, direction chain.Direction) bool {
	weights := q.scale()
	return weights.lacksRoom(counts{}, weights.sum(rules, direction)) == ""
}

// weigh returns the weight of a rule. A rule that names a group counts for both families.
// One that names a prefix list counts as often as the list's weight.
func (s scale) weigh(rule chain.Rule) counts {
	switch peer := rule.Peer; peer.Kind {
	case chain.PeerCIDR:
		if peer.CIDR.Addr().Is6() {
			return counts{v6: 1}
		}
		return counts{v4: 1}
	case chain.PeerPrefixList:
		list := s.lists[peer.ID]
		weight := max(1, list.Weight)
		if list.IPv6 {
			return counts{v6: weight}
		}
		return counts{v4: weight}
	case chain.PeerGroup, chain.PeerTier, chain.PeerMember, chain.PeerVPC, chain.PeerListName, chain.PeerGroupName:
		return counts{1, 1}
	default:
		return counts{}
	}
}

// sum returns the weight of the rules of a direction.
func (s scale) sum(rules []chain.Rule, direction chain.Direction) counts {
	var all counts
	for _, rule := range rules {
		if rule.Direction == direction {
			all = all.plus(s.weigh(rule))
		}
	}
	return all
}

// lacksRoom returns the family whose rules would exceed the quota, or "". It ignores a
// family without added rules: EC2 has already accepted the existing ones.
func (s scale) lacksRoom(there, added counts) string {
	switch peak := there.plus(added); {
	case added.v4 > 0 && peak.v4 > s.rules:
		return familyV4
	case added.v6 > 0 && peak.v6 > s.rules:
		return familyV6
	default:
		return ""
	}
}

// The families, as messages name them.
const (
	familyV4 = "IPv4"
	familyV6 = "IPv6"
)

// UnknownLists returns the prefix lists whose weight the quota does not know, sorted. It
// looks at the existing rules of groups to which the plan adds rules.
func (p Plan) UnknownLists(current chain.State, quota Quota) []string {
	var ids []string
	known := quota.scale().lists
	for _, step := range p.Steps {
		if step.Action != AuthorizeRules {
			continue
		}
		was, _ := current.Find(step.Group)
		for _, rule := range was.Rules {
			if _, isKnown := known[rule.Peer.ID]; rule.Direction == step.Direction && rule.Peer.Kind == chain.PeerPrefixList && !isKnown {
				ids = append(ids, rule.Peer.ID)
			}
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}

// QuotaError reports a group whose rules exceed the quota.
type QuotaError struct {
	Group     chain.Identity
	Direction chain.Direction
	Family    string // IPv4 or IPv6
	Quota     int
	There     int // existing rules that cannot be revoked first
	Added     int // rules to add to these
	Final     int // rules of the group after the change
	Heavy     []chain.PrefixList
	// Wrote reports whether the run has already changed something: another principal used up the room.
	Wrote bool
}

func (e *QuotaError) Error() string {
	text := fmt.Sprintf("planning %s rules of security group (%s): ", e.Direction, e.Group)
	if e.Final > e.Quota {
		text += fmt.Sprintf("the chain needs %d %s rules", e.Final, e.Family)
	} else {
		text += fmt.Sprintf("until old rules are revoked, the group needs %d %s rules (%d existing and %d new)", e.There+e.Added, e.Family, e.There, e.Added)
	}
	parts := []string{text + fmt.Sprintf(", and the quota is %d", e.Quota)}
	for _, list := range e.Heavy {
		parts = append(parts, fmt.Sprintf("Prefix list %s counts as %d", strings.TrimSpace(list.ID+" "+list.Name), list.Weight))
	}
	return strings.Join(parts, ". ")
}

// Remedy returns what to do about it.
func (e *QuotaError) Remedy() string {
	text := "Split the change into two deployments, or raise the account's quota and set RuleQuota to it."
	if e.Final > e.Quota {
		text = "Use fewer or wider rules, or raise the account's quota and set RuleQuota to it."
	}
	if !e.Wrote {
		text = "Nothing was changed. " + text
	}
	return text
}

// failure describes a group without room. There is what the group has when no stage is possible.
func (q Quota) failure(step Step, family string, there, coming, final []chain.Rule) *QuotaError {
	scale := q.scale()
	of := func(rules []chain.Rule) int {
		sum := scale.sum(rules, step.Direction)
		if family == familyV6 {
			return sum.v6
		}
		return sum.v4
	}
	failed := &QuotaError{
		Group: step.Group, Direction: step.Direction, Family: family, Quota: q.Rules,
		There: of(there), Added: of(coming), Final: of(final),
	}
	named := map[string]bool{}
	for _, rule := range slices.Concat(there, final) {
		if rule.Peer.Kind == chain.PeerPrefixList {
			named[rule.Peer.ID] = true
		}
	}
	for _, list := range q.Lists {
		if list.Weight > 1 && list.IPv6 == (family == familyV6) && named[list.ID] {
			failed.Heavy = append(failed.Heavy, list)
		}
	}
	return failed
}
