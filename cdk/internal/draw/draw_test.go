package draw_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sgchain/cdk/internal/draw"
	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

var update = flag.Bool("update", false, "write the goldens again")

// compare compares a text with a file of testdata, or of another folder.
func compare(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		if line := func(lines []string) string { return strings.Join(lines[min(i, len(lines)):min(i+1, len(lines))], "") }; line(gotLines) != line(wantLines) {
			t.Errorf("%s is out of date from line %d on; go test ./cdk/internal/draw -update writes it again. Got\n%s\nwant\n%s", path, i+1, line(gotLines), line(wantLines))
			return
		}
	}
}

func groupOf(name, groupName string) chain.Identity {
	return chain.Identity{VPCID: "vpc-1", Tier: name, GroupName: groupName, Description: "Security group of tier " + name}
}

// opening returns a rule for one port.
func opening(direction chain.Direction, port int32, peer chain.Peer) chain.Rule {
	return chain.Rule{Direction: direction, Protocol: chain.TCP, Ports: chain.PortRange{From: port, To: port}, Peer: peer, Description: fmt.Sprint("port ", port)}
}

func in(port int32, peer chain.Peer) chain.Rule  { return opening(chain.Ingress, port, peer) }
func out(port int32, peer chain.Peer) chain.Rule { return opening(chain.Egress, port, peer) }

func rangeOf(text string) chain.Peer { return chain.CIDRPeer(netip.MustParsePrefix(text)) }

var (
	world  = chain.CIDRPeer(chain.InternetV4)
	world6 = chain.CIDRPeer(chain.InternetV6)
)

func stateOf(t *testing.T, properties map[string]any) (chain.Spec, chain.State) {
	t.Helper()
	properties["VpcId"] = "vpc-0123456789abcdef0"
	spec, err := chain.Parse(properties, chain.DefaultAnswerBytes)
	if err != nil {
		t.Fatal(err)
	}
	return spec, chain.Desired(spec)
}

// defaultChain returns the chain of a resource without Tiers.
func defaultChain(t *testing.T) plan.Drawing {
	t.Helper()
	spec, state := stateOf(t, map[string]any{})
	return plan.Drawing{Before: state, After: state, Notes: plan.Notes(spec)}
}

// shop returns a typical chain, with both families of addresses.
func shop(t *testing.T) plan.Drawing {
	t.Helper()
	spec, state := stateOf(t, map[string]any{"IpFamilies": []any{"ipv4", "ipv6"}, "Tiers": []any{
		map[string]any{"Name": "Web", "Ports": []any{80, 443}},
		map[string]any{"Name": "App", "Egress": "chain", "Ingress": []any{
			map[string]any{"Ports": []any{8080}, "Sources": []any{"Web"}},
			map[string]any{"Ports": []any{22}, "Sources": []any{"203.0.113.7/32", "sg-0ff1ce"}, "Description": "administration"},
		}},
		map[string]any{"Name": "Cache", "Ports": []any{"redis"}, "Egress": "none"},
		map[string]any{"Name": "Db", "Ports": []any{"postgres"}, "Sources": []any{"App"}, "Egress": []any{
			map[string]any{"Ports": []any{443}, "Destinations": []any{"com.amazonaws.{region}.s3"}},
		}},
	}})
	return plan.Drawing{Before: state, After: state, Notes: plan.Notes(spec)}
}

