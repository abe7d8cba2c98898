package plan

import (
	"maps"
	"slices"

	"sgchain/lambda/chain"
)

// Change is the two desired states of a run: what the properties ask for now, and what they
// asked for before. Old is empty on Create; of the groups that leave, the cleanup releases those that bear
// [chain.TagRelease] in it.
type Change struct {
	New, Old chain.State
	// KeepUnmanaged lets rules stay that the chain never made.
	KeepUnmanaged bool
	// AdoptedBy is what groups carry that this run takes over.
	AdoptedBy chain.Adoption
	// Rollback says that this run takes back what another one did, Creating that it makes the chain:
	// what there is was adopted by one before it that failed.
	Rollback, Creating bool
	// From is the chain that this one takes over, as it is; the zero Former where it takes over none.
	From chain.Former
	// MovedForGood says that the chain is gone from which groups were moved.
	MovedForGood bool
	// StackTags are those of the stack that its groups get: see [chain.Spec.StackTags].
	StackTags map[string]string
}

// Standing says what a group is to the run.
type Standing int

const (
	// Orphan is an owned group in neither chain: a run died, or a cleanup was
	// skipped.
	Orphan Standing = iota
	// Live is a group of the new chain.
	Live
	// Retired is a group of the old chain that the new one lacks. It stays until
	// CloudFormation sends the Delete of its physical ID.
	Retired
)

// Standing is the standing of an identity.
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

// Goal is the state that must hold after a run, and stays right until the
// cleanup. Epoch is what the live groups carry.
//
//	group    carries
//	live     the new chain's doors; and its old doors to a tier that left the chain
//	retired  the old chain's doors; and a mark where its tier left and is to be released
//	orphan   what it has, until somebody removes it
//
// Live and retired groups carry, too, what the chain never made and has to keep: see
// [Change.keeps].
//
// In the first two a peer tier means every group of that tier that is there,
// live or retired: consumers move one by one, so any member may be in either
// group of its tier while the other end is in either group of its own. A rule
// that names an orphan stays as long as the orphan does, since something may be using
// it; not so where the rule's own group was an orphan too, until now: what its new
// members may do is the new chain's to say.
func Goal(change Change, current chain.State, epoch chain.Epoch) chain.State {
	expand := expander{present: present(change, current)}
	var goal chain.State
	for _, wanted := range change.New.Groups {
		was, exists := current.Find(wanted.Identity)
		rules := expand.rules(wanted.Rules)
		rules = append(rules, expand.rules(doorsToLeftTiers(change, wanted.Tier))...)
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

// present lists the groups that a peer tier stands for: the new chain's, which
// are there or about to be, and the retired ones that are still there.
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

// rules replaces every peer tier by its groups.
func (e expander) rules(rules []chain.Rule) []chain.Rule {
	expanded := make([]chain.Rule, 0, len(rules)+1) // what EC2 adds by itself has room too
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

// doorsToLeftTiers is what a tier had, in the old chain, with tiers that the new
// chain lacks: their members go on working until they are gone.
func doorsToLeftTiers(change Change, tier string) []chain.Rule {
	var doors []chain.Rule
	for _, group := range change.Old.Groups {
		if group.Tier != tier {
			continue
		}
		for _, rule := range group.Rules {
			if rule.Peer.Kind == chain.PeerTier && !change.New.HasTier(rule.Peer.Tier) {
				doors = append(doors, rule)
			}
		}
	}
	return doors
}

// marked is what a retired group carries: the cleanup knows no properties, and learns from a mark that
// it is to release the group. Nothing is released of what an operation made that is taken back.
func (c Change) marked(was chain.Group) map[string]string {
	all := map[string]string{}
	maps.Copy(all, was.Tags)
	delete(all, chain.TagRelease)
	if old, _ := c.Old.Find(was.Identity); old.IsReleased() && was.Adoption == chain.Made && !c.New.HasTier(was.Tier) && !c.Rollback {
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

// acceptDefaultEgress fits a group that may send anything to what EC2 makes by
// itself: a fresh group's rule has no description, and in a VPC with an IPv6
// range it has a twin for ::/0, whether the chain asks for IPv6 or not. EC2's own
// twin has no description either. One that has one is the chain's, from when it asked
// for IPv6, or an out-of-band change.
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
