package plan

import (
	"maps"
	"slices"

	"sgchain/lambda/chain"
)

// Change holds the two desired states of a run, from the new and the previous properties. Old is empty
// on Create. If a group of Old leaves the chain and has [chain.TagRelease] there, the cleanup releases it.
type Change struct {
	New, Old chain.State
	// KeepUnmanaged reports whether rules stay that the chain did not create.
	KeepUnmanaged bool
	// AdoptedBy is recorded on groups that this run adopts.
	AdoptedBy chain.Adoption
	// Rollback reports whether this run undoes another one. Creating reports whether it creates the chain:
	// then an earlier Create that failed adopted the existing groups.
	Rollback, Creating bool
	// From is the chain whose groups this one takes over, as it is now. It is zero if this is no move.
	From chain.Former
	// MovedForGood reports whether the chain no longer exists from which groups were moved.
	MovedForGood bool
	// StackTags are the stack's tags that the groups get; see [chain.Spec.StackTags].
	StackTags map[string]string
}

// Standing is the relation of a group to the run's two chains.
type Standing int

const (
	// Orphan is an owned group in neither chain: a run was aborted, or a cleanup was
	// skipped.
	Orphan Standing = iota
	// Live is a group of the new chain.
	Live
	// Retired is a group of the old chain that the new one lacks. It stays until
	// CloudFormation sends the Delete of its physical ID.
	Retired
)

// Standing returns the standing of the group with an identity.
func (c Change) Standing(identity chain.Identity) Standing {
	switch {
	case c.New.Has(identity):
		return Live
	case c.Old.Has(identity):
		return Retired
	default:
		return Orphan
	}
}

// Orphans lists the current groups that are in neither chain.
func (c Change) Orphans(current chain.State) []chain.Identity {
	return slices.DeleteFunc(current.Identities(), func(identity chain.Identity) bool {
		return c.Standing(identity) != Orphan
	})
}

// Goal returns the state that must hold after a run, and until the cleanup. The
// live groups get the epoch.
//
//	group    goal
//	live     the new chain's rules, and its old rules for tiers that left the chain
//	retired  the old chain's rules, and a mark if its tier left and must be released
//	orphan   unchanged until it is removed
//
// Live and retired groups also keep some rules that the chain did not create: see
// [Change.keeps].
//
// In live and retired groups a peer tier means every existing group of that tier,
// live or retired. Consumers move one by one, so during the move either end may be
// in either group of its tier.
//
// A rule that names an orphan stays as long as the orphan does, since something may
// use it. The exception is a group that was an orphan itself until now: only the new
// chain defines its rules.
func Goal(change Change, current chain.State, epoch chain.Epoch) chain.State {
	expand := expander{present: present(change, current)}
	var goal chain.State
	for _, wanted := range change.New.Groups {
		was, exists := current.Find(wanted.Identity)
		rules := expand.rules(wanted.Rules)
		rules = append(rules, expand.rules(rulesForRemovedTiers(change, wanted.Tier))...)
		if change.Old.Has(wanted.Identity) {
			rules = append(rules, namingOrphans(change, was.Rules)...)
		}
		all, _ := change.tags(wanted, was)
		goal.Groups = append(goal.Groups, chain.Group{
			Identity: wanted.Identity, Epoch: epoch, Rules: change.keep(acceptDefaultEgress(rules, was.Rules, exists), was, Live),
			Tags: all, Adoption: change.adoption(was), Unmanaged: was.Unmanaged,
		})
	}
	for _, was := range sorted(current).Groups {
		switch change.Standing(was.Identity) {
		case Live:
		case Retired:
			old, _ := change.Old.Find(was.Identity)
			rules := append(expand.rules(old.Rules), namingOrphans(change, was.Rules)...)
			goal.Groups = append(goal.Groups, chain.Group{
				Identity: was.Identity, Epoch: was.Epoch, Rules: change.keep(acceptDefaultEgress(rules, was.Rules, true), was, Retired),
				Tags: change.marked(was), Adoption: was.Adoption, Unmanaged: was.Unmanaged,
			})
		case Orphan:
			goal.Groups = append(goal.Groups, was)
		}
	}
	return goal.Normalize()
}

