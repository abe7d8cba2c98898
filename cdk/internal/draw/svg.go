package draw

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"strings"

	"sgchain/lambda/plan"
)

// SVG returns a drawing for pages and pull requests: one self-contained file. It is readable in
// light and dark and without colors. What a change adds has a plus and the word, what it removes a
// minus, the word and dashes. Outbound traffic is dotted. The world is the band on top. Long lists
// end in a count.
func SVG(drawing plan.Drawing, title string) string {
	groups := groupsOf(drawing)
	return svg(newScenes(groups, clean(title)), look{label: clean(title), summary: summaryOf(groups), styled: true})
}

// look is the text of an SVG for readers who do not see the drawing, and whether the SVG has the
// style sheet. The ID distinguishes the drawings of a page.
type look struct {
	id, label, summary string
	styled             bool
}

// svg draws scenes side by side.
func svg(scenes []*scene, look look) string {
	w, h := 0, 0
	for _, s := range scenes {
		s.layout()
		w, h = w+s.columns.total, max(h, s.height)
	}
	style := ""
	if look.styled {
		style = "<style>" + svgStyle() + "</style>\n"
	}
	var c canvas
	fmt.Fprintf(&c.text, `<svg xmlns="http://www.w3.org/2000/svg" class="sgchain" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-labelledby="sgchain-title%s sgchain-desc%s">
<title id="sgchain-title%s">%s</title>
<desc id="sgchain-desc%s">%s</desc>
%s<rect class="ground" width="%d" height="%d"/>
`, w, h, w, h, look.id, look.id, look.id, escape(cmp.Or(look.label, "Security groups")), look.id, escape(look.summary), style, w, h)
	x := 0
	for _, s := range scenes {
		if x > 0 {
			fmt.Fprintf(&c.text, "<g transform=\"translate(%d)\">\n", x)
		}
		s.draw(&c)
		if x > 0 {
			c.text.WriteString("</g>\n")
		}
		x += s.columns.total
	}
	c.text.WriteString("</svg>\n")
	return c.text.String()
}

// draw draws a scene after its layout.
func (s *scene) draw(c *canvas) {
	if s.first && s.title != "" {
		c.words(margin, margin+titleSize, "title", s.title)
	}
	s.drawWorld(c)
	s.drawWires(c)
	for i := range s.cards {
		s.drawCard(c, i)
	}
	if s.first {
		s.drawLegend(c)
	}
}

// escape escapes a text for XML.
func escape(text string) string {
	var escaped strings.Builder
	if err := xml.EscapeText(&escaped, []byte(text)); err != nil {
		panic(err) // a strings.Builder never fails
	}
	return escaped.String()
}

// drawWorld draws the band of the world.
func (s *scene) drawWorld(c *canvas) {
	if len(s.world) == 0 {
		return
	}
	x, top, right := margin, s.bandTop(), s.columns.card+s.columns.cardWidth
	if s.columns.worldLane == 0 {
		x = s.columns.card
	}
	band := frame{x, top, right - x, bandHeight, 6}
	c.box(band, "world")
	c.outline(band.inside(5), "world")
	names := cut("The world: "+clean(strings.Join(s.world, ", ")), fontSize, right-x-32, true)
	c.words(x+16, top+bandHeight/2+4, "strong world", names)
}

// drawWires draws the wires in the lanes: from the world and from each card to their rows.
func (s *scene) drawWires(c *canvas) {
	last := 0
	for i := range s.cards {
		for _, one := range s.cards[i].in {
			switch {
			case one.from == fromWorld:
				last = max(last, one.y)
				c.path("world", fmt.Sprintf("M%d %dH%d", s.columns.worldLane, one.y, s.columns.chips))
				c.dot(s.columns.worldLane, one.y, "world")
			case one.from >= 0:
				x := s.laneX(s.cards[one.from].lane)
				c.path(markClass(one.mark), fmt.Sprintf("M%d %dH%d", x, one.y, s.columns.chips))
				c.dot(x, one.y, markClass(one.mark))
			}
		}
	}
	if last > 0 {
		c.path("world", fmt.Sprintf("M%d %dV%d", s.columns.worldLane, s.bandTop()+bandHeight, last))
	}
	for i := range s.cards {
		source := &s.cards[i]
		if !source.isSource || source.lane < 0 {
			continue
		}
		exit := source.y + source.h - exitHeight/2
		first, end := exit, exit
		for j := source.first; j <= source.last; j++ {
			for _, one := range s.cards[j].in {
				if one.from == i {
					first, end = min(first, one.y), max(end, one.y)
				}
			}
		}
		x := s.laneX(source.lane)
		c.path("", fmt.Sprintf("M%d %dH%dM%d %dV%d", s.columns.card, exit, x, x, first, end))
	}
}

// laneX returns the position of a lane. The first is the nearest to the cards.
func (s *scene) laneX(lane int) int {
	return s.columns.lanes + (s.lanes-lane)*laneWidth - laneWidth/2
}

func (s *scene) drawCard(c *canvas, place int) {
	one := &s.cards[place]
	x, w := s.columns.card, s.columns.cardWidth
	s.drawAbove(c, one)
	c.box(frame{x, one.y, w, one.h, 6}, markClass(one.mark))
	for i, text := range one.lines {
		c.words(x+16, one.y+24+i*lineHeight, text.class, text.text)
	}
	for _, r := range one.in {
		if r.shape == shapeNone {
			c.end(x-14, r.y+4, "muted", r.label)
			continue
		}
		left := s.columns.chips + chipWidth(r)
		c.chip(s.columns.chips, r)
		c.path(wireClass(r, false), fmt.Sprintf("M%d %dH%d", left, r.y, x-headSize))
		c.head(x, r.y, "right", headClass(r))
		c.middle((left+x-headSize)/2, r.y-6, labelClass(r), r.label)
	}
	for _, r := range one.out {
		if r.shape == shapeNone {
			c.words(x+w+14, r.y+4, "muted", r.label)
			continue
		}
		c.path(wireClass(r, true), fmt.Sprintf("M%d %dH%d", x+w+2, r.y, s.columns.right-headSize))
		c.head(s.columns.right, r.y, "right", headClass(r))
		c.middle((x+w+s.columns.right-headSize)/2, r.y-6, labelClass(r), r.label)
		c.chip(s.columns.right, r)
	}
}

// drawAbove draws the arrows from the card above, or from the world, side by side.
func (s *scene) drawAbove(c *canvas, one *card) {
	x := s.columns.card + 24
	if s.columns.centered {
		x = s.columns.card + s.columns.cardWidth/2
	}
	for _, r := range one.above {
		c.path(wireClass(r, false), fmt.Sprintf("M%d %dV%d", x, one.y-gapArrow, one.y-headSize))
		c.head(x, one.y, "down", headClass(r))
		c.words(x+10, one.y-gapArrow/2+2, labelClass(r), r.label)
		x += width(r.label, fontSize, false) + 30
	}
}

func wireClass(one row, isOut bool) string {
	classes := headClass(one)
	if isOut {
		classes = strings.TrimSpace("out " + classes)
	}
	return classes
}

// headClass returns the colors of a row: those of its mark, or the world's.
func headClass(one row) string {
	if one.mark == "" && one.shape == shapeWorld && one.from == fromWorld {
		return "world"
	}
	return markClass(one.mark)
}

func labelClass(one row) string {
	if one.mark != "" {
		return "strong " + markClass(one.mark)
	}
	return ""
}
