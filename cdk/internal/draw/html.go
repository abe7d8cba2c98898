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

// Page is what an HTML page shows.
type Page struct {
	// Title is the page's heading, Subject what it is about, such as the VPC, and Line the
	// chain in one line. The last two may be empty.
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

// HTML returns one page that needs nothing else: it has no script and asks no server for
// anything, which its Content-Security-Policy holds. It has the drawing, what is open to the
// world, and every rule of every group in a table; what changes stands first.
func HTML(page Page) string {
	var text strings.Builder
	if err := pageTemplate().Execute(&text, contentsOf(page)); err != nil {
		panic(fmt.Errorf("writing the page: %w", err)) // a template of ours over fields of ours
	}
	// The definitions at the end of the template leave empty lines.
	return strings.TrimRight(text.String(), "\n") + "\n"
}

// tallDrawing is the height from which on a drawing scrolls by itself, and fewGroups how many
// are listed in the contents without asking for it.
const (
	tallDrawing = 2400
	fewGroups   = 30
)

// contentsOf puts a page into the fields of its template.
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
		c.Drawings = append(c.Drawings, template.HTML(svg([]*scene{one}, look))) //nolint:gosec // every text in it is escaped where it is written
		c.Tall = c.Tall || i > 0 || one.height > tallDrawing
	}
	c.Policy = "default-src 'none'; style-src " + hashOf(style) + " " + hashOf(svgStyle()) + "; base-uri 'none'; form-action 'none'"
	return c
}

// hashOf is the source expression of CSP for an inline style.
func hashOf(style string) string {
	sum := sha256.Sum256([]byte(style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