func sorted(state chain.State) chain.State {
	return chain.State{Groups: chain.Sorted(state.Groups, func(a, b chain.Group) int {
		return chain.CompareIdentities(a.Identity, b.Identity)
	})}
}

// present lists the groups that a peer tier stands for. They are those of the new
// chain, existing or about to be created, and the existing retired ones.
func present(change Change, current chain.State) []chain.Identity {
	members := change.New.Identities()
	for _, group := range sorted(current).Groups {
		if change.Standing(group.Identity) == Retired {
			members = append(members, group.Identity)
		}
	}
	return members
}

type expander struct{ present []chain.Identity }

// rules replaces every peer tier with its groups.
func (e expander) rules(rules []chain.Rule) []chain.Rule {
	expanded := make([]chain.Rule, 0, len(rules)+1) // one more for the rule that EC2 adds by itself
	for _, rule := range rules {
		if rule.Peer.Kind != chain.PeerTier {
			expanded = append(expanded, rule)
			continue
		}
		tier := rule.Peer.Tier
		for _, member := range e.present {
			if member.Tier == tier {
				rule.Peer = chain.MemberPeer(member)
				expanded = append(expanded, rule)
			}
		}
	}
	return expanded
}

// rulesForRemovedTiers returns the old chain's rules between a tier and tiers that the
// new chain lacks. The members of those tiers keep working until the cleanup.
func rulesForRemovedTiers(change Change, tier string) []chain.Rule {
	var removed []chain.Rule
	for _, group := range change.Old.Groups {
		if group.Tier != tier {
			continue
		}
		for _, rule := range group.Rules {
			if rule.Peer.Kind == chain.PeerTier && !change.New.HasTier(rule.Peer.Tier) {
				removed = append(removed, rule)
			}
		}
	}
	return removed
}

// marked returns the tags of a retired group. The cleanup has no properties, so a mark tells it to
// release the group. A rollback releases nothing of what the failed operation created.
func (c Change) marked(was chain.Group) map[string]string {
	all := map[string]string{}
	maps.Copy(all, was.Tags)
	delete(all, chain.TagRelease)
	if old, _ := c.Old.Find(was.Identity); old.IsReleased() && was.Adoption == chain.Created && !c.New.HasTier(was.Tier) && !c.Rollback {
		all[chain.TagRelease] = chain.ReleaseYes
	}
	return all
}

func namingOrphans(change Change, rules []chain.Rule) []chain.Rule {
	var naming []chain.Rule
	for _, rule := range rules {
		if rule.Peer.Kind == chain.PeerMember && change.Standing(rule.Peer.Member) == Orphan {
			naming = append(naming, rule)
		}
	}
	return naming
}

// acceptDefaultEgress adapts the rules of a group with unrestricted egress to what
// EC2 creates by itself. The default rule of a new group has no description. In a
// VPC with an IPv6 range it has a twin for ::/0, even if the chain does not ask for
// IPv6.
//
// EC2's own twin has no description either. A twin with a description is from the
// chain, when it asked for IPv6, or it is an out-of-band change.
func acceptDefaultEgress(rules, was []chain.Rule, exists bool) []chain.Rule {
	find := func(key chain.Rule) int {
		return slices.IndexFunc(rules, func(rule chain.Rule) bool { return rule.Key() == key })
	}
	hasOwn := func(own chain.Rule) bool {
		return slices.ContainsFunc(was, func(rule chain.Rule) bool { return rule.Key() == own && rule.Description == "" })
	}
	v4, v6 := find(chain.AllTrafficV4()), find(chain.AllTrafficV6())
	if v4 < 0 {
		return rules
	}
	if !exists || hasOwn(chain.AllTrafficV4()) {
		rules[v4].Description = ""
	}
	switch hasTwin := hasOwn(chain.AllTrafficV6()); {
	case v6 >= 0 && (!exists || hasTwin):
		rules[v6].Description = ""
	case v6 < 0 && hasTwin:
		rules = append(rules, chain.AllTrafficV6())
	}
	return rules
}
