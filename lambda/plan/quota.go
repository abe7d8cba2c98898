package plan

import (
	"fmt"
	"slices"
	"strings"

	"sgchain/lambda/chain"
)

// Quota is how many rules EC2 lets a group have for each direction and family of
// addresses ("This quota is enforced separately for IPv4 rules and IPv6 rules", VPC user
// guide, "Amazon VPC quotas").
type Quota struct {
	Rules int
	Lists []chain.PrefixList // what is known of the lists that rules name
}

// counts is a number of rules for each family.
type counts struct{ v4, v6 int }

func (c counts) plus(other counts) counts  { return counts{c.v4 + other.v4, c.v6 + other.v6} }
func (c counts) minus(other counts) counts { return counts{c.v4 - other.v4, c.v6 - other.v6} }
func (c counts) both() int                 { return c.v4 + c.v6 }

// scale weighs rules against a quota. It finds a list by its ID.
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

// HasRoom reports whether a group has room for some rules of a direction.
func (q Quota) HasRoom(rules []chain.Rule, direction chain.Direction) bool {
	weights := q.scale()
	return weights.lacksRoom(counts{}, weights.sum(rules, direction)) == ""
}

// weigh counts a rule. One that names a group counts for both families, one that names a
// prefix list as often as the list is heavy.
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

// sum counts the rules of a direction.
func (s scale) sum(rules []chain.Rule, direction chain.Direction) counts {
	var all counts
	for _, rule := range rules {
		if rule.Direction == direction {
			all = all.plus(s.weigh(rule))
		}
	}
	return all
}

// lacksRoom names the family of which there would be too many rules. Where none of a
// family is added, there are as many as the account let in.
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

// The families as messages name them.
const (
	familyV4 = "IPv4"
	familyV6 = "IPv6"
)

// UnknownLists returns the prefix lists, sorted, that rules name in groups to which the plan
// adds rules, and of which the quota does not know the weight.
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

// QuotaError is a group that has not room for the rules that it needs.
type QuotaError struct {
	Group     chain.Identity
	Direction chain.Direction
	Family    string // IPv4 or IPv6
	Quota     int
	There     int // what is there now and cannot be revoked first
	Added     int // what comes to it
	Final     int // what the group has in the end
	Heavy     []chain.PrefixList
	// Wrote says that the run has changed something before: somebody else took the room.
	Wrote bool
}

func (e *QuotaError) Error() string {
	text := fmt.Sprintf("planning %s rules of security group (%s): ", e.Direction, e.Group)
	if e.Final > e.Quota {
		text += fmt.Sprintf("the chain needs %d %s rules", e.Final, e.Family)
	} else {
		text += fmt.Sprintf("until the old rules are revoked the group needs %d %s rules (%d that are there and %d new ones)", e.There+e.Added, e.Family, e.There, e.Added)
	}
	parts := []string{text + fmt.Sprintf(", and the quota is %d", e.Quota)}
	for _, list := range e.Heavy {
		parts = append(parts, fmt.Sprintf("prefix list %s counts as %d", strings.TrimSpace(list.ID+" "+list.Name), list.Weight))
	}
	return strings.Join(parts, "; ")
}

// Remedy is one sentence of what to do.
func (e *QuotaError) Remedy() string {
	text := "Make the change in two deployments, or have the account's quota raised and set RuleQuota to it."
	if e.Final > e.Quota {
		text = "Use fewer or wider rules, or have the account's quota raised and set RuleQuota to it."
	}
	if !e.Wrote {
		text = "Nothing was changed. " + text
	}
	return text
}

// failure describes a group that has not room. There is what it has when there is no way on.
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
