package draw_test

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"sgchain/cdk/internal/draw"
	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

var (
	inlineStyle = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	tableRow    = regexp.MustCompile(`(?s)<tr[^>]*>(?:<td|<th scope="row").*?</tr>`)
	reference   = regexp.MustCompile(`(?i)\s(?:src|href|action|style|on[a-z]+)\s*=\s*"([^"]*)"`)
	heading     = regexp.MustCompile(`<h([1-6])`)
	anchor      = regexp.MustCompile(`href="#([^"]*)"`)
	identifier  = regexp.MustCompile(`\sid="([^"]*)"`)
)

// TestPagesAreSelfContained checks that a page has no script and refers only to its own parts. Its
// policy has to name its style sheets.
func TestPagesAreSelfContained(t *testing.T) {
	t.Parallel()
	for name, page := range pages(t) {
		text := draw.HTML(page)
		if strings.Contains(text, "<script") || strings.Contains(text, "<img") || strings.Contains(text, "<link") || strings.Contains(text, "@import") || strings.Contains(text, "url(") {
			t.Errorf("%s: has what a page may not have", name)
		}
		for _, found := range reference.FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(found[1], "#") {
				t.Errorf("%s: refers to something else: %s", name, found[0])
			}
		}
		styles := inlineStyle.FindAllStringSubmatch(text, -1)
		if len(styles) != 2 {
			t.Fatalf("%s: has %d style sheets, want 2", name, len(styles))
		}
		for _, style := range styles {
			sum := sha256.Sum256([]byte(style[1]))
			// In an attribute, a plus and an equals sign may be character references.
			policy := strings.NewReplacer("&#43;", "+", "&#39;", "'", "&#61;", "=").Replace(text)
			if want := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
				t.Errorf("%s: the policy lacks %s", name, want)
			}
		}
	}
}

// TestPagesHaveValidHeadingsAndLinks checks that headings skip no level, that IDs are unique, and
// that each link has a target.
func TestPagesHaveValidHeadingsAndLinks(t *testing.T) {
	t.Parallel()
	for name, page := range pages(t) {
		text := draw.HTML(page)
		level := byte('0')
		for _, found := range heading.FindAllStringSubmatch(text, -1) {
			if found[1][0] > level+1 {
				t.Errorf("%s: a heading of level %s follows one of level %c", name, found[1], level)
			}
			level = found[1][0]
		}
		ids := map[string]bool{}
		for _, found := range identifier.FindAllStringSubmatch(text, -1) {
			if ids[found[1]] {
				t.Errorf("%s: ID %s occurs twice", name, found[1])
			}
			ids[found[1]] = true
		}
		for _, found := range anchor.FindAllStringSubmatch(text, -1) {
			if !ids[found[1]] {
				t.Errorf("%s: a link leads to #%s, which does not exist", name, found[1])
			}
		}
		if strings.Count(text, "<table") != strings.Count(text, "<caption>") || strings.Count(text, "<th>") > 0 {
			t.Errorf("%s: a table lacks its caption, or a header its scope", name)
		}
	}
}

