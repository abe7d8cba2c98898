package draw

import (
	"fmt"
	"slices"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// A scene is what an SVG shows, first without places. Groups are cards, one below the other in the
// drawing's order, and the world is a band on top. On the left of a card are the sources of its
// inbound rules, on its right the destinations of its outbound rules. Each has a row. An inbound
// rule for the card right above is an arrow between the two. A peer that is a card itself also has
// a wire to it, in lanes on the far left: no line can cross a card.
//
// Many groups make several scenes, side by side in a file and one below the other on a page. The
// first has the title and the legend.
type scene struct {
	title   string
	first   bool
	shapes  map[shape]bool // in any of the scenes
	world   []string       // the names of the world's peers in inbound rules; without any there is no band
	cards   []card
	lanes   int // how many are in use
	change  bool
	columns columns
	height  int
}

// card is a group.
type card struct {
	lines    []line
	mark     string
	above    []row // inbound traffic from the card, or the world, right above it
	in, out  []row
	y, h     int
	isSource bool // a wire begins here
	lane     int  // the lane of that wire
	last     int  // the last card that the wire touches
	first    int  // and the first
}

// line is a line of text in a card.
type line struct{ text, class string }

// row is a rule's peer and traffic, or the number of rows that are left out.
type row struct {
	peer  string
	shape shape
	label string
	mark  string
	from  int // the card at the other end of the wire; noCard or fromWorld
	y     int
}

// The origins of a row's wire that are not cards.
const (
	noCard    = -1
	fromWorld = -2
)

// shape is the look of a peer.
type shape int

const (
	shapeRange    shape = iota // a range of addresses: rounded
	shapeWorld                 // the internet, or a large part of it: a double border
	shapeAnywhere              // the same as a destination, which is EC2's default and no reason for a warning
	shapeGroup                 // a group of the drawing: a box
	shapeOther                 // another group: a hexagon
	shapeList                  // a prefix list: a stack
	shapeNone                  // no peer, only words
)

const itself = "itself"

// The most that is drawn. What is left out is counted, and the page has it in its tables.
const (
	mostRows  = 12 // of a card, in each direction
	mostAbove = 3  // arrows between two cards
	mostLanes = 10
	mostSpan  = 24 // cards that a wire passes
	mostNotes = 3
	mostCards = 30  // in one scene
	mostName  = 260 // pixels of a card's lines
	mostPeer  = 240
	mostLabel = 210
)

func shapeOf(entry plan.PeerRules) shape {
	switch entry.Peer.Kind {
	case chain.PeerGroup, chain.PeerTier, chain.PeerGroupName:
		return shapeOther
	case chain.PeerMember:
		return shapeGroup
	case chain.PeerPrefixList, chain.PeerListName:
		return shapeList
	case chain.PeerCIDR, chain.PeerVPC:
		switch {
		case !chain.IsInternet(entry.Peer):
			return shapeRange
		case entry.Direction == chain.Egress:
			return shapeAnywhere
		default:
			return shapeWorld
		}
	default:
		return shapeRange
	}
}

// newScenes sorts the groups' rules into rows, and the groups into as many scenes as they need,
// each with about as many.
func newScenes(groups []group, title string) []*scene {
	drawn := map[string]bool{}
	for _, one := range groups {
		drawn[one.Name] = true
	}
	parts := max(1, (len(groups)+mostCards-1)/mostCards)
	shapes, change := map[shape]bool{}, isChange(groups)
	scenes := make([]*scene, parts)
	for i := range scenes {
		s := &scene{title: cut(title, titleSize, 900, true), first: i == 0, shapes: shapes, change: change}
		s.fill(groups[len(groups)*i/parts:len(groups)*(i+1)/parts], drawn)
		scenes[i] = s
	}
	return scenes
}

// fill adds the cards of a scene. drawn has the names of all groups, also those of other scenes.
func (s *scene) fill(groups []group, drawn map[string]bool) {
	places := map[string]int{}
	for name := range drawn {
		places[name] = noCard
	}
	for i, one := range groups {
		places[one.Name] = i
	}
	for i, one := range groups {
		c := card{mark: one.Mark, lane: noCard, first: i, last: i}
		above := ""
		if i > 0 {
			above = groups[i-1].Name
		}
		var others []plan.PeerRules
		for _, entry := range one.in {
			isWorld := chain.IsInternet(entry.Peer)
			if isWorld && !slices.Contains(s.world, entry.PeerName) {
				s.world = append(s.world, entry.PeerName)
			}
			isAbove := (i == 0 && isWorld) || (i > 0 && entry.Peer.Kind == chain.PeerMember && entry.PeerName == above)
			if isAbove && len(c.above) < mostAbove {
				c.above = append(c.above, newRow(entry, places))
				continue
			}
			others = append(others, entry)
		}
		// The world comes first: readers look for it.
		slices.SortStableFunc(others, func(a, b plan.PeerRules) int { return worldLast(b) - worldLast(a) })
		c.in, c.out = s.rows(others, places), s.rows(one.out, places)
		c.lines = linesOf(one, len(one.in) == 0)
		s.cards = append(s.cards, c)
	}
	slices.Sort(s.world)
	s.wire()
}

func worldLast(entry plan.PeerRules) int {
	if chain.IsInternet(entry.Peer) {
		return 1
	}
	return 0
}

// rows returns the rows of rules, and the number of rules that are left out.
func (s *scene) rows(entries []plan.PeerRules, places map[string]int) []row {
	var rows []row
	left, leftRules := 0, 0
	for _, entry := range entries {
		if len(rows) == mostRows {
			left, leftRules = left+1, leftRules+len(entry.Rules)
			continue
		}
		one := newRow(entry, places)
		s.shapes[one.shape] = true
		rows = append(rows, one)
	}
	if left > 0 {
		rows = append(rows, row{shape: shapeNone, from: noCard, label: fmt.Sprintf("and %d more (%s)", left, count(leftRules, "rule"))})
	}
	return rows
}

func newRow(entry plan.PeerRules, places map[string]int) row {
	words := suffix(entry)
	one := row{
		peer: cut(clean(peerWord(entry)), fontSize, mostPeer, false), shape: shapeOf(entry), mark: entry.Mark, from: noCard,
		label: sign(entry.Mark) + traffic(entry.Rules, fontSize, mostLabel-width(sign(entry.Mark)+words, fontSize, false)) + words,
	}
	place, isDrawn := places[entry.PeerName]
	switch {
	case entry.Direction == chain.Egress:
	case one.shape == shapeWorld:
		one.from = fromWorld
	case one.shape == shapeGroup && isDrawn:
		one.from = place
	}
	if one.shape == shapeGroup && !isDrawn && entry.PeerName != itself {
		one.shape = shapeOther
	}
	return one
}

// sign returns a mark as diffs have it, with the space after it.
func sign(mark string) string {
	switch mark {
	case plan.Added:
		return "+ "
	case plan.Removed:
		return "− "
	default:
		return ""
	}
}

func markClass(mark string) string { return markWord(mark) }

// linesOf returns the lines of a card.
func linesOf(one group, isClosed bool) []line {
	lines := []line{{cut(clean(one.Name), nameSize, mostName, true), "name"}}
	if one.fate != "" {
		lines = append(lines, line{sign(one.Mark) + one.fate, "strong " + markClass(one.Mark)})
	}
	add := func(text string) { lines = append(lines, line{cut(clean(text), fontSize, mostName, false), "muted"}) }
	if one.GroupName != "" && one.GroupName != one.Name {
		add(one.GroupName)
	}
	if one.id != "" {
		add(one.id)
	}
	for i, note := range one.notes {
		if i == mostNotes {
			add(fmt.Sprintf("and %s more", count(len(one.notes)-i, "note")))
			break
		}
		add(note)
	}
	if isClosed {
		add("no inbound rules")
	}
	if len(one.out) == 0 {
		add("no outbound rules")
	}
	return lines
}

// wire assigns a lane to the wires of each card. A lane has one wire next to each card, so that
// wires do not overlap. If no lane is free, or the wire would be too long for an eye to follow, the
// row has only the name.
func (s *scene) wire() {
	for i := range s.cards {
		for j := range s.cards[i].in {
			from := s.cards[i].in[j].from
			if from < 0 {
				continue
			}
			if distance := max(i-from, from-i); distance > mostSpan {
				s.cards[i].in[j].from = noCard
				continue
			}
			source := &s.cards[from]
			source.isSource, source.first, source.last = true, min(source.first, i), max(source.last, i)
		}
	}
	var sources []int
	for i, c := range s.cards {
		if c.isSource {
			sources = append(sources, i)
		}
	}
	slices.SortStableFunc(sources, func(a, b int) int { return s.cards[a].first - s.cards[b].first })
	var free []int // by lane, the first card next to which it is free
	for _, i := range sources {
		source := &s.cards[i]
		lane := slices.IndexFunc(free, func(from int) bool { return from <= source.first })
		if lane < 0 && len(free) < mostLanes {
			lane, free = len(free), append(free, 0)
		}
		if source.lane = lane; lane >= 0 {
			free[lane] = source.last + 1
		}
	}
	s.lanes = len(free)
	for i := range s.cards {
		for j := range s.cards[i].in {
			if from := s.cards[i].in[j].from; from >= 0 && s.cards[from].lane < 0 {
				s.cards[i].in[j].from = noCard
			}
		}
	}
}