// change returns a drawing with every feature. It has created and removed tiers, two generations,
// groups and lists outside of the chain, unmanaged rules, and names that need escapes.
func change() plan.Drawing {
	alb, app, next, db, log := groupOf("Alb", "ALB-SG"), groupOf("App", "a \"b\" [c] #1"), groupOf("App", ""), groupOf("Db", ""), groupOf("Log", "")
	office := rangeOf("203.0.113.7/32")
	other, prefixes := chain.GroupPeer("111122223333/sg-0ff1ce"), chain.Peer{Kind: chain.PeerPrefixList, ID: "pl-6da54004"}
	ssh, described := in(22, office), in(80, world)
	described.Description = "the shop's front door"
	return plan.Drawing{
		Before: chain.State{Groups: []chain.Group{
			{Identity: alb, Rules: []chain.Rule{in(80, world), in(8080, world), chain.AllTrafficV4(), chain.AllTrafficV6()}},
			{Identity: app, Rules: []chain.Rule{in(6060, chain.MemberPeer(alb)), in(9000, other), ssh, out(5432, chain.MemberPeer(db))}, Unmanaged: []chain.Rule{ssh}},
			{Identity: db, Rules: []chain.Rule{in(5432, chain.MemberPeer(app)), out(1, world)}},
		}},
		After: chain.State{Groups: []chain.Group{
			{Identity: alb, Rules: []chain.Rule{described, in(443, world), in(443, world6), in(444, world6), in(8443, prefixes), chain.AllTrafficV4(), chain.AllTrafficV6()}},
			{Identity: next, Rules: []chain.Rule{in(6060, chain.MemberPeer(alb)), in(7000, chain.MemberPeer(next)), in(7000, chain.MemberPeer(app)), out(443, prefixes)}},
			{Identity: log, Rules: []chain.Rule{in(514, chain.TierPeer("App")), in(515, chain.TierPeer("Gone")), in(516, chain.Peer{Kind: chain.PeerVPC, ID: "ipv4"}), in(517, chain.MemberPeer(groupOf("Old", "")))}},
			{Identity: app, Rules: []chain.Rule{in(6060, chain.MemberPeer(alb)), in(9000, other), ssh, out(443, prefixes)}, Unmanaged: []chain.Rule{ssh}},
		}},
		Retired: []chain.Identity{app},
		IDs:     map[chain.Identity]string{alb: "sg-0a1b2c3d4e5f60718", app: "sg-0c2d2c3d4e5f60718"},
		Notes:   map[chain.Identity][]string{alb: {"public-tier, allowed by AllowPublic"}, app: {"adopted", "2 interfaces"}},
	}
}

// unmanaged returns a chain with rules that it did not create.
func unmanaged(t *testing.T) plan.Drawing {
	t.Helper()
	drawing := defaultChain(t)
	groups := drawing.After.Groups
	extra := []chain.Rule{in(22, world), in(3389, rangeOf("198.51.100.0/24"))}
	groups[0].Rules, groups[0].Unmanaged = append(groups[0].Rules, extra...), extra
	drawing.After = chain.State{Groups: groups}.Normalize()
	drawing.Before = drawing.After
	return drawing
}

// vpc returns groups in their order, each with rules for others of them, for ranges and lists.
func vpc(groups, rulesEach int) plan.Drawing {
	var state chain.State
	identity := func(i int) chain.Identity { return groupOf(fmt.Sprintf("Group%03d", i), fmt.Sprintf("group-%d", i)) }
	drawing := plan.Drawing{IDs: map[chain.Identity]string{}}
	for i := range groups {
		group := chain.Group{Identity: identity(i)}
		drawing.IDs[group.Identity] = fmt.Sprintf("sg-%017x", i)
		for j := range rulesEach {
			port := int32(1000 + j)
			switch {
			case j == 0:
				group.Rules = append(group.Rules, chain.AllTrafficV4())
			case j == 1 && i%7 == 0:
				group.Rules = append(group.Rules, in(443, world))
			case j%4 == 1:
				group.Rules = append(group.Rules, in(port, chain.MemberPeer(identity((i+groups-1-j/4*j)%groups))))
			case j%4 == 2:
				group.Rules = append(group.Rules, in(port, rangeOf(fmt.Sprintf("10.%d.0.0/16", i%5))))
			case j%4 == 3:
				group.Rules = append(group.Rules, in(port, chain.MemberPeer(identity((i+2)%groups))))
			default:
				group.Rules = append(group.Rules, out(port, chain.Peer{Kind: chain.PeerPrefixList, ID: fmt.Sprintf("pl-%d", i%3)}))
			}
		}
		state.Groups = append(state.Groups, group)
	}
	drawing.After = state.Normalize()
	drawing.Before = drawing.After
	return drawing
}

