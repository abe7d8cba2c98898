package plan_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

var update = flag.Bool("update", false, "write the goldens")

func groupOf(name, groupName string) chain.Identity {
	return chain.Identity{VPCID: "vpc-1", Tier: name, GroupName: groupName, Description: "Security group of tier " + name}
}

// opening returns a rule for one port.
func opening(direction chain.Direction, port int32, peer chain.Peer) chain.Rule {
	return chain.Rule{Direction: direction, Protocol: chain.TCP, Ports: chain.PortRange{From: port, To: port}, Peer: peer, Description: fmt.Sprint("port ", port)}
}

func in(port int32, peer chain.Peer) chain.Rule  { return opening(chain.Ingress, port, peer) }
func out(port int32, peer chain.Peer) chain.Rule { return opening(chain.Egress, port, peer) }

// change returns a drawing with everything: new, retired and replaced tiers, groups and
// lists of other owners, unmanaged rules, and names that need escaping.
func change() plan.Drawing {
	alb, app, next, db, log := groupOf("Alb", "ALB-SG"), groupOf("App", "a \"b\" [c] #1"), groupOf("App", ""), groupOf("Db", ""), groupOf("Log", "")
	world, world6 := chain.CIDRPeer(chain.InternetV4), chain.CIDRPeer(chain.InternetV6)
	office := chain.CIDRPeer(netip.MustParsePrefix("203.0.113.7/32"))
	another, list := chain.Peer{Kind: chain.PeerGroup, ID: "111122223333/sg-0ff1ce"}, chain.Peer{Kind: chain.PeerPrefixList, ID: "pl-6da54004"}
	ssh := in(22, office)
	return plan.Drawing{
		Before: chain.State{Groups: []chain.Group{
			{Identity: alb, Rules: []chain.Rule{in(80, world), in(8080, world), chain.AllTrafficV4(), chain.AllTrafficV6()}},
			{Identity: app, Rules: []chain.Rule{in(6060, chain.MemberPeer(alb)), in(9000, another), ssh, out(5432, chain.MemberPeer(db))}, Unmanaged: []chain.Rule{ssh}},
			{Identity: db, Rules: []chain.Rule{in(5432, chain.MemberPeer(app)), out(1, world)}},
		}},
		After: chain.State{Groups: []chain.Group{
			{Identity: alb, Rules: []chain.Rule{in(80, world), in(443, world), in(443, world6), in(444, world6), in(8443, list), chain.AllTrafficV4(), chain.AllTrafficV6()}},
			{Identity: next, Rules: []chain.Rule{in(6060, chain.MemberPeer(alb)), in(7000, chain.MemberPeer(next)), in(7000, chain.MemberPeer(app)), out(443, list)}},
			{Identity: log, Rules: []chain.Rule{in(514, chain.TierPeer("App")), in(515, chain.TierPeer("Gone")), in(516, chain.Peer{Kind: chain.PeerVPC, ID: "ipv4"}), in(517, chain.MemberPeer(groupOf("Old", "")))}},
			{Identity: app, Rules: []chain.Rule{in(6060, chain.MemberPeer(alb)), in(9000, another), ssh, out(443, list)}, Unmanaged: []chain.Rule{ssh}},
		}},
		Retired: []chain.Identity{app},
		IDs:     map[chain.Identity]string{alb: "sg-0a1b", app: "sg-0c2d"},
		Notes:   map[chain.Identity][]string{alb: {"public: allowed by AllowPublic"}, app: {"adopted", "2 interfaces"}},
	}
}

// TestDrawings compares both forms with testdata/drawing.
func TestDrawings(t *testing.T) {
	t.Parallel()
	all := change()
	still := all
	still.Before, still.Retired = still.After, nil
	fresh := all
	fresh.Before, fresh.Retired = chain.State{}, nil
	for name, drawing := range map[string]plan.Drawing{
		"change": all, "no-change": still, "fresh": fresh, "gone": {Before: all.Before}, "nothing": {},
	} {
		for end, got := range map[string]string{"txt": drawing.String(), "mmd": drawing.Mermaid()} {
			path := filepath.Join("testdata", "drawing", name+"."+end)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s: got\n%swant\n%s", path, got, want)
			}
		}
	}
}

// TestGroupsKeepDescriptions checks that Groups returns what pictures omit. Of two rules that
// differ only in their descriptions, it returns the one of After.
func TestGroupsKeepDescriptions(t *testing.T) {
	t.Parallel()
	drawing := change()
	first := drawing.Groups()[0]
	if got := first.Rules[0].Description; first.Name != "Alb" || got != "port 80" {
		t.Errorf("the first rule of %s is described as %q", first.Name, got)
	}
	drawing.After.Groups[0].Rules[0].Description = "the front entrance"
	again := drawing.Groups()[0]
	if got := again.Rules[0]; got.Description != "the front entrance" || got.Mark != "" || len(again.Rules) != len(first.Rules) {
		t.Errorf("the first of %d rules is %+v", len(again.Rules), got)
	}
	if text := drawing.String(); text != change().String() {
		t.Errorf("a description changed the picture:\n%s", text)
	}
}

