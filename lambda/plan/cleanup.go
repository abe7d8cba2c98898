package plan

import (
	"slices"
	"strings"

	"sgchain/lambda/chain"
)

// Cleanup returns the second part of a change, which follows the first once every consumer
// has moved: CloudFormation then deletes the old physical ID. State is what the first part
// leads to. Groups of the old chain are deleted, those that the chain adopted are released,
// and rules of other groups that name them are revoked before.
func Cleanup(chains Chains, state chain.State) Plan {
	var revoke, end builder
	for _, group := range state.Normalize().Groups {
		standing := chains.Standing(group.Identity)
		if standing == Retired {
			end.add(Step{Phase: Delete, Action: lastAction(group), Group: group.Identity})
		}
		leaving := slices.DeleteFunc(slices.Clone(group.Rules), func(rule chain.Rule) bool { return !chains.leaves(state, group, rule) })
		if standing != Retired || group.Adoption.IsForeign() {
			revoke.rules(Revoke, RevokeRules, group.Identity, leaving)
		}
	}
	return Plan{Steps: slices.Concat(revoke, end)}
}

func lastAction(group chain.Group) Action {
	if group.Adoption.IsForeign() {
		return ReleaseGroup
	}
	return DeleteGroup
}

// leaves reports whether the cleanup revokes a rule of a group that is there after it. A rule
// that names a group to delete has to go. Between a group that is released and the chain's
// others those go that the chain made; which these are is known of some groups only.
func (c Chains) leaves(state chain.State, group chain.Group, rule chain.Rule) bool {
	named, known := state.Find(rule.Peer.Member)
	if rule.Peer.Kind != chain.PeerMember || !known {
		return false
	}
	isUnmanaged := slices.ContainsFunc(group.Unmanaged, func(other chain.Rule) bool { return other.Key() == rule.Key() })
	goes := c.Standing(named.Identity) == Retired
	if c.Standing(group.Identity) == Retired { // and is released
		return !named.Adoption.IsForeign() && (goes || !isUnmanaged)
	}
	return goes && (!named.Adoption.IsForeign() || group.Adoption == chain.Settled || !isUnmanaged)
}

// Fate says what becomes of a group.
type Fate string

// The fates. A retired group stays until the cleanup; one that is left over is in neither
// chain, and goes once nothing uses it.
const (
	Created  Fate = "create"
	Adopted  Fate = "adopt"
	Kept     Fate = "keep"
	Leaves   Fate = "retire"
	LeftOver Fate = "left over"
)

// GroupFate is a group and what becomes of it.
type GroupFate struct {
	chain.Identity

	Fate Fate
	// Last is what the cleanup does to a retired group.
	Last Action
}

// Fates returns what becomes of every group of the new chain and of the current state: the
// new chain's in its order, then the others.
func Fates(chains Chains, current chain.State) []GroupFate {
	var fates []GroupFate
	for _, identity := range chains.New.Identities() {
		was, exists := current.Find(identity)
		fate := GroupFate{Identity: identity, Fate: Kept}
		switch {
		case !exists:
			fate.Fate = Created
		case was.Adoption == chain.Adoptable:
			fate.Fate = Adopted
		}
		fates = append(fates, fate)
	}
	for _, group := range sorted(current).Groups {
		switch chains.Standing(group.Identity) {
		case Live:
		case Retired:
			fates = append(fates, GroupFate{Identity: group.Identity, Fate: Leaves, Last: lastAction(group)})
		case Orphan:
			fates = append(fates, GroupFate{Identity: group.Identity, Fate: LeftOver, Last: lastAction(group)})
		}
	}
	return fates
}

// Text says it in a line: "retire Db~52a1ef sg-0a1b: delete group in the cleanup". The
// group's ID may be empty.
func (f GroupFate) Text(groupID string) string {
	text := string(f.Fate) + " " + f.Identity.String()
	if groupID != "" {
		text += " " + groupID
	}
	switch f.Fate {
	case Leaves:
		text += ": " + string(f.Last) + " in the cleanup"
	case LeftOver:
		text += ": " + string(f.Last) + " once nothing uses it"
	case Created, Adopted, Kept:
	}
	return text
}

// FateList says what becomes of every group, a line for each.
func FateList(chains Chains, current chain.State) string {
	var text strings.Builder
	for _, fate := range Fates(chains, current) {
		text.WriteString(fate.Text("") + "\n")
	}
	return text.String()
}
