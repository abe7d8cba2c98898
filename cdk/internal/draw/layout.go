package draw

// Sizes of the drawing, in pixels.
const (
	fontSize  = 12
	nameSize  = 15
	titleSize = 16

	margin     = 20
	lineHeight = 18
	rowHeight  = 36
	firstRow   = 30 // from a card's upper edge to the line of its first row
	exitHeight = 16 // for a wire that leaves below the rows
	chipHeight = 24
	laneWidth  = 12
	bandHeight = 40
	gap        = 26 // between cards
	gapArrow   = 52 // between cards with arrows between them
	headSize   = 8
	labelSpace = 34 // beside a label on its line: the arrow's head and some line
)

// columns has the positions and widths of the columns of a drawing.
type columns struct {
	worldLane           int // 0 without a wire to the world
	lanes               int
	chips, chipsWidth   int
	card, cardWidth     int
	right, rightWidth   int // the chips on the right
	inLabels, outLabels int // how wide the space for labels is
	total               int
	legendY             int
	centered            bool // center the arrows between cards: each gap has at most one, with a short label
}

// layout places everything. Columns are as wide as their contents and cards as high, so nothing
// overlaps.
func (s *scene) layout() {
	s.across()
	y := margin
	if s.title != "" {
		y += titleSize + 14
	}
	if len(s.world) > 0 {
		y += bandHeight
	}
	for i := range s.cards {
		c := &s.cards[i]
		switch {
		case len(c.above) > 0:
			y += gapArrow
		case i > 0 || len(s.world) > 0:
			y += gap
		}
		c.y = y
		c.h = max(len(c.lines)*lineHeight+22, rowsHeight(c.in), rowsHeight(c.out))
		if c.isSource && c.lane >= 0 {
			c.h = max(c.h, rowsHeight(c.in)+exitHeight)
		}
		place(c.in, c.y)
		place(c.out, c.y)
		y += c.h
	}
	s.columns.legendY = y + gap
	s.height = y + margin
	if s.first {
		s.height += gap + legendHeight
	}
}

// bandTop returns the upper edge of the world's band.
func (s *scene) bandTop() int {
	if s.title != "" {
		return margin + titleSize + 14
	}
	return margin
}

func rowsHeight(rows []row) int {
	if len(rows) == 0 {
		return 0
	}
	return firstRow + (len(rows)-1)*rowHeight + 20
}

func place(rows []row, top int) {
	for i := range rows {
		rows[i].y = top + firstRow + i*rowHeight
	}
}

// across measures the columns.
func (s *scene) across() {
	c := &s.columns
	c.cardWidth = 190
	c.centered = true
	worldRows := false
	for _, one := range s.cards {
		for _, text := range one.lines {
			size, bold := fontSize, false
			if text.class == "name" {
				size, bold = nameSize, true
			}
			c.cardWidth = max(c.cardWidth, width(text.text, size, bold)+32)
		}
		c.cardWidth = max(c.cardWidth, aboveWidth(one.above))
		c.centered = c.centered && (len(one.above) == 0 || (len(one.above) == 1 && width(one.above[0].label, fontSize, true) < c.cardWidth/2))
		for _, r := range one.in {
			c.chipsWidth, c.inLabels = max(c.chipsWidth, chipWidth(r)), max(c.inLabels, width(r.label, fontSize, false)+labelSpace)
			worldRows = worldRows || r.from == fromWorld
		}
		for _, r := range one.out {
			c.rightWidth, c.outLabels = max(c.rightWidth, chipWidth(r)), max(c.outLabels, width(r.label, fontSize, false)+labelSpace)
		}
	}
	x := margin
	if worldRows {
		c.worldLane = x + laneWidth
		x += 2*laneWidth + 4
	}
	c.lanes = x
	if x += s.lanes * laneWidth; s.lanes > 0 {
		x += laneWidth
	}
	c.chips = x
	x += c.chipsWidth + c.inLabels
	c.card = x
	x += c.cardWidth
	c.right = x + c.outLabels
	c.total = c.right + c.rightWidth + margin
	if s.first {
		c.total = max(c.total, s.legendWidth()+2*margin, width(s.title, titleSize, true)+2*margin)
	}
}

// aboveWidth returns the width that a card needs for the arrows from above, each with its label on
// its right.
func aboveWidth(above []row) int {
	total := 24
	for _, one := range above {
		total += width(one.label, fontSize, false) + 30
	}
	return total
}

func chipWidth(one row) int {
	if one.shape == shapeNone {
		return 0
	}
	return max(44, width(one.peer, fontSize, one.shape == shapeWorld)+26)
}