// TestGroupsWithDifferentDescriptionsHaveDifferentNames replaces groups of which only the
// descriptions differ.
func TestGroupsWithDifferentDescriptionsHaveDifferentNames(t *testing.T) {
	t.Parallel()
	old, replacement := groupOf("Alb", "ALB-SG"), groupOf("Alb", "ALB-SG")
	replacement.Description = "another"
	got := plan.Drawing{
		Before: chain.State{Groups: []chain.Group{{Identity: old}}},
		After:  chain.State{Groups: []chain.Group{{Identity: replacement}}},
	}.String()
	if want := "+ [Alb(ALB-SG)]\n   --> nowhere\n\n- [Alb(ALB-SG)/2]\n   --> nowhere\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// randomState returns groups with rules between them and for other peers.
func randomState(r *rand.Rand) chain.State {
	names := []chain.Identity{groupOf("Alb", "ALB-SG"), groupOf("App", ""), groupOf("App", "App-\"SG\""), groupOf("Db", "")}
	peers := []chain.Peer{
		chain.CIDRPeer(chain.InternetV4), chain.CIDRPeer(chain.InternetV6), chain.CIDRPeer(netip.MustParsePrefix("10.0.0.0/8")),
		{Kind: chain.PeerGroup, ID: "sg-1"},
		{Kind: chain.PeerPrefixList, ID: "pl-1"},
		{Kind: chain.PeerListName, ID: "com.amazonaws.{region}.s3"},
		{Kind: chain.PeerVPC, ID: "ipv4"},
		{Kind: chain.PeerVPC, ID: "ipv6"},
		chain.TierPeer("App"), chain.TierPeer("Gone"), chain.MemberPeer(groupOf("Left", "")),
	}
	for _, one := range names {
		peers = append(peers, chain.MemberPeer(one))
	}
	var state chain.State
	for _, identity := range names {
		if r.IntN(3) == 0 {
			continue
		}
		group := chain.Group{Identity: identity}
		for range r.IntN(6) {
			direction := []chain.Direction{chain.Ingress, chain.Egress}[r.IntN(2)]
			rule := opening(direction, 1000+r.Int32N(50), peers[r.IntN(len(peers))])
			if r.IntN(8) == 0 {
				rule = chain.AllTrafficV4()
			}
			if group.Rules = append(group.Rules, rule); r.IntN(4) == 0 {
				group.Unmanaged = append(group.Unmanaged, rule)
			}
		}
		state.Groups = append(state.Groups, group)
	}
	return state
}

var (
	nodeLine  = regexp.MustCompile(`^  (n\d+)(\["[^"]*"\]|\(\["[^"]*"\]\)|\{\{"[^"]*"\}\}|\[\("[^"]*"\)\])$`)
	linkLine  = regexp.MustCompile(`^  (n\d+) (-->|-\.->)\|"([^"]+)"\| (n\d+)$`)
	someMark  = regexp.MustCompile(`\s[+-]\s|added|created|removed`)
	styleLine = regexp.MustCompile(`^  (?:class|linkStyle) ([n0-9,]+) [a-z]`)
)

// checkMermaid checks that the chart has only well-formed lines, and that links name
// existing nodes. It returns the links' labels.
func checkMermaid(t *testing.T, chart string) string {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(chart, "\n"), "\n")
	known, labels := map[string]bool{}, []string{}
	if lines[0] != "flowchart TD" {
		t.Errorf("the first line is %q", lines[0])
	}
	for _, line := range lines[1:] {
		node, link, style := nodeLine.FindStringSubmatch(line), linkLine.FindStringSubmatch(line), styleLine.FindStringSubmatch(line)
		switch {
		case node != nil && !known[node[1]] && len(labels) == 0:
			known[node[1]] = true
		case link != nil && known[link[1]] && known[link[4]]:
			known[fmt.Sprint(len(labels))] = true
			labels = append(labels, link[3])
		case style != nil && !slices.ContainsFunc(strings.Split(style[1], ","), func(one string) bool { return !known[one] }):
		case strings.HasPrefix(line, "  classDef "):
		default:
			t.Errorf("line %q of\n%s", line, chart)
		}
	}
	return strings.Join(labels, "\n")
}

// TestEveryRuleIsDrawn checks with random states that both forms show each group and each
// rule of both states. A drawing without a change has no marks.
func TestEveryRuleIsDrawn(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		drawing := plan.Drawing{Before: randomState(r), After: randomState(r)}
		text, chart := drawing.String(), drawing.Mermaid()
		labels := checkMermaid(t, chart)
		for _, state := range []chain.State{drawing.Before, drawing.After} {
			for _, group := range state.Groups {
				if !strings.Contains(text, "["+group.Tier) || !strings.Contains(chart, "\"["+group.Tier) {
					t.Errorf("seed %d: %s is missing in\n%s\n%s", seed, group.Identity, text, chart)
				}
				for _, rule := range group.Rules {
					ports := rule.Ports.String()
					if word := strings.ReplaceAll(ports, "all", "anywhere"); !strings.Contains(text, word) {
						t.Errorf("seed %d: %s is missing in\n%s", seed, rule, text)
					}
					if !strings.Contains(labels, strings.ReplaceAll(ports, "all", "all traffic")) {
						t.Errorf("seed %d: %s is missing in\n%s", seed, rule, chart)
					}
				}
			}
		}
		still := plan.Drawing{Before: drawing.After, After: drawing.After}
		if text := "\n" + still.String() + still.Mermaid(); someMark.MatchString(text) {
			t.Errorf("seed %d: no change has marks:\n%s", seed, text)
		}
		if drawing.String() != text || drawing.Mermaid() != chart {
			t.Errorf("seed %d: the drawing is not always the same", seed)
		}
		if t.Failed() {
			return
		}
	}
}

// FuzzMermaidText checks that no text ends the quotes or contains HTML.
func FuzzMermaidText(f *testing.F) {
	for _, text := range []string{"", "a\"b", "#quot;", "<b>&amp;", "[x](y) {z} | `*_$$", "line\nfeed", "\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := plan.MermaidText(text)
		if strings.ContainsAny(got, "\"<>&`*_$|\\{}%\n\r") {
			t.Errorf("%q became %q", text, got)
		}
		checkMermaid(t, plan.Drawing{After: chain.State{Groups: []chain.Group{{Identity: groupOf("T", text)}}}}.Mermaid())
	})
}