// crowd returns one group with so many rules that none of its lists is drawn in full.
func crowd() plan.Drawing {
	group := chain.Group{Identity: groupOf("Hub", "")}
	for i := range int32(40) {
		group.Rules = append(group.Rules, in(1000+i, rangeOf("10.0.0.0/8")), in(2000, rangeOf(fmt.Sprintf("192.0.2.%d/32", i))), out(3000, rangeOf(fmt.Sprintf("192.0.2.%d/32", i))))
	}
	state := chain.State{Groups: []chain.Group{group}}.Normalize()
	return plan.Drawing{Before: state, After: state}
}

// hostile returns names and descriptions that have a meaning in HTML or XML, or mislead readers.
func hostile() plan.Drawing {
	const evil = `</title></style><script>alert(1)</script><img src=x onerror=alert(2)> "quoted" 'single' & &amp; ]]> \N {{.}}`
	group := chain.Group{Identity: chain.Identity{VPCID: "vpc-1", Tier: evil, GroupName: "name" + evil, Description: "hidden\u202egnp.exe\u0000\u0007\u200b\xff\nline"}}
	rule := in(80, world)
	rule.Description = evil
	other := in(81, chain.Peer{Kind: chain.PeerGroup, ID: "sg-" + evil, Account: "\u2066" + evil})
	group.Rules = []chain.Rule{rule, other, out(82, chain.Peer{Kind: chain.PeerPrefixList, ID: evil})}
	state := chain.State{Groups: []chain.Group{group}}
	return plan.Drawing{Before: state, After: state, IDs: map[chain.Identity]string{group.Identity: evil}, Notes: map[chain.Identity][]string{group.Identity: {evil, "שלום"}}}
}

// pages returns the drawings of testdata, with their headings.
func pages(t *testing.T) map[string]draw.Page {
	t.Helper()
	page := func(title string, drawing plan.Drawing) draw.Page {
		return draw.Page{Title: title, Drawing: drawing}
	}
	first := page("Chain Shop/Chain", defaultChain(t))
	first.Subject, first.Line = "VPC vpc-0123456789abcdef0", "internet -tcp 80,443-> Alb -tcp 6060-> Fargate"
	warned := page("Change of the chain Shop", change())
	warned.Warnings = []string{"public-tier: tier Log takes tcp 514 from everywhere"}
	return map[string]draw.Page{
		"default": first, "change": warned, "ipv6": page("Chain Shop", shop(t)), "unmanaged": page("Chain Shop", unmanaged(t)),
		"vpc": page("Security groups of vpc-1", vpc(12, 9)), "empty": page("Security groups of vpc-1", plan.Drawing{}),
		"crowd": page("One hub", crowd()), "hostile": page(`<script>alert("title")</script>`+"\u202e", hostile()),
	}
}

// TestGoldens compares every format with testdata.
func TestGoldens(t *testing.T) {
	t.Parallel()
	for name, page := range pages(t) {
		compare(t, filepath.Join("testdata", name+".dot"), draw.DOT(page.Drawing, page.Title))
		compare(t, filepath.Join("testdata", name+".svg"), draw.SVG(page.Drawing, page.Title))
		compare(t, filepath.Join("testdata", name+".html"), draw.HTML(page))
	}
}

// TestDefaultChainOfTheDocs checks that the picture in the docs is current.
func TestDefaultChainOfTheDocs(t *testing.T) {
	t.Parallel()
	compare(t, filepath.Join("..", "..", "..", "docs", "default-chain.svg"), draw.SVG(defaultChain(t), "The default chain"))
}

