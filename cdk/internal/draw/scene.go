package draw

import (
	"fmt"
	"slices"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// A scene is what an SVG shows, first without places: groups are cards, one below the other in
// the drawing's order, the world is a band on top. On the left of a card stand the peers that
// its inbound rules let in, on its right those that its outbound rules reach, one row for each.
// What a card takes from the one right above it is an arrow between the two. A peer that is a
// card itself also has a wire to it, in lanes on the far left: no line can cross a card.
//
// Many groups make several scenes, which stand side by side in a file and one below the other
// on a page. The first has the title and the legend.
type scene struct {
	title   string
	first   bool
	shapes  map[shape]bool // what any of the scenes has
	world   []string       // the names of the world's peers that somebody lets in; none means no band
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
	above    []row // what it takes from the card, or the world, right above it
	in, out  []row
	y, h     int
	isSource bool // a wire begins here
	lane     int  // in which lane that is
	last     int  // the last card that the wire touches
	first    int  // and the first
}

// line is a line of text in a card.
type line struct{ text, class string }

// row is a door, or how many are left out.
type row struct {
	peer  string
	shape shape
	label string
	mark  string
	from  int // the card at the other end of the wire; noCard or fromWorld
	y     int
}

// What a row's wire may lead to that is no card.
const (
	noCard    = -1
	fromWorld = -2
)

// shape is what a peer looks like.
type shape int

const (
	shapeRange    shape = iota // a range of addresses: rounded
	shapeWorld                 // the internet, or a great part of it: a double border
	shapeAnywhere              // the same as a destination, which is EC2's default and no alarm
	shapeGroup                 // a group of the drawing: a box
	shapeForeign               // another group: a hexagon
	shapeList                  // a prefix list: a stack
	shapeNone                  // no peer, only words
)

const itself = "itself"

// The most that is drawn. What is left out is counted; the page has it in its tables.
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

func shapeOf(door plan.Door) shape {
	switch door.Peer.Kind {
	case chain.PeerGroup, chain.PeerTier, chain.PeerGroupName:
		return shapeForeign
	case chain.PeerMember:
		return shapeGroup
	case chain.PeerPrefixList, chain.PeerListName:
		return shapeList
	case chain.PeerCIDR, chain.PeerVPC:
		switch {
		case !chain.IsWorld(door.Peer):
			return shapeRange
		case door.Direction == chain.Egress:
			return shapeAnywhere
		default:
			return shapeWorld
		}
	default:
		return shapeRange
	}
}

// newScenes sorts what the groups have into rows, and the groups into as many scenes as they need,
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

// fill adds the cards of a scene. Drawn is the names of all groups, also those of other scenes.
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
		var others []plan.Door
		for _, door := range one.in {
			isWorld := chain.IsWorld(door.Peer)
			if isWorld && !slices.Contains(s.world, door.PeerName) {
				s.world = append(s.world, door.PeerName)
			}
			isAbove := (i == 0 && isWorld) || (i > 0 && door.Peer.Kind == chain.PeerMember && door.PeerName == above)
			if isAbove && len(c.above) < mostAbove {
				c.above = append(c.above, newRow(door, places))
				continue
			}
			others = append(others, door)
		}
		// The world first: it is what a reader looks for.
		slices.SortStableFunc(others, func(a, b plan.Door) int { return worldLast(b) - worldLast(a) })
		c.in, c.out = s.rows(others, places), s.rows(one.out, places)
		c.lines = linesOf(one, len(one.in) == 0)
		s.cards = append(s.cards, c)
	}
	slices.Sort(s.world)
	s.wire()
}

func worldLast(door plan.Door) int {
	if chain.IsWorld(door.Peer) {
		return 1
	}
	return 0
}

// rows lists doors, and how many rules are left out of the list.
func (s *scene) rows(doors []plan.Door, places map[string]int) []row {
	var rows []row
	left, leftRules := 0, 0
	for _, door := range doors {
		if len(rows) == mostRows {
			left, leftRules = left+1, leftRules+len(door.Rules)
			continue
		}
		one := newRow(door, places)
		s.shapes[one.shape] = true
		rows = append(rows, one)
	}
	if left > 0 {
		rows = append(rows, row{shape: shapeNone, from: noCard, label: fmt.Sprintf("and %d more (%s)", left, count(leftRules, "rule"))})
	}
	return rows
}

func newRow(door plan.Door, places map[string]int) row {
	words := suffix(door)
	one := row{
		peer: cut(clean(peerWord(door)), fontSize, mostPeer, false), shape: shapeOf(door), mark: door.Mark, from: noCard,
		label: sign(door.Mark) + traffic(door.Rules, fontSize, mostLabel-width(sign(door.Mark)+words, fontSize, false)) + words,
	}
	place, isDrawn := places[door.PeerName]
	switch {
	case door.Direction == chain.Egress:
	case one.shape == shapeWorld:
		one.from = fromWorld
	case one.shape == shapeGroup && isDrawn:
		one.from = place
	}
	if one.shape == shapeGroup && !isDrawn && door.PeerName != itself {
		one.shape = shapeForeign
	}
	return one
}

// sign is a mark as a reader knows it, with the space after it.
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

// linesOf is what a card says.
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

// wire gives the wires of each card a lane. A lane has one wire beside each card, so that
// wires do not lie on each other. Where there is no lane left, or the way is too long for
// an eye to follow, the name in the row has to do.
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
	var free []int // by lane, the first card beside which it is free
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
