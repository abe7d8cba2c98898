package draw

import (
	"fmt"
	"strings"
)

// palette has the colors of one scheme. Every text has enough contrast on each of its backgrounds,
// and so has every line: a test computes the contrasts.
type palette struct {
	ground, card, tint      string // the page, a group, the world
	text, muted             string
	line                    string
	world, added, removed   string
	link, linkVisited, edge string // of the page only; edge is the borders of tables
}

var (
	light = palette{ //nolint:gochecknoglobals // a constant in all but syntax
		ground: "#ffffff", card: "#f6f8fa", tint: "#fff1e5", text: "#1f2328", muted: "#59636e", line: "#59636e",
		world: "#953800", added: "#1a7f37", removed: "#cf222e", link: "#0550ae", linkVisited: "#6639ba", edge: "#818b98",
	}
	dark = palette{ //nolint:gochecknoglobals // a constant in all but syntax
		ground: "#0d1117", card: "#161b22", tint: "#2d1b0b", text: "#e6edf3", muted: "#9ea7b3", line: "#9ea7b3",
		world: "#ffa657", added: "#4ac26b", removed: "#ff8182", link: "#79c0ff", linkVisited: "#d2a8ff", edge: "#656c76",
	}
)

// svgStyle returns the style sheet of a drawing. It has no custom properties: some programs that
// show an SVG do not support them.
func svgStyle() string {
	return `
.sgchain{font-family:system-ui,-apple-system,"Segoe UI","Helvetica Neue",Arial,"DejaVu Sans",sans-serif;font-size:12px}
.sgchain text{unicode-bidi:isolate}
.sgchain .name{font-size:15px;font-weight:700}
.sgchain .title{font-size:16px;font-weight:700}
.sgchain .strong{font-weight:700}
.sgchain .wire{fill:none;stroke-width:1.5}
.sgchain .out{stroke-dasharray:1 5;stroke-linecap:round;stroke-width:2}
.sgchain .wire.added{stroke-width:2.5}
.sgchain .wire.removed{stroke-width:2;stroke-dasharray:7 4}
.sgchain .wire.out.added{stroke-width:3;stroke-dasharray:1 6}
.sgchain .wire.out.removed{stroke-dasharray:7 4 1 4}
.sgchain .wire.world{stroke-width:2.5}
.sgchain .box{stroke-width:1.5}
.sgchain .box.world,.sgchain .box.added{stroke-width:2.5}
.sgchain .box.removed{stroke-width:2;stroke-dasharray:7 4}
` + svgColors(light) + "@media screen and (prefers-color-scheme:dark){\n" + svgColors(dark) + "}\n"
}

func svgColors(colors palette) string {
	var rules strings.Builder
	add := func(selector, property, color string) {
		fmt.Fprintf(&rules, ".sgchain %s{%s:%s}\n", selector, property, color)
	}
	add(".ground", "fill", colors.ground)
	add("text", "fill", colors.text)
	add("text.muted", "fill", colors.muted)
	add(".box", "fill", colors.card)
	add(".box", "stroke", colors.line)
	add(".box.world", "fill", colors.tint)
	add(".wire", "stroke", colors.line)
	add(".head", "fill", colors.line)
	for _, of := range []struct{ class, color string }{{"world", colors.world}, {"added", colors.added}, {"removed", colors.removed}} {
		add("text."+of.class, "fill", of.color)
		add(".box."+of.class, "stroke", of.color)
		add(".wire."+of.class, "stroke", of.color)
		add(".head."+of.class, "fill", of.color)
	}
	return rules.String()
}

// pageColors returns a scheme as custom properties of the page.
func pageColors(colors palette) string {
	return fmt.Sprintf("--ground:%s;--card:%s;--tint:%s;--text:%s;--muted:%s;--world:%s;--added:%s;--removed:%s;--link:%s;--visited:%s;--edge:%s",
		colors.ground, colors.card, colors.tint, colors.text, colors.muted, colors.world, colors.added, colors.removed, colors.link, colors.linkVisited, colors.edge)
}
