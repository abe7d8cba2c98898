package draw

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"sync"

	"sgchain/lambda/plan"
)

// Page has the contents of an HTML page.
type Page struct {
	// Title is the page's heading, Subject its subject, such as the VPC, and Line the chain in one
	// line. The last two may be empty.
	Title, Subject, Line string
	Warnings             []string
	Drawing              plan.Drawing
}

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
)

var pageTemplate = sync.OnceValue(func() *template.Template { //nolint:gochecknoglobals // parsed once
	return template.Must(template.New("page").Parse(pageHTML))
})

// HTML returns one self-contained page: it has no script and loads nothing from a server. Its
// Content-Security-Policy enforces that. It has the drawing, what is open to the world, and every
// rule of every group in a table. Changes come first.
func HTML(page Page) string {
	var text strings.Builder
	if err := pageTemplate().Execute(&text, contentsOf(page)); err != nil {
		panic(fmt.Errorf("writing the page: %w", err)) // our own template over our own fields
	}
	// The definitions at the end of the template leave empty lines.
	return strings.TrimRight(text.String(), "\n") + "\n"
}

// tallDrawing is the height from which on a drawing scrolls by itself. fewGroups is how many groups
// the contents list without being opened.
const (
	tallDrawing = 2400
	fewGroups   = 30
)

// contentsOf returns the fields of a page's template.
func contentsOf(page Page) contents {
	groups := groupsOf(page.Drawing)
	c := contents{
		Title: clean(page.Title), Subject: clean(page.Subject), Line: clean(page.Line), Summary: summaryOf(groups), Change: isChange(groups),
		FewGroups: len(groups) <= fewGroups, GroupCount: count(len(groups), "security group"),
	}
	for _, warning := range page.Warnings {
		c.Warnings = append(c.Warnings, clean(warning))
	}
	c.fill(page.Drawing, groups)
	style := "\n:root{color-scheme:light dark;" + pageColors(light) + "}\n" +
		"@media screen and (prefers-color-scheme:dark){:root{" + pageColors(dark) + "}}\n" + pageCSS
	c.Style = template.CSS(style) //nolint:gosec // a constant of this package
	scenes := newScenes(groups, "")
	for i, one := range scenes {
		look := look{label: "Drawing of " + c.Title, summary: c.Summary, styled: i == 0}
		if len(scenes) > 1 {
			look.id = fmt.Sprintf("-%d", i+1)
			look.label += fmt.Sprintf(", part %d of %d", i+1, len(scenes))
		}
		c.Drawings = append(c.Drawings, template.HTML(svg([]*scene{one}, look))) //nolint:gosec // every text in it was escaped
		c.Tall = c.Tall || i > 0 || one.height > tallDrawing
	}
	c.Policy = "default-src 'none'; style-src " + hashOf(style) + " " + hashOf(svgStyle()) + "; base-uri 'none'; form-action 'none'"
	return c
}

// hashOf returns CSP's source expression for an inline style.
func hashOf(style string) string {
	sum := sha256.Sum256([]byte(style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
