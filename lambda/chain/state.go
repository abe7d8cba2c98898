package chain

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Group is one security group of a chain, either desired or current.
type Group struct {
	Identity

	// Epoch is the value of the ownership tag sgchain:chain: the physical ID that the group
	// belongs to. Desired groups get it from [plan.Goal].
	Epoch Epoch
	Rules []Rule
	// Tags has the author's tags in a desired state. In a current state it has every tag that
	// is neither an ownership tag nor AWS's own.
	Tags map[string]string
	// Adoption is the group's adoption status.
	Adoption Adoption
	// Unmanaged has the Rules that the chain never created, if they were looked up.
	Unmanaged []Rule
	// Movable means that the group belongs to the chain that this one takes over. It is never
	// written to a tag.
	Movable bool
}

// State is the groups of a chain and their rules, either desired or current.
type State struct{ Groups []Group }

// IsReleased reports whether a removal releases the group instead of deleting it: another owner
// created it, or its tier left the chain by ReleaseTiers.
func (g Group) IsReleased() bool {
	return g.Adoption.IsForeign() || g.Tags[TagRelease] != ""
}

// Releasing returns the state with a mark on the groups of some tiers, which are released when
// they leave the chain.
func (s State) Releasing(tiers []string) State {
	groups := slices.Clone(s.Groups)
	for i := range groups {
		if slices.Contains(tiers, groups[i].Tier) {
			tags := map[string]string{TagRelease: ReleaseYes}
			maps.Copy(tags, groups[i].Tags)
			groups[i].Tags = tags
		}
	}
	return State{Groups: groups}
}

// Normalize returns the state with every group's rules sorted and without duplicates. Two
// equivalent states then differ at most in the order of their groups. A desired state has the
// author's order, a current state the order of the identities.
func (s State) Normalize() State {
	groups := slices.Clone(s.Groups)
	for i := range groups {
		if rules := groups[i].Rules; isNormal(rules) {
			groups[i].Rules = slices.Clip(rules) // shared: clipped, so that an append copies it
			continue
		}
		rules := append([]Rule(nil), groups[i].Rules...)
		Sort(rules, CompareRules)
		groups[i].Rules = slices.CompactFunc(rules, isSame)
	}
	return State{Groups: groups}
}

func isNormal(rules []Rule) bool {
	for i := 1; i < len(rules); i++ {
		if CompareRules(rules[i-1], rules[i]) > 0 || isSame(rules[i-1], rules[i]) {
			return false
		}
	}
	return true
}

func isSame(a, b Rule) bool { return a.Key() == b.Key() }

// NameTag is the tag that the console shows as a group's name.
const NameTag = "Name"

// Named returns the state with a Name tag for every group that the author gave none, for the
// console.
func (s State) Named(resource Resource) State {
	groups := slices.Clone(s.Groups)
	for i, group := range groups {
		groups[i].Tags = map[string]string{NameTag: group.EC2Name(resource)}
		maps.Copy(groups[i].Tags, group.Tags)
	}
	return State{Groups: groups}
}

// Find returns the group of an identity.
func (s State) Find(identity Identity) (Group, bool) {
	for _, group := range s.Groups {
		if group.Identity == identity {
			return group, true
		}
	}
	return Group{}, false
}

// Has reports whether the state has a group of the identity.
func (s State) Has(identity Identity) bool {
	_, found := s.Find(identity)
	return found
}

// HasTier reports whether the state has a group of the tier.
func (s State) HasTier(tier string) bool {
	return slices.ContainsFunc(s.Groups, func(g Group) bool { return g.Tier == tier })
}

// Identities returns the groups' identities in the state's order.
func (s State) Identities() []Identity {
	identities := make([]Identity, 0, len(s.Groups))
	for _, group := range s.Groups {
		identities = append(identities, group.Identity)
	}
	return identities
}

// RuleCount returns the number of rules in all groups.
func (s State) RuleCount() int {
	count := 0
	for _, group := range s.Groups {
		count += len(group.Rules)
	}
	return count
}

// String prints the state, one line for each group and each rule, for goldens and for people.
func (s State) String() string {
	var text strings.Builder
	for _, group := range s.Groups {
		fmt.Fprintf(&text, "%s %q", group.Identity, group.Description)
		if group.Epoch != (Epoch{}) {
			fmt.Fprintf(&text, " %s", group.Epoch)
		}
		if group.Adoption.IsForeign() {
			fmt.Fprintf(&text, " (%s)", group.Adoption)
		}
		for _, key := range slices.Sorted(maps.Keys(group.Tags)) {
			fmt.Fprintf(&text, " %s=%q", key, group.Tags[key])
		}
		text.WriteByte('\n')
		for _, rule := range group.Rules {
			fmt.Fprintf(&text, "  %s", rule)
			if rule.Description != "" {
				fmt.Fprintf(&text, " %q", rule.Description)
			}
			text.WriteByte('\n')
		}
	}
	return text.String()
}