// TestPagesHaveEveryRule checks that the tables have each rule of either state once, also those
// that the drawing leaves out or cuts.
func TestPagesHaveEveryRule(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ rules, changes int }{
		"default": {5, 0}, "ipv6": {14, 0}, "unmanaged": {7, 0}, "vpc": {12 * 9, 0}, "empty": {0, 0}, "crowd": {120, 0}, "hostile": {3, 0},
		// 24 rules, one of them the IPv6 twin of a rule that stays. 14 are added, 4 are removed,
		// one gets another description.
		"change": {24, 19},
	} {
		text := draw.HTML(pages(t)[name])
		if got := len(tableRow.FindAllString(text, -1)); got != want.rules+want.changes {
			t.Errorf("%s: has %d rows, want %d", name, got, want.rules+want.changes)
		}
	}
	text := draw.HTML(pages(t)["change"])
	if first := strings.Index(text, "<h2 "); !strings.HasPrefix(text[first:], `<h2 id="changes-title">`) {
		t.Error("what changes is not the first section")
	}
	for _, want := range []string{
		"<strong>new description</strong>, was <bdi>port 80</bdi>", `<span class="tag">unmanaged</span>`, "internet (::/0)", "vpc (ipv4)",
		"4 security groups with 20 rules. 4 inbound rules are open to the world. The change creates 2 groups, retires 1 group, removes 1 group, adds 14 rules and removes 4 rules.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

// TestHostileTexts checks that no text is interpreted by a program, and that none is hidden from a
// reader.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	page := pages(t)["hostile"]
	for form, text := range map[string]string{"html": draw.HTML(page), "svg": draw.SVG(page.Drawing, page.Title), "dot": draw.DOT(page.Drawing, page.Title)} {
		if strings.ContainsAny(text, "\x00\x07\u202e\u2066\u200b") || strings.ToValidUTF8(text, "") != text {
			t.Errorf("%s: has characters that hide", form)
		}
		if !strings.Contains(text, `\u202e`) {
			t.Errorf("%s: does not show what was hidden", form)
		}
		if form != "dot" && (strings.Contains(text, "<script>") || strings.Contains(text, "<img")) {
			t.Errorf("%s: has an element of a name", form)
		}
	}
	if text := draw.HTML(page); !strings.Contains(text, `hidden\u202egnp.exe\u0000\u0007\u200b`) || !strings.Contains(text, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Error("the texts are missing or changed")
	}
}

// dotLine matches the lines that a graph may have.
var dotLine = regexp.MustCompile(`^(digraph sgchain \{|\}|  (graph|node|edge) \[.*\]|  \{rank=source; n\d+(; n\d+)*\}|  n\d+( -> n\d+)? \[label="([^"\\]|\\.)*"(, [a-z]+=("[a-z,#0-9]+"|[a-z0-9]+))*\])$`)

// TestDOTLines checks that no text escapes its quotes.
func TestDOTLines(t *testing.T) {
	t.Parallel()
	for name, page := range pages(t) {
		for line := range strings.SplitSeq(strings.TrimSuffix(draw.DOT(page.Drawing, page.Title), "\n"), "\n") {
			if !dotLine.MatchString(line) {
				t.Errorf("%s: line %q", name, line)
			}
		}
	}
}

// TestDOTSeparatesGroupsFromPeers checks that a group with the name of a peer keeps a node of its
// own.
func TestDOTSeparatesGroupsFromPeers(t *testing.T) {
	t.Parallel()
	state := chain.State{Groups: []chain.Group{{Identity: groupOf("internet", ""), Rules: []chain.Rule{in(80, world), in(81, chain.MemberPeer(groupOf("internet", "")))}}}}
	text := draw.DOT(plan.Drawing{Before: state, After: state}, "")
	for _, want := range []string{"n1 -> n0 [label=\"tcp 80\"", "n0 -> n0 [label=\"tcp 81\""} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
}

// FuzzTexts checks that every format stays valid, whatever the name of a group.
func FuzzTexts(f *testing.F) {
	for _, text := range []string{"", "a\"b", "]]>", "<b>&amp;</title>", "\\", "line\nfeed", "\xff\x00", "\ufffe\uffff", "{{.}}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		drawing := hostile()
		drawing.After.Groups[0].Tier, drawing.After.Groups[0].Description = text, text
		drawing.Before = drawing.After
		elements(t, draw.SVG(drawing, text))
		page := draw.HTML(draw.Page{Title: text, Drawing: drawing})
		if strings.Count(page, "<style>") != 2 || strings.Count(page, "<bdi>") != strings.Count(page, "</bdi>") {
			t.Errorf("%q broke the page", text)
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(draw.DOT(drawing, text), "\n"), "\n") {
			if !dotLine.MatchString(line) {
				t.Errorf("line %q", line)
			}
		}
	})
}
