package draw

import (
	"fmt"
	"strings"

	"sgchain/lambda/plan"
)

// canvas collects the elements of an SVG.
type canvas struct{ text strings.Builder }

func (c *canvas) write(x, y int, class, anchor, text string) {
	if text == "" {
		return
	}
	attributes := ""
	if class != "" {
		attributes = fmt.Sprintf(` class="%s"`, class)
	}
	if anchor != "" {
		attributes += fmt.Sprintf(` text-anchor="%s"`, anchor)
	}
	fmt.Fprintf(&c.text, `<text x="%d" y="%d"%s>%s</text>`+"\n", x, y, attributes, escape(text))
}

func (c *canvas) words(x, y int, class, text string)  { c.write(x, y, class, "", text) }
func (c *canvas) middle(x, y int, class, text string) { c.write(x, y, class, "middle", text) }
func (c *canvas) end(x, y int, class, text string)    { c.write(x, y, class, "end", text) }

// frame is a rectangle with rounded corners.
type frame struct{ x, y, w, h, radius int }

// inside returns the frame at a distance within another one.
func (f frame) inside(distance int) frame {
	return frame{f.x + distance, f.y + distance, f.w - 2*distance, f.h - 2*distance, f.radius / 2}
}

// box draws a filled frame, and outline only its border.
func (c *canvas) box(of frame, class string)     { c.rect(of, "box "+class) }
func (c *canvas) outline(of frame, class string) { c.rect(of, "wire "+class) }

func (c *canvas) rect(of frame, class string) {
	fmt.Fprintf(&c.text, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="%d"/>`+"\n", strings.TrimSpace(class), of.x, of.y, of.w, of.h, of.radius)
}

func (c *canvas) path(class, way string) {
	fmt.Fprintf(&c.text, `<path class="%s" d="%s"/>`+"\n", strings.TrimSpace("wire "+class), way)
}

func (c *canvas) dot(x, y int, class string) {
	fmt.Fprintf(&c.text, `<circle class="%s" cx="%d" cy="%d" r="3"/>`+"\n", strings.TrimSpace("head "+class), x, y)
}

// head draws the head of an arrow with its tip at a point.
func (c *canvas) head(x, y int, to, class string) {
	way := fmt.Sprintf("M%d %dl-%d -5v10z", x, y, headSize)
	if to == "down" {
		way = fmt.Sprintf("M%d %dl-5 -%dh10z", x, y, headSize)
	}
	fmt.Fprintf(&c.text, `<path class="%s" d="%s"/>`+"\n", strings.TrimSpace("head "+class), way)
}

// chip draws a peer in its shape, centered vertically on its row.
func (c *canvas) chip(x int, one row) {
	w, top := chipWidth(one), one.y-chipHeight/2
	class := ""
	switch one.shape {
	case shapeWorld:
		c.box(frame{x, top, w, chipHeight, 4}, "world")
		c.outline(frame{x, top, w, chipHeight, 4}.inside(3), "world")
		class = "strong world"
	case shapeAnywhere:
		c.box(frame{x, top, w, chipHeight, 4}, "")
		c.outline(frame{x, top, w, chipHeight, 4}.inside(3), "")
	case shapeOther:
		fmt.Fprintf(&c.text, `<path class="box" d="M%d %dh%dl9 %dl-9 %dh-%dl-9 -%dz"/>`+"\n", x+9, top, w-18, chipHeight/2, chipHeight/2, w-18, chipHeight/2)
	case shapeList:
		c.box(frame{x + 3, top - 3, w - 3, chipHeight, 2}, "")
		c.box(frame{x, top, w - 3, chipHeight, 2}, "")
	case shapeGroup:
		c.box(frame{x, top, w, chipHeight, 3}, "")
	case shapeRange, shapeNone:
		c.box(frame{x, top, w, chipHeight, chipHeight / 2}, "")
	}
	c.middle(x+w/2, one.y+4, class, one.peer)
}

const legendHeight = 40

// legend returns what the legend explains: only what the drawing has.
func (s *scene) legend() []row {
	var shapes []row
	for _, one := range []row{
		{shape: shapeRange, peer: "range"}, {shape: shapeGroup, peer: "group drawn here"}, {shape: shapeOther, peer: "other group"}, {shape: shapeList, peer: "prefix list"},
	} {
		if s.shapes[one.shape] {
			shapes = append(shapes, one)
		}
	}
	return shapes
}

// The texts of the legend's arrows, and the length of the line before them.
const (
	legendIn   = "inbound rule"
	legendOut  = "outbound rule"
	legendLine = 34
)

func (s *scene) legendWidth() int {
	total := 2 * (legendLine + 8 + 18)
	total += width(legendIn, fontSize, false) + width(legendOut, fontSize, false)
	if s.change {
		for _, mark := range []string{plan.Added, plan.Removed} {
			total += width(sign(mark)+markWord(mark), fontSize, true) + 18
		}
	}
	for _, one := range s.legend() {
		total += chipWidth(one) + 12
	}
	return total
}

func (s *scene) drawLegend(c *canvas) {
	x, y := margin, s.columns.legendY+legendHeight/2
	if len(s.cards) == 0 {
		c.words(x, y+4, "muted", nothing)
		return
	}
	for _, one := range []struct{ class, text string }{{"", legendIn}, {"out", legendOut}} {
		c.path(one.class, fmt.Sprintf("M%d %dH%d", x, y, x+legendLine-headSize))
		c.head(x+legendLine, y, "right", "")
		c.words(x+legendLine+8, y+4, "muted", one.text)
		x += legendLine + 8 + width(one.text, fontSize, false) + 18
	}
	if s.change {
		for _, mark := range []string{plan.Added, plan.Removed} {
			text := sign(mark) + markWord(mark)
			c.words(x, y+4, "strong "+markClass(mark), text)
			x += width(text, fontSize, true) + 18
		}
	}
	for _, one := range s.legend() {
		one.y = y
		c.chip(x, one)
		x += chipWidth(one) + 12
	}
}
