package draw

import (
	"fmt"
	"slices"
	"strings"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// DOT returns a graph for Graphviz (graphviz.org/doc/info/lang.html). Groups are boxes, other peers
// have shapes of their own, and the world is on top with a double border. A solid arrow is an
// inbound rule of a group, a dotted one an outbound rule. What a change adds is bold and green,
// what it removes dashed and red. Words say both, too.
func DOT(drawing plan.Drawing, title string) string {
	graph := dot{nodes: map[string]string{}}
	fmt.Fprintf(&graph.text, `digraph sgchain {
  graph [label=%s, labelloc=t, rankdir=TB, fontname="Helvetica,Arial,sans-serif"]
  node [shape=box, style=rounded, fontname="Helvetica,Arial,sans-serif", fontsize=12]
  edge [fontname="Helvetica,Arial,sans-serif", fontsize=11, arrowsize=0.8]
`, dotText(title))
	groups := groupsOf(drawing)
	for _, one := range groups {
		label := one.Title
		if one.fate != "" {
			label += " (" + one.fate + ")"
		}
		graph.node(dotGroup+one.Name, dotText(label)+dotLook(one.Mark, "rounded"))
	}
	graph.outside(groups)
	for _, one := range groups {
		for _, entry := range one.in {
			graph.edge(graph.nodes[dotNode(one, entry)], graph.nodes[dotGroup+one.Name], entry)
		}
		for _, entry := range one.out {
			graph.edge(graph.nodes[dotGroup+one.Name], graph.nodes[dotNode(one, entry)], entry)
		}
	}
	graph.text.WriteString("}\n")
	return graph.text.String()
}

// dot is a graph being written. nodes has the names of nodes, by what they represent.
type dot struct {
	text  strings.Builder
	nodes map[string]string
}

func (d *dot) node(name, attributes string) {
	d.nodes[name] = fmt.Sprintf("n%d", len(d.nodes))
	fmt.Fprintf(&d.text, "  %s [label=%s]\n", d.nodes[name], attributes)
}

// outside writes a node for every peer that is not a group of the drawing, by name.
func (d *dot) outside(groups []group) {
	peers := map[string]plan.PeerRules{}
	var names []string
	for _, one := range groups {
		for _, entry := range slices.Concat(one.in, one.out) {
			name := dotNode(one, entry)
			if _, known := peers[name]; !known && d.nodes[name] == "" {
				peers[name] = entry
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	var top []string
	for _, name := range names {
		entry := peers[name]
		attributes := dotText(peerWord(entry))
		switch shapeOf(entry) {
		case shapeWorld:
			attributes += `, shape=box, style=bold, peripheries=2, color="#953800"`
		case shapeAnywhere:
			attributes += ", shape=box, style=solid, peripheries=2"
		case shapeList:
			attributes += ", shape=cylinder, style=solid"
		case shapeOther, shapeGroup: // a group that is not drawn
			attributes += ", shape=hexagon, style=solid"
		case shapeRange, shapeNone:
			attributes += ", shape=ellipse, style=solid"
		}
		if d.node(name, attributes); shapeOf(entry) == shapeWorld {
			top = append(top, d.nodes[name])
		}
	}
	if len(top) > 0 {
		fmt.Fprintf(&d.text, "  {rank=source; %s}\n", strings.Join(top, "; "))
	}
}

// dotGroup begins the keys of groups, because a group can have the name of a peer.
const dotGroup = "group "

// dotNode returns the key of the node at the other end of a rule. A range has one node for each
// direction: the source is above the groups, the destination below.
func dotNode(of group, entry plan.PeerRules) string {
	kind := entry.Peer.Kind
	switch {
	case kind == chain.PeerMember && entry.Peer.Member == of.Identity:
		return dotGroup + of.Name
	case kind == chain.PeerMember:
		return dotGroup + entry.PeerName
	case entry.Direction == chain.Egress && (kind == chain.PeerCIDR || kind == chain.PeerVPC):
		return "to " + entry.PeerName
	default:
		return "peer " + entry.PeerName
	}
}

func (d *dot) edge(from, to string, entry plan.PeerRules) {
	base, head := "solid", ""
	if entry.Direction == chain.Egress {
		base, head = "dotted", ", arrowhead=vee"
	}
	fmt.Fprintf(&d.text, "  %s -> %s [label=%s%s%s]\n", from, to, dotText(entry.Traffic()+suffix(entry)), dotLook(entry.Mark, base), head)
}

// suffix returns the words that follow the traffic of a rule.
func suffix(entry plan.PeerRules) string {
	text := ""
	if word := markWord(entry.Mark); word != "" {
		text += " (" + word + ")"
	}
	if entry.Unmanaged {
		text += " (unmanaged)"
	}
	return text
}

// dotLook returns the attributes of a mark, after those of base.
func dotLook(mark, base string) string {
	switch mark {
	case plan.Added:
		return fmt.Sprintf(", style=%q, color=\"#1a7f37\", penwidth=2", base)
	case plan.Removed:
		if base == "rounded" {
			base = "rounded,dashed"
		} else {
			base = "dashed"
		}
		return fmt.Sprintf(", style=%q, color=\"#cf222e\", penwidth=2", base)
	default:
		return fmt.Sprintf(", style=%q", base)
	}
}

// dotText returns a text as a quoted string of DOT. Graphviz interprets backslashes and, in labels,
// HTML entities.
func dotText(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;").Replace(clean(text)) + `"`
}
