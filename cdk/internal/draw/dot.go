package draw

import (
	"fmt"
	"slices"
	"strings"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// DOT returns a graph for Graphviz (graphviz.org/doc/info/lang.html): groups as boxes,
// everything else in shapes of its own, the world on top with a double border. A solid arrow
// is what a group lets in, a dotted one what it may send. What a change adds is bold and green,
// what it removes dashed and red; both are said in words, too.
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
		for _, door := range one.in {
			graph.edge(graph.nodes[dotNode(one, door)], graph.nodes[dotGroup+one.Name], door)
		}
		for _, door := range one.out {
			graph.edge(graph.nodes[dotGroup+one.Name], graph.nodes[dotNode(one, door)], door)
		}
	}
	graph.text.WriteString("}\n")
	return graph.text.String()
}

// dot is a graph that is being written. Its nodes' names are by what they stand for.
type dot struct {
	text  strings.Builder
	nodes map[string]string
}

func (d *dot) node(name, attributes string) {
	d.nodes[name] = fmt.Sprintf("n%d", len(d.nodes))
	fmt.Fprintf(&d.text, "  %s [label=%s]\n", d.nodes[name], attributes)
}

// outside writes a node for every peer that is no group of the drawing, by name.
func (d *dot) outside(groups []group) {
	peers := map[string]plan.Door{}
	var names []string
	for _, one := range groups {
		for _, door := range slices.Concat(one.in, one.out) {
			name := dotNode(one, door)
			if _, known := peers[name]; !known && d.nodes[name] == "" {
				peers[name] = door
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	var top []string
	for _, name := range names {
		door := peers[name]
		attributes := dotText(peerWord(door))
		switch shapeOf(door) {
		case shapeWorld:
			attributes += `, shape=box, style=bold, peripheries=2, color="#953800"`
		case shapeAnywhere:
			attributes += ", shape=box, style=solid, peripheries=2"
		case shapeList:
			attributes += ", shape=cylinder, style=solid"
		case shapeForeign, shapeGroup: // a group that is not drawn
			attributes += ", shape=hexagon, style=solid"
		case shapeRange, shapeNone:
			attributes += ", shape=ellipse, style=solid"
		}
		if d.node(name, attributes); shapeOf(door) == shapeWorld {
			top = append(top, d.nodes[name])
		}
	}
	if len(top) > 0 {
		fmt.Fprintf(&d.text, "  {rank=source; %s}\n", strings.Join(top, "; "))
	}
}

// dotGroup begins the keys of groups: a group may be called what a peer is.
const dotGroup = "group "

// dotNode is the key of the node at the other end of a door. Ranges have one for each
// direction: the world that comes in is above the groups, the one that they go out to below.
func dotNode(of group, door plan.Door) string {
	kind := door.Peer.Kind
	switch {
	case kind == chain.PeerMember && door.Peer.Member == of.Identity:
		return dotGroup + of.Name
	case kind == chain.PeerMember:
		return dotGroup + door.PeerName
	case door.Direction == chain.Egress && (kind == chain.PeerCIDR || kind == chain.PeerVPC):
		return "to " + door.PeerName
	default:
		return "peer " + door.PeerName
	}
}

func (d *dot) edge(from, to string, door plan.Door) {
	base, head := "solid", ""
	if door.Direction == chain.Egress {
		base, head = "dotted", ", arrowhead=vee"
	}
	fmt.Fprintf(&d.text, "  %s -> %s [label=%s%s%s]\n", from, to, dotText(door.Traffic()+suffix(door)), dotLook(door.Mark, base), head)
}

// suffix is what is said of a door in words behind its traffic.
func suffix(door plan.Door) string {
	text := ""
	if word := markWord(door.Mark); word != "" {
		text += " (" + word + ")"
	}
	if door.Unmanaged {
		text += " (unmanaged)"
	}
	return text
}

// dotLook is the attributes of a mark, after those that are there anyway.
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

// dotText is a text as a quoted string of DOT. Graphviz reads backslashes and, in labels,
// the entities of HTML.
func dotText(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;").Replace(clean(text)) + `"`
}
