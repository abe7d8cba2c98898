package draw

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// contents has the fields of page.html.
type contents struct {
	Title, Subject, Line, Summary string
	Policy                        string
	Style                         template.CSS
	Drawings                      []template.HTML
	Change, Tall, FewGroups       bool
	GroupCount                    string
	Groups, Fates                 []groupSection
	Changes, World                []ruleRow
	Warnings                      []string
	Notes                         []fact
}

// groupSection is a group with all of its rules. Class is the CSS class of its mark.
type groupSection struct {
	Anchor, Name, Fate, Class string
	Facts                     []fact
	RuleCount                 string
	Rules                     []ruleRow
}

// fact is a named text.
type fact struct{ Anchor, Name, Text string }

// ruleRow is a rule in a table. Was is the description that a change replaces.
type ruleRow struct {
	Anchor, Group                       string // the group that the rule is of
	Direction, Protocol, Ports, Traffic string
	Peer, PeerAnchor, Description, Was  string
	Mark, Class                         string
	Unmanaged                           bool
}

// fill adds the groups, and the lists above them that repeat some of their rules.
func (c *contents) fill(drawing plan.Drawing, groups []group) {
	anchors := map[string]string{}
	for i, one := range groups {
		anchors[one.Name] = fmt.Sprintf("group-%d", i+1)
	}
	before, after := byIdentity(drawing.Before), byIdentity(drawing.After)
	for _, one := range groups {
		section := groupSection{Anchor: anchors[one.Name], Name: clean(one.Name), Class: markWord(one.Mark), RuleCount: count(len(one.rules), "rule")}
		if one.fate != "" {
			section.Fate = sign(one.Mark) + one.fate
		}
		section.Facts = factsOf(one)
		was := newDescriptions(before[one.Identity], after[one.Identity])
		rules := slices.Clone(one.rules)
		slices.SortStableFunc(rules, func(a, b plan.DrawnRule) int {
			return cmp.Or(chain.CompareRules(a.Key(), b.Key()), cmp.Compare(a.Mark, b.Mark))
		})
		for _, rule := range rules {
			row := rowOf(rule, section, anchors)
			if rule.Mark == "" {
				row.Was = clean(was[rule.Key()])
			}
			section.Rules = append(section.Rules, row)
			if rule.Mark != "" || row.Was != "" {
				c.Changes = append(c.Changes, row)
			}
			if rule.Direction == chain.Ingress && chain.IsInternet(rule.Peer) {
				c.World = append(c.World, row)
			}
		}
		if c.Groups = append(c.Groups, section); section.Fate != "" {
			c.Fates = append(c.Fates, section)
		}
		for _, note := range one.notes {
			c.Notes = append(c.Notes, fact{section.Anchor, section.Name, clean(note)})
		}
	}
}

// factsOf returns what is known of a group besides its rules.
func factsOf(one group) []fact {
	var facts []fact
	for _, known := range []fact{
		{Name: "ID", Text: one.id}, {Name: "Group name", Text: one.GroupName}, {Name: "Description", Text: one.Description}, {Name: "Notes", Text: strings.Join(one.notes, "; ")},
	} {
		if known.Text != "" {
			facts = append(facts, fact{Name: known.Name, Text: clean(known.Text)})
		}
	}
	return facts
}

// newDescriptions returns the old descriptions of the rules whose description changes. For a rule
// without one it is "none".
func newDescriptions(before, after chain.Group) map[chain.Rule]string {
	was, now := map[chain.Rule]string{}, map[chain.Rule]string{}
	for _, rule := range before.Rules {
		was[rule.Key()] = cmp.Or(rule.Description, "none")
	}
	for _, rule := range after.Rules {
		key, description := rule.Key(), cmp.Or(rule.Description, "none")
		if old, isOld := was[key]; isOld && old != description {
			now[key] = old
		}
	}
	return now
}

func rowOf(rule plan.DrawnRule, of groupSection, anchors map[string]string) ruleRow {
	row := ruleRow{
		Anchor: of.Anchor, Group: of.Name, Direction: "inbound", Protocol: string(rule.Protocol), Ports: portsOf(rule.Rule),
		Traffic: chain.Traffic(rule.Protocol, rule.Ports), Peer: clean(peerInFull(rule)), Description: clean(rule.Description),
		Class: markWord(rule.Mark), Unmanaged: rule.Unmanaged,
	}
	if rule.Direction == chain.Egress {
		row.Direction = "outbound"
	}
	if rule.Mark != "" {
		row.Mark = sign(rule.Mark) + markWord(rule.Mark)
	}
	if rule.Peer.Kind == chain.PeerMember {
		row.PeerAnchor = anchors[rule.PeerName]
	}
	return row
}

// portsOf returns a rule's ports, or the type and code of ICMP.
func portsOf(rule chain.Rule) string {
	words, _ := strings.CutPrefix(chain.Traffic(rule.Protocol, rule.Ports), string(rule.Protocol)+" ")
	if !rule.Protocol.HasPorts() || words == string(rule.Protocol) {
		return "all"
	}
	return words
}

// peerInFull returns a peer's name, with its addresses if the name is a word for them.
func peerInFull(rule plan.DrawnRule) string {
	switch full := rule.Peer.String(); {
	case rule.Peer.Kind == chain.PeerVPC:
		return full
	case rule.Peer.Kind == chain.PeerCIDR && full != rule.PeerName:
		return "internet (" + full + ")"
	default:
		return rule.PeerName
	}
}