// elements reads an XML text to its end and returns the number of each element.
func elements(t *testing.T, text string) map[string]int {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(text))
	found := map[string]int{}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("not XML: %v\n%s", err, text)
		}
		if start, isStart := token.(xml.StartElement); isStart {
			found[start.Name.Local]++
		}
	}
}

// TestSVGIsXML checks that every drawing is well-formed, and has only its own elements.
func TestSVGIsXML(t *testing.T) {
	t.Parallel()
	for name, page := range pages(t) {
		for element := range elements(t, draw.SVG(page.Drawing, page.Title)) {
			if !strings.Contains(" svg title desc style g rect path circle text ", " "+element+" ") {
				t.Errorf("%s: has an element %s", name, element)
			}
		}
	}
}

// TestSVGHasEveryGroupAndPeer checks that every group and every peer is drawn by name, or counted.
func TestSVGHasEveryGroupAndPeer(t *testing.T) {
	t.Parallel()
	for name, page := range pages(t) {
		if name == "hostile" || name == "crowd" {
			continue // names that are cut, rows that are counted
		}
		text := strings.NewReplacer("&#34;", `"`, "&#39;", "'").Replace(draw.SVG(page.Drawing, page.Title))
		for _, group := range page.Drawing.Groups() {
			if !strings.Contains(text, ">"+group.Name+"<") {
				t.Errorf("%s: group %s is missing", name, group.Name)
			}
			for _, direction := range []chain.Direction{chain.Ingress, chain.Egress} {
				for _, door := range group.RulesByPeer(direction) {
					if !strings.Contains(text, door.Traffic()) {
						t.Errorf("%s: %s of %s is missing", name, door.Traffic(), group.Name)
					}
				}
			}
		}
	}
	text := draw.SVG(crowd(), "")
	// 41 inbound peers, 40 outbound: 12 rows each, and the traffic of one peer cut.
	for _, want := range []string{"and 29 more (29 rules)", "and 28 more (28 rules)"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	cutLabel := regexp.MustCompile(`>tcp ([0-9,]+) and (\d+) more<`).FindStringSubmatch(text)
	if cutLabel == nil || fmt.Sprint(40-len(strings.Split(cutLabel[1], ","))) != cutLabel[2] {
		t.Errorf("the label of 40 rules is %q", cutLabel)
	}
}

// TestManyGroupsAreSideBySide checks that a large VPC has several columns, with each group once.
func TestManyGroupsAreSideBySide(t *testing.T) {
	t.Parallel()
	drawing := vpc(100, 13)
	text := draw.SVG(drawing, "VPC")
	elements(t, text)
	for _, group := range drawing.Groups() {
		if got := strings.Count(text, `class="name">`+group.Name+"<"); got != 1 {
			t.Errorf("%s is drawn %d times", group.Name, got)
		}
	}
	page := draw.HTML(draw.Page{Title: "VPC", Drawing: drawing})
	if columns, parts := strings.Count(text, "<g "), strings.Count(page, "<svg "); columns != 3 || parts != 4 || !strings.Contains(page, "part 4 of 4") {
		t.Errorf("100 groups are in %d more columns and %d parts, want 3 and 4", columns, parts)
	}
	if strings.Count(page, "<style>") != 2 {
		t.Error("the page has the style sheet of the drawing more than once")
	}
}

// TestMarksDoNotDependOnColor checks that changes also have words and dashes.
func TestMarksDoNotDependOnColor(t *testing.T) {
	t.Parallel()
	text := draw.SVG(change(), "")
	for _, want := range []string{"+ created", "− retired", "− removed", "+ tcp 443 (added)", "− tcp 8080 (removed)", "tcp 22 (unmanaged)", `class="wire out`, `class="wire removed`, `class="box removed`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	still := change()
	still.Before, still.Retired = still.After, nil
	if text := draw.SVG(still, ""); strings.Contains(text, "added<") || strings.Contains(text, "removed<") {
		t.Errorf("no change has marks:\n%s", text)
	}
}
