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

func (c counts) plus(other counts) counts { return counts{c.v4 + other.v4, c.v6 + other.v6} }

// weigh counts rules. One that names a group counts for both families, one that names a
// prefix list as often as the list is heavy.
func (q Quota) weigh(rules []chain.Rule) counts {
	var sum counts
	for _, rule := range rules {
		switch peer := rule.Peer; peer.Kind {
		case chain.PeerCIDR:
			if peer.CIDR.Addr().Is6() {
				sum.v6++
			} else {
				sum.v4++
			}
		case chain.PeerPrefixList:
			list, _ := (chain.Found{Lists: q.Lists}).List(peer.ID)
			if weight := max(1, list.Weight); list.IPv6 {
				sum.v6 += weight
			} else {
				sum.v4 += weight
			}
		case chain.PeerGroup, chain.PeerTier, chain.PeerMember, chain.PeerVPC, chain.PeerListName:
			sum = sum.plus(counts{1, 1})
		}
	}
	return sum
}

// UnknownLists lists the prefix lists, sorted, that rules name in groups to which the plan
// adds rules, and of which the quota does not know the weight.
func (p Plan) UnknownLists(current chain.State, quota Quota) []string {
	var ids []string
	for _, step := range p.Steps {
		was, _ := current.Find(step.Group)
		for _, rule := range was.Rules {
			_, known := chain.Found{Lists: quota.Lists}.List(rule.Peer.ID)
			if step.Action == AuthorizeRules && rule.Direction == step.Direction && rule.Peer.Kind == chain.PeerPrefixList && !known {
				ids = append(ids, rule.Peer.ID)
			}
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}

// sum counts rules in both families together.
func (q Quota) sum(rules []chain.Rule) int {
	both := q.weigh(rules)
	return both.v4 + both.v6
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

// Fit makes room in groups that have not room enough for their old rules and their new
// ones together. There, in stages of the phase [MakeRoom], an old rule goes as soon as
// every new rule that shares a flow with it is there; one that shares a flow with none
// goes first. So nobody whom the new chain serves is cut off. Groups of which isNew says
// that they have no members yet lose all their old rules first; the new rules of one that
// is still to be created wait for the next plan, which sees what EC2 gave it. Made says,
// for people, in which groups there were members. The error is a [*QuotaError], where
// there is no such way.
func (p Plan) Fit(current, goal chain.State, quota Quota, isNew func(chain.Identity) bool) (fitted Plan, made []string, err error) {
	steps := slices.Clone(p.Steps)
	for _, step := range p.Steps {
		if step.Action != AuthorizeRules {
			continue
		}
		was, exists := current.Find(step.Group)
		if !exists {
			was = Fresh(step.Group, chain.Tag{})
			was.Rules = append(was.Rules, chain.AllTrafficV6()) // as it may be
		}
		wanted, _ := goal.Find(step.Group)
		there, final := inDirection(was.Rules, step.Direction), inDirection(wanted.Rules, step.Direction)
		if quota.lacksRoom(there, step.Rules) == "" {
			continue
		}
		if family := quota.lacksRoom(nil, final); family != "" {
			return Plan{}, nil, quota.failure(step, family, there, step.Rules, final)
		}
		if !exists {
			steps = slices.DeleteFunc(steps, func(other Step) bool {
				return other.Action == AuthorizeRules && other.Group == step.Group && other.Direction == step.Direction
			})
			continue
		}
		room := squeeze{quota: quota, step: step, hasMembers: !isNew(step.Group), there: there, coming: step.Rules, going: missing(final, there), share: shareFlow}
		byTier := room
		byTier.share = shareFlowByTier
		if !room.fit() {
			// Only now does it count that somebody may live in the groups of two tiers.
			if room = byTier; !room.fit() {
				return Plan{}, nil, quota.failure(step, quota.lacksRoom(room.there, room.coming), room.there, room.coming, final)
			}
		}
		steps = append(room.without(steps), room.stages...)
		if room.hasMembers {
			made = append(made, fmt.Sprintf("security group %s is near its quota of %d rules: some old %s rules were revoked before all new ones were there; nobody whom the chain serves was cut off",
				step.Group, quota.Rules, step.Direction))
		}
	}
	slices.SortStableFunc(steps, byPhase)
	return Plan{Steps: steps}, made, nil
}

// squeeze finds the stages for one group and direction.
type squeeze struct {
	quota         Quota
	step          Step // what authorizes its new rules
	hasMembers    bool
	there         []chain.Rule // what the group has by now
	coming, going []chain.Rule // what is still to come and to go
	stages        []Step
	share         func(a, b chain.Rule) bool
}

// fit finds the stages until there is room for the rest. Every stage has fewer rules left
// to come or to go than the one before it.
func (s *squeeze) fit() bool {
	for s.quota.lacksRoom(s.there, s.coming) != "" {
		if !s.revoke() && !s.authorize() {
			return false
		}
	}
	return true
}

// revoke lets the rules go that share no flow with a rule that is still to come.
func (s *squeeze) revoke() bool {
	free := slices.DeleteFunc(slices.Clone(s.going), func(rule chain.Rule) bool { return s.hasMembers && len(s.sharing(rule)) > 0 })
	if len(free) == 0 {
		return false
	}
	s.stage(RevokeRules, free)
	s.there, s.going = missing(free, s.there), missing(free, s.going)
	return true
}

// authorize lets those rules come after which one or more may go: of what there is room
// for, what makes the most room in the end.
func (s *squeeze) authorize() bool {
	var best []chain.Rule
	gain := 0
	for _, rule := range s.going {
		some := s.sharing(rule)
		if len(some) == 0 || s.quota.lacksRoom(s.there, some) != "" {
			continue
		}
		free := slices.DeleteFunc(slices.Clone(s.going), func(other chain.Rule) bool { return len(missing(some, s.sharing(other))) > 0 })
		if now := s.quota.sum(free) - s.quota.sum(some); best == nil || now > gain {
			best, gain = some, now
		}
	}
	if best == nil {
		return false
	}
	s.stage(AuthorizeRules, best)
	s.there, s.coming = slices.Concat(s.there, best), missing(best, s.coming)
	return true
}

// sharing lists the rules to come that share a flow with a rule.
func (s *squeeze) sharing(rule chain.Rule) []chain.Rule {
	return slices.DeleteFunc(slices.Clone(s.coming), func(other chain.Rule) bool { return !s.share(rule, other) })
}

func (s *squeeze) stage(action Action, rules []chain.Rule) {
	s.stages = append(s.stages, Step{
		Phase: MakeRoom, Stage: len(s.stages) + 1, Action: action, Group: s.step.Group, Direction: s.step.Direction, Rules: rules,
	})
}

// without takes out of the other phases what is done in stages.
func (s *squeeze) without(steps []Step) []Step {
	var others []Step
	for _, step := range steps {
		if step.Group == s.step.Group && step.Direction == s.step.Direction {
			switch step.Action {
			case AuthorizeRules:
				step.Rules = s.coming
			case RevokeRules:
				step.Rules = s.going
			case CreateGroup, AdoptGroup, UpdateDescriptions, RetagGroup, UntagGroup:
			}
		}
		if len(step.Rules) > 0 || (step.Action != AuthorizeRules && step.Action != RevokeRules) {
			others = append(others, step)
		}
	}
	return others
}

func inDirection(rules []chain.Rule, direction chain.Direction) []chain.Rule {
	return slices.DeleteFunc(slices.Clone(rules), func(rule chain.Rule) bool { return rule.Direction != direction })
}

// lacksRoom names the family of which there would be too many rules. Where none of a
// family is added, there are as many as the account let in.
func (q Quota) lacksRoom(there, added []chain.Rule) string {
	more := q.weigh(added)
	switch peak := q.weigh(there).plus(more); {
	case more.v4 > 0 && peak.v4 > q.Rules:
		return "IPv4"
	case more.v6 > 0 && peak.v6 > q.Rules:
		return "IPv6"
	default:
		return ""
	}
}

func (q Quota) failure(step Step, family string, there, coming, final []chain.Rule) *QuotaError {
	of := func(rules []chain.Rule) int {
		if family == "IPv6" {
			return q.weigh(rules).v6
		}
		return q.weigh(rules).v4
	}
	failed := &QuotaError{
		Group: step.Group, Direction: step.Direction, Family: family, Quota: q.Rules,
		There: of(there), Added: of(coming), Final: of(final),
	}
	for _, list := range q.Lists {
		names := func(rule chain.Rule) bool { return rule.Peer.Kind == chain.PeerPrefixList && rule.Peer.ID == list.ID }
		if list.Weight > 1 && list.IPv6 == (family == "IPv6") && (slices.ContainsFunc(final, names) || slices.ContainsFunc(there, names)) {
			failed.Heavy = append(failed.Heavy, list)
		}
	}
	return failed
}

// shareFlow says whether something could pass by either of two rules of one group and
// direction. What is not known counts as shared.
func shareFlow(a, b chain.Rule) bool { return sharePorts(a, b) && sharePeer(a.Peer, b.Peer) }

// shareFlowByTier says so of members that live in the group of one tier only.
func shareFlowByTier(a, b chain.Rule) bool {
	if a.Peer.Kind == chain.PeerMember && b.Peer.Kind == chain.PeerMember && a.Peer.Member.Tier != b.Peer.Member.Tier {
		return false
	}
	return shareFlow(a, b)
}

func sharePorts(a, b chain.Rule) bool {
	switch {
	case a.Protocol == chain.All || b.Protocol == chain.All:
		return true
	case a.Protocol != b.Protocol:
		return false
	case a.Protocol == chain.TCP || a.Protocol == chain.UDP:
		return a.Ports.From <= b.Ports.To && b.Ports.From <= a.Ports.To
	default:
		return true
	}
}

func sharePeer(a, b chain.Peer) bool {
	if a.Kind == chain.PeerCIDR && b.Kind == chain.PeerCIDR && a.CIDR.IsValid() && b.CIDR.IsValid() {
		return a.CIDR.Overlaps(b.CIDR)
	}
	return true // members have addresses and may be in several groups, and lists are not looked into
}

// OwnGroups refuses a desired chain that names one of its own groups by ID. The ID would
// stand in the way when that group is replaced.
func OwnGroups(chains Chains, groupIDs map[chain.Identity]string) error {
	for _, group := range chains.New.Groups {
		for _, rule := range group.Rules {
			for identity, id := range groupIDs {
				if rule.Peer.Kind == chain.PeerGroup && rule.Peer.ID == id {
					return &OwnGroupError{Tier: group.Tier, GroupID: id, Named: identity.Tier}
				}
			}
		}
	}
	return nil
}

// OwnGroupError is a group of the chain that is named by its ID.
type OwnGroupError struct{ Tier, GroupID, Named string }

func (e *OwnGroupError) Error() string {
	return fmt.Sprintf("reading peers of tier %s: %s is the group of tier %s of this chain", e.Tier, e.GroupID, e.Named)
}

// Remedy is one sentence of what to do.
func (e *OwnGroupError) Remedy() string {
	return "Nothing was changed; name the tier " + e.Named + ", so that the rule follows when the group is replaced."
}
