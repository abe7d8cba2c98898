// Package draw draws chains of security groups, and the effect of a change, for programs other than
// a terminal. DOT is for Graphviz, SVG for pages and pull requests, and HTML is one page with the
// drawing and every rule. [plan.Drawing] itself has text and Mermaid.
//
// All of it is a pure function of the drawing: the same groups give the same bytes.
package draw

import (
	"fmt"
	"slices"
	"strings"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// group is a group of a drawing with the values that the renderers need.
type group struct {
	plan.DrawnGroup

	id    string
	notes []string
	in    []plan.PeerRules
	out   []plan.PeerRules
	rules []plan.DrawnRule // all of them, also those that repeat another one
	fate  string           // a word for the mark: "created", "retired" or "removed"
}

// groupsOf returns the groups of a drawing in its order: a chain's outermost tier is first.
func groupsOf(drawing plan.Drawing) []group {
	drawn := drawing.Groups()
	retired := map[chain.Identity]bool{}
	for _, identity := range drawing.Retired {
		retired[identity] = true
	}
	before, after := byIdentity(drawing.Before), byIdentity(drawing.After)
	groups := make([]group, 0, len(drawn))
	for _, one := range drawn {
		fate := map[string]string{plan.Added: "created", plan.Removed: "removed"}[one.Mark]
		is, stays := after[one.Identity]
		if retired[one.Identity] && stays {
			fate = "retired"
		}
		groups = append(groups, group{
			DrawnGroup: one, id: drawing.IDs[one.Identity], notes: drawing.Notes[one.Identity],
			in: one.RulesByPeer(chain.Ingress), out: one.RulesByPeer(chain.Egress), fate: fate,
			rules: slices.Concat(one.Rules, leftOut(one, before[one.Identity], is)),
		})
	}
	return groups
}

func byIdentity(state chain.State) map[chain.Identity]chain.Group {
	groups := make(map[chain.Identity]chain.Group, len(state.Groups))
	for _, one := range state.Groups {
		groups[one.Identity] = one
	}
	return groups
}

// leftOut returns the rules of a group that pictures leave out, because others say the same. These
// are rules for all of IPv6 that also exist for all of IPv4.
func leftOut(one plan.DrawnGroup, before, after chain.Group) []plan.DrawnRule {
	isSixth := func(rule chain.Rule) bool {
		return rule.Peer == chain.CIDRPeer(chain.InternetV6) || rule.Peer == chain.Peer{Kind: chain.PeerVPC, ID: "ipv6"}
	}
	if !slices.ContainsFunc(after.Rules, isSixth) && !slices.ContainsFunc(before.Rules, isSixth) {
		return nil
	}
	drawn := map[chain.Rule]bool{}
	for _, rule := range one.Rules {
		drawn[rule.Key()] = true
	}
	was, is, unmanaged := setOf(before.Rules), setOf(after.Rules), setOf(slices.Concat(before.Unmanaged, after.Unmanaged))
	var rules []plan.DrawnRule
	for _, rule := range slices.Concat(after.Rules, before.Rules) {
		key := rule.Key()
		if drawn[key] || !isSixth(rule) {
			continue
		}
		drawn[key] = true
		mark := ""
		switch {
		case !is[key]:
			mark = plan.Removed
		case !was[key]:
			mark = plan.Added
		}
		rules = append(rules, plan.DrawnRule{Rule: rule, PeerName: chain.PeerName(rule.Peer), Mark: mark, Unmanaged: unmanaged[key]})
	}
	return rules
}

// setOf returns rules as a set, without what does not distinguish them.
func setOf(rules []chain.Rule) map[chain.Rule]bool {
	set := make(map[chain.Rule]bool, len(rules))
	for _, rule := range rules {
		set[rule.Key()] = true
	}
	return set
}

// isChange reports whether anything in a drawing is marked.
func isChange(groups []group) bool {
	return slices.ContainsFunc(groups, func(one group) bool {
		return one.Mark != "" || slices.ContainsFunc(one.Rules, func(rule plan.DrawnRule) bool { return rule.Mark != "" })
	})
}

// markWord returns a rule's mark as a word, for readers who do not see colors.
func markWord(mark string) string {
	switch mark {
	case plan.Added:
		return "added"
	case plan.Removed:
		return "removed"
	default:
		return ""
	}
}

// peerWord returns the word for the other end of a rule in a drawing.
func peerWord(one plan.PeerRules) string {
	if one.Direction == chain.Egress && one.PeerName == "internet" {
		return "anywhere"
	}
	return one.PeerName
}

// clean returns a text in which no character hides. Control characters, marks that change the
// direction of writing, invisible spaces and what XML forbids become escapes.
func clean(text string) string {
	if !strings.ContainsFunc(text, isHidden) && strings.ToValidUTF8(text, "") == text {
		return text
	}
	var shown strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			shown.WriteByte(' ')
		case isHidden(r):
			fmt.Fprintf(&shown, "\\u%04x", r)
		default:
			shown.WriteRune(r)
		}
	}
	return shown.String()
}

// isHidden reports whether a character is invisible itself and can change how others look.
func isHidden(r rune) bool {
	switch {
	case r < ' ' || (r >= 0x7f && r < 0xa0): // controls
		return true
	case r == 0x200b || r == 0x200e || r == 0x200f || r == 0x2028 || r == 0x2029 || r == 0x2060 || r == 0x061c || r == 0xfeff:
		return true
	case (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069): // embeddings, overrides, isolates
		return true
	default:
		return r == 0xfffe || r == 0xffff
	}
}

// count returns a number with its noun: "1 rule", "2 rules".
func count(number int, noun string) string {
	if number == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", number, noun)
}
