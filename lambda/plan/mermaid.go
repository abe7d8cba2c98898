package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sgchain/lambda/chain"
)

// Mermaid draws a flowchart: groups as boxes, everything else in other shapes. A
// solid arrow is inbound traffic of a group, a dotted one outbound traffic. What a
// change adds is green, what it removes is red and dashed. Labels say both, too.
//
// The syntax is that of mermaid.js.org/syntax/flowchart.html.
func (d Drawing) Mermaid() string {
	chart := flowchart{nodes: map[string]string{}}
	chart.text.WriteString("flowchart TD\n")
	groups := d.Groups()
	for _, group := range groups {
		chart.node(group.Name, "[", group.Title+word(group.Mark, "created", "removed"), "]")
		chart.style(&chart.groups, group.Mark, chart.nodes[group.Name])
	}
	chart.outside(groups)
	for _, group := range groups {
		for _, direction := range []chain.Direction{chain.Ingress, chain.Egress} {
			for _, one := range group.RulesByPeer(direction) {
				chart.link(group, one)
			}
		}
	}
	chart.color()
	return chart.text.String()
}

// flowchart is a chart under construction. It maps the names of nodes to their IDs.
type flowchart struct {
	text  strings.Builder
	nodes map[string]string
	links int
	// The nodes and links that were added, and those that were removed.
	groups, arrows [2][]string
}

// outside adds a node for every peer that is not a group of the drawing, by name.
func (f *flowchart) outside(groups []DrawnGroup) {
	shapes := map[string]DrawnRule{}
	var keys []string
	for _, group := range groups {
		for _, rule := range group.Rules {
			key := rule.node(group)
			if _, known := shapes[key]; !known && f.nodes[key] == "" {
				shapes[key] = rule
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		rule := shapes[key]
		begin, end := "([", "])"
		switch rule.Peer.Kind {
		case chain.PeerGroup, chain.PeerTier, chain.PeerMember, chain.PeerGroupName:
			begin, end = "{{", "}}"
		case chain.PeerPrefixList, chain.PeerListName:
			begin, end = "[(", ")]"
		case chain.PeerCIDR, chain.PeerVPC:
		}
		f.node(key, begin, rule.PeerName, end)
	}
}

// node returns the name of the node of a rule's peer. A range has one node for each
// direction: above the chain as a source, below it as a destination.
func (r DrawnRule) node(group DrawnGroup) string {
	switch {
	case r.PeerName == "itself":
		return group.Name
	case r.Direction == chain.Egress && (r.Peer.Kind == chain.PeerCIDR || r.Peer.Kind == chain.PeerVPC):
		return "to " + r.PeerName
	default:
		return r.PeerName
	}
}

func (f *flowchart) node(name, begin, label, end string) {
	f.nodes[name] = "n" + strconv.Itoa(len(f.nodes))
	fmt.Fprintf(&f.text, "  %s%s\"%s\"%s\n", f.nodes[name], begin, MermaidText(label), end)
}

func (f *flowchart) link(group DrawnGroup, one PeerRules) {
	label := one.Traffic() + word(one.Mark, "added", "removed")
	if one.Unmanaged {
		label += " (unmanaged)"
	}
	from, arrow, to := f.nodes[one.node(group)], "-->", f.nodes[group.Name]
	if one.Direction == chain.Egress {
		from, arrow, to = to, "-.->", from
	}
	fmt.Fprintf(&f.text, "  %s %s|\"%s\"| %s\n", from, arrow, MermaidText(label), to)
	f.style(&f.arrows, one.Mark, strconv.Itoa(f.links))
	f.links++
}

// word returns a mark in words, for readers who do not see colors. It is a suffix:
// Mermaid takes a label that begins with a plus and a space for a list, and refuses it.
func word(mark, plus, minus string) string {
	switch mark {
	case Added:
		return " (" + plus + ")"
	case Removed:
		return " (" + minus + ")"
	default:
		return ""
	}
}

func (f *flowchart) style(lists *[2][]string, mark, what string) {
	switch mark {
	case Added:
		lists[0] = append(lists[0], what)
	case Removed:
		lists[1] = append(lists[1], what)
	}
}

// color writes the styles of the marks.
func (f *flowchart) color() {
	for i, look := range []string{"stroke:#1a7f37,stroke-width:2px", "stroke:#cf222e,stroke-width:2px,stroke-dasharray:5"} {
		class := []string{"added", "removed"}[i]
		if list := f.groups[i]; len(list) > 0 {
			fmt.Fprintf(&f.text, "  classDef %s %s\n  class %s %s\n", class, look, strings.Join(list, ","), class)
		}
		if list := f.arrows[i]; len(list) > 0 {
			fmt.Fprintf(&f.text, "  linkStyle %s %s\n", strings.Join(list, ","), look)
		}
	}
}

// MermaidText escapes a text for the quotes of a label. It encodes everything that has
// a meaning in Mermaid, HTML or Markdown.
func MermaidText(text string) string {
	var label strings.Builder
	for _, r := range text {
		switch {
		case r == '"':
			label.WriteString("#quot;")
		case r < ' ' || r == 0x7f:
			label.WriteByte(' ')
		case strings.ContainsRune("#&<>;`*_$|\\{}%", r):
			fmt.Fprintf(&label, "#%d;", r)
		default:
			label.WriteRune(r)
		}
	}
	return label.String()
}
