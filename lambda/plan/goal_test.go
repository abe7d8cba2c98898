package plan_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

var (
	first  = chain.Epoch{Generation: 1, PhysicalID: "X"}
	second = chain.Epoch{Generation: 2, PhysicalID: "Y"}
)

// desired returns the desired state of tiers, given as properties.
func desired(tb testing.TB, tiers ...any) chain.State {
	tb.Helper()
	spec, err := chain.Parse(map[string]any{"VpcId": "vpc-1", "Tiers": tiers}, chain.DefaultAnswerBytes)
	if err != nil {
		tb.Fatal(err)
	}
	return chain.Desired(spec)
}

func tier(name, description, egress string, ports ...any) map[string]any {
	one := map[string]any{"Name": name, "Description": description, "Egress": egress}
	if len(ports) > 0 {
		one["Ports"] = ports
	}
	return one
}

// built returns the current state after a chain was created.
func built(state chain.State, tag chain.Epoch) chain.State {
	return plan.Goal(plan.Change{New: state}, chain.State{}, tag)
}

// apply executes the steps of a plan as EC2 would.
func apply(current chain.State, todo plan.Plan) chain.State { return applyIn(false, current, todo) }

// applyIn does so in a VPC with or without IPv6.
func applyIn(ipv6 bool, current chain.State, todo plan.Plan) chain.State {
	next := chain.State{Groups: slices.Clone(current.Groups)}
	for _, step := range todo.Steps {
		if step.Action == plan.DeleteGroup {
			next.Groups = slices.DeleteFunc(next.Groups, func(group chain.Group) bool { return group.Identity == step.Group })
		}
		if step.Action == plan.CreateGroup {
			created := changed(plan.Fresh(step.Group, step.Epoch), plan.Step{Action: plan.RetagGroup, Tags: step.Tags})
			if ipv6 {
				created.Rules = append(created.Rules, chain.AllTrafficV6())
			}
			next.Groups = append(next.Groups, created)
			continue
		}
		for i := range next.Groups {
			if next.Groups[i].Identity == step.Group {
				next.Groups[i] = changed(next.Groups[i], step)
			}
		}
	}
	return next
}

func changed(group chain.Group, step plan.Step) chain.Group {
	isNamed := func(rule chain.Rule) bool {
		return slices.ContainsFunc(step.Rules, func(other chain.Rule) bool { return other.Key() == rule.Key() })
	}
	switch step.Action {
	case plan.CreateGroup, plan.AdoptGroup, plan.DeleteGroup, plan.ReleaseGroup, plan.ReturnGroup:
	case plan.MoveGroup, plan.RetagGroup, plan.UntagGroup:
		group.Movable = group.Movable && step.Action != plan.MoveGroup
		if step.Epoch != (chain.Epoch{}) {
			group.Epoch = step.Epoch
		}
		group.Tags = maps.Clone(group.Tags)
		if group.Tags == nil {
			group.Tags = map[string]string{}
		}
		for _, tag := range step.Tags {
			if group.Tags[tag.Key] = tag.Value; step.Action == plan.UntagGroup {
				delete(group.Tags, tag.Key)
			}
		}
	case plan.AuthorizeRules:
		group.Rules = append(slices.Clone(group.Rules), step.Rules...)
	case plan.RevokeRules:
		group.Rules = slices.DeleteFunc(slices.Clone(group.Rules), isNamed)
	case plan.UpdateDescriptions:
		group.Rules = append(slices.DeleteFunc(slices.Clone(group.Rules), isNamed), step.Rules...)
	}
	return group
}

// labels replaces the identities of the tiers' groups by readable labels.
func labels(text string, states ...chain.State) string {
	for i, state := range states {
		for _, group := range state.Groups {
			text = strings.ReplaceAll(text, group.String(), fmt.Sprintf("%s%d", group.Tier, i+1))
		}
	}
	return text
}

func TestGoal(t *testing.T) {
	t.Parallel()
	web, app, db := tier("Web", "w", "all", 443), tier("App", "a", "chain", 6060), tier("Db", "d", "none", 5432)
	three := desired(t, web, app, db)
	for _, test := range []struct {
		name     string
		old, now chain.State
		want     string
	}{
		{
			"a tier in the middle is replaced: both its groups, and both neighbors for both",
			three, desired(t, web, tier("App", "b", "chain", 6060), db),
			`Web1 "w" 2:Y
  ingress tcp 443 from 0.0.0.0/0 "internet to Web: tcp 443"
  egress all traffic to 0.0.0.0/0
App2 "b" 2:Y
  ingress tcp 6060 from Web1 "Web to App: tcp 6060"
  egress tcp 5432 to Db1 "App to Db: tcp 5432"
Db1 "d" 2:Y
  ingress tcp 5432 from App1 "App to Db: tcp 5432"
  ingress tcp 5432 from App2 "App to Db: tcp 5432"
App1 "a" 1:X
  ingress tcp 6060 from Web1 "Web to App: tcp 6060"
  egress tcp 5432 to Db1 "App to Db: tcp 5432"
`,
		},
		{
			"two adjacent tiers are replaced at once",
			three, desired(t, web, tier("App", "b", "chain", 6060), tier("Db", "e", "none", 5432)),
			`Web1 "w" 2:Y
  ingress tcp 443 from 0.0.0.0/0 "internet to Web: tcp 443"
  egress all traffic to 0.0.0.0/0
App2 "b" 2:Y
  ingress tcp 6060 from Web1 "Web to App: tcp 6060"
  egress tcp 5432 to Db1 "App to Db: tcp 5432"
  egress tcp 5432 to Db2 "App to Db: tcp 5432"
Db2 "e" 2:Y
  ingress tcp 5432 from App1 "App to Db: tcp 5432"
  ingress tcp 5432 from App2 "App to Db: tcp 5432"
App1 "a" 1:X
  ingress tcp 6060 from Web1 "Web to App: tcp 6060"
  egress tcp 5432 to Db1 "App to Db: tcp 5432"
  egress tcp 5432 to Db2 "App to Db: tcp 5432"
Db1 "d" 1:X
  ingress tcp 5432 from App1 "App to Db: tcp 5432"
  ingress tcp 5432 from App2 "App to Db: tcp 5432"
`,
		},
		{
			"a tier left: its neighbors keep their old rules for it",
			three, desired(t, web, tier("Db", "d", "none", 5432)),
			`Web1 "w" 2:Y
  ingress tcp 443 from 0.0.0.0/0 "internet to Web: tcp 443"
  egress all traffic to 0.0.0.0/0
Db1 "d" 2:Y
  ingress tcp 5432 from App1 "App to Db: tcp 5432"
  ingress tcp 5432 from Web1 "Web to Db: tcp 5432"
App1 "a" 1:X
  ingress tcp 6060 from Web1 "Web to App: tcp 6060"
  egress tcp 5432 to Db1 "App to Db: tcp 5432"
`,
		},
		{
			"a port changed: no rule of the old one stays",
			three, desired(t, web, tier("App", "a", "chain", 7070), db),
			`Web1 "w" 2:Y
  ingress tcp 443 from 0.0.0.0/0 "internet to Web: tcp 443"
  egress all traffic to 0.0.0.0/0
App1 "a" 2:Y
  ingress tcp 7070 from Web1 "Web to App: tcp 7070"
  egress tcp 5432 to Db1 "App to Db: tcp 5432"
Db1 "d" 2:Y
  ingress tcp 5432 from App1 "App to Db: tcp 5432"
`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			change, current := plan.Change{New: test.now, Old: test.old}, built(test.old, first)
			goal := plan.Goal(change, current, second)
			if got := labels(goal.String(), test.old, test.now); got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
			reversed := chain.State{Groups: slices.Clone(current.Groups)}
			slices.Reverse(reversed.Groups)
			if got, want := plan.Diff(reversed, plan.Goal(change, reversed, second)).String(), plan.Diff(current, goal).String(); got != want {
				t.Errorf("the order in which groups were read changes the plan:\n%s\n%s", got, want)
			}
		})
	}
}

// TestGoalLeavesOrphansAlone checks that an orphan keeps its rules, and that live groups keep
// the rules that name it: something may use it.
func TestGoalLeavesOrphansAlone(t *testing.T) {
	t.Parallel()
	before := built(desired(t, tier("Web", "w", "all", 443), tier("App", "a", "all", 6060)), first)
	now := desired(t, tier("App", "a", "all", 7070))
	change := plan.Change{New: now, Old: now}
	goal := plan.Goal(change, before, second)
	if got := change.Orphans(before); len(got) != 1 || got[0].Tier != "Web" {
		t.Fatalf("orphans are %v", got)
	}
	web, _ := before.Find(change.Orphans(before)[0])
	kept, found := goal.Find(web.Identity)
	if !found || (chain.State{Groups: []chain.Group{kept}}).String() != (chain.State{Groups: []chain.Group{web}}).String() {
		t.Errorf("the orphan changes to %+v, was %+v", kept, web)
	}
	if text := goal.String(); !strings.Contains(text, "ingress tcp 6060 from Web~") {
		t.Errorf("the rule that names the orphan is gone:\n%s", text)
	}
}

// TestGoalAcceptsDefaultEgress checks that EC2's own egress rules are accepted without a
// description. If someone edited the description, the chain sets its own.
func TestGoalAcceptsDefaultEgress(t *testing.T) {
	t.Parallel()
	now := desired(t, tier("Web", "w", "all"))
	change := plan.Change{New: now}
	fresh := plan.Fresh(now.Groups[0].Identity, first)
	fresh.Rules = append(fresh.Rules, chain.AllTrafficV6())
	if todo := plan.Diff(chain.State{Groups: []chain.Group{fresh}}, plan.Goal(change, chain.State{Groups: []chain.Group{fresh}}, first)); !todo.Empty() {
		t.Errorf("the plan changes EC2's own egress:\n%s", todo)
	}
	edited := fresh
	edited.Rules = slices.Clone(fresh.Rules)
	edited.Rules[0].Description = "by hand"
	todo := plan.Diff(chain.State{Groups: []chain.Group{edited}}, plan.Goal(change, chain.State{Groups: []chain.Group{edited}}, first))
	if len(todo.Steps) != 1 || todo.Steps[0].Action != plan.UpdateDescriptions || todo.Steps[0].Rules[0].Description != "Web to anywhere: all traffic" {
		t.Errorf("the plan is\n%s", todo)
	}
}

// TestF7TwinOfTheDefaultEgress checks that a rule for ::/0 with a description is revoked: EC2's
// own has none. It is the chain's, from earlier properties, or an out-of-band change.
func TestF7TwinOfTheDefaultEgress(t *testing.T) {
	t.Parallel()
	now := desired(t, tier("Web", "w", "all"))
	both := now.Normalize()
	both.Groups[0].Rules = append(slices.Clone(both.Groups[0].Rules), chain.AllTrafficV6())
	both.Groups[0].Rules[1].Description = "Web to anywhere: all traffic"
	twin := func(description string) chain.Rule {
		rule := chain.AllTrafficV6()
		rule.Description = description
		return rule
	}
	for _, test := range []struct {
		name      string
		change    plan.Change
		twin      chain.Rule
		unmanaged bool
		adoption  chain.Adoption
		want      string
		count     int
	}{
		{"EC2's own", plan.Change{New: now, Old: now}, twin(""), false, chain.Created, "", 2},
		{"EC2's own, in the rollback from IPv6", plan.Change{New: now, Old: both, Rollback: true}, twin(""), false, chain.Created, "", 2},
		{"an out-of-band change", plan.Change{New: now, Old: now}, twin("by hand"), false, chain.Created, "revoke", 1},
		{"the chain's own from earlier properties", plan.Change{New: now, Old: both}, twin("Web to anywhere: all traffic"), false, chain.Created, "revoke", 1},
		{"of a retired group", plan.Change{Old: now}, twin("by hand"), false, chain.Created, "revoke", 0},
		{"kept", plan.Change{New: now, Old: now, KeepUnmanaged: true}, twin("by hand"), true, chain.Created, "", 2},
		{"kept, and the chain's from earlier properties", plan.Change{New: now, Old: both, KeepUnmanaged: true}, twin("Web to anywhere: all traffic"), true, chain.Created, "revoke", 1},
		{"adopted just now", plan.Change{New: now, AdoptedBy: "by:1"}, twin("by hand"), true, chain.Adoptable, "adopt group", 2},
		{"asked for", plan.Change{New: both, Old: both}, twin("by hand"), false, chain.Created, "update description", 2},
		{"asked for, and EC2's own", plan.Change{New: both, Old: now}, twin(""), false, chain.Created, "", 2},
	} {
		group := plan.Fresh(now.Groups[0].Identity, first)
		group.Rules = append(group.Rules, test.twin)
		if group.Adoption = test.adoption; test.unmanaged {
			group.Unmanaged = []chain.Rule{test.twin}
		}
		was := chain.State{Groups: []chain.Group{group}}
		todo := plan.Diff(was, plan.Goal(test.change, was, first))
		if got := todo.String(); (test.want == "") != todo.Empty() || !strings.Contains(got, test.want) || len(todo.Steps) > 1 {
			t.Errorf("%s: got\n%s", test.name, got)
		}
		end := apply(was, todo)
		if rest := plan.Diff(end, plan.Goal(test.change, end, first)); test.adoption == chain.Created && !rest.Empty() {
			t.Errorf("%s: a second plan has\n%s", test.name, rest)
		}
		if got := test.change.RuleCount(end); got != test.count {
			t.Errorf("%s: RuleCount is %d, want %d", test.name, got, test.count)
		}
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	old := desired(t, tier("Web", "w", "chain", 80, 443), tier("App", "a", "none", 6060))
	now := desired(t, tier("Web", "w", "chain", 443, 8443), tier("App", "a", "none", 6060), tier("Db", "d", "none", 5432))
	current := built(old, first)
	current.Groups[0].Rules[1].Description = "edited" // tcp 443
	todo := plan.Diff(current, plan.Goal(plan.Change{New: now, Old: old}, current, second))
	want := `create group Db1 "d"
authorize Web1
  ingress tcp 8443 from 0.0.0.0/0
authorize Db1
  ingress tcp 5432 from App1
revoke Db1
  egress all traffic to 0.0.0.0/0
update description Web1
  ingress tcp 443 from 0.0.0.0/0
re-tag Web1 2:Y
re-tag App1 2:Y
revoke Web1
  ingress tcp 80 from 0.0.0.0/0
`
	if got := labels(todo.String(), now); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := (plan.Plan{}).String(); got != "nothing to do\n" {
		t.Errorf("an empty plan prints %q", got)
	}
	if got := len(todo.Phases()); got != 5 {
		t.Errorf("%d phases, want 5", got)
	}
}

func TestNameConflicts(t *testing.T) {
	t.Parallel()
	named := func(name, description string) map[string]any {
		return map[string]any{"Name": "Web", "GroupName": name, "Description": description}
	}
	current := built(desired(t, named("web", "one")), first)
	for _, test := range []struct {
		name  string
		now   map[string]any
		clash bool
	}{
		{"the same group", named("web", "one"), false},
		{"another description", named("web", "two"), true},
		{"another letter case", named("WEB", "one"), true},
		{"another name", named("web2", "two"), false},
		{"a generated name", tier("Web", "two", "all"), false},
	} {
		now := desired(t, test.now)
		todo := plan.Diff(current, plan.Goal(plan.Change{New: now}, current, second))
		if got := todo.NameConflicts(current); (len(got) > 0) != test.clash {
			t.Errorf("%s: conflicts are %v", test.name, got)
		}
	}
	elsewhere := desired(t, named("web", "two"))
	elsewhere.Groups[0].VPCID = "vpc-2"
	if got := plan.Diff(current, plan.Goal(plan.Change{New: elsewhere}, current, second)).NameConflicts(current); len(got) > 0 {
		t.Errorf("the same name in another VPC is a conflict: %v", got)
	}
}

func drawState(rt *rapid.T, label string) chain.State {
	var tiers []any
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"A", "B", "C", "D"}), 1, 4, rapid.ID[string]).Draw(rt, label) {
		ports := []any{}
		for _, port := range rapid.SliceOfNDistinct(rapid.IntRange(80, 83), 0, 3, rapid.ID[int]).Draw(rt, "ports") {
			ports = append(ports, port)
		}
		one := tier(name, rapid.SampledFrom([]string{"one", "two"}).Draw(rt, "description"), rapid.SampledFrom([]string{"all", "chain", "none"}).Draw(rt, "egress"), ports...)
		one["Tags"] = map[string]any{rapid.SampledFrom([]string{"Team", "Cost"}).Draw(rt, "key"): rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "value")}
		tiers = append(tiers, one)
	}
	families := rapid.SampledFrom([]any{"ipv4", []any{"ipv4", "ipv6"}}).Draw(rt, "families")
	spec, err := chain.Parse(map[string]any{"VpcId": "vpc-1", "IpFamilies": families, "Tiers": tiers}, chain.DefaultAnswerBytes)
	if err != nil {
		rt.Fatal(err)
	}
	return chain.Desired(spec)
}

// TestPlansLeadToTheGoal checks random chains and current states. The plan leads to the goal,
// and then the goal stays the same. No rule is revoked before its replacement exists. The order
// in which groups were read does not matter.
func TestPlansLeadToTheGoal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		old, now, older := drawState(rt, "old"), drawState(rt, "now"), drawState(rt, "older")
		change := plan.Change{New: now, Old: old}
		start := built(old, first)
		if rapid.Bool().Draw(rt, "orphans") {
			start = plan.Goal(plan.Change{New: old, Old: older}, built(older, first), second)
		}
		tag := start.NextEpoch("Z")
		goal := plan.Goal(change, start, tag)
		todo := plan.Diff(start, goal)
		ipv6 := rapid.Bool().Draw(rt, "VPC with IPv6")
		end := applyIn(ipv6, start, todo)
		// Which default egress rules a new group has is known only after its creation.
		end = apply(end, plan.Diff(end, plan.Goal(change, end, tag)))
		if rest := plan.Diff(end, plan.Goal(change, end, tag)); !rest.Empty() {
			rt.Fatalf("after\n%sthere is still\n%s", todo, rest)
		}
		// After the cleanup only the new chain exists, and no rule names the old one.
		alone := apply(end, plan.Cleanup(change, end))
		orphans := change.Orphans(end)
		if rest := plan.Diff(alone, plan.Goal(plan.Change{New: now, Old: now}, alone, tag)); len(orphans) == 0 && (!rest.Empty() || len(alone.Groups) != len(now.Groups)) {
			rt.Fatalf("after the cleanup\n%sthere is still\n%s", plan.Cleanup(change, end), rest)
		}
		for _, group := range alone.Groups {
			for _, rule := range group.Rules {
				if rule.Peer.Kind == chain.PeerMember && !alone.Has(rule.Peer.Member) && !slices.Contains(orphans, group.Identity) {
					rt.Fatalf("after the cleanup %s has %s", group.Identity, rule)
				}
			}
		}
		for _, fate := range plan.Fates(change, start) {
			if is, was := now.Has(fate.Identity), start.Has(fate.Identity); is != (fate.Fate == plan.Created || fate.Fate == plan.Kept) || was == (fate.Fate == plan.Created) {
				rt.Fatalf("%s: is in the new chain %v, was there %v", fate.Text(""), is, was)
			}
		}
		shuffled := chain.State{Groups: rapid.Permutation(start.Groups).Draw(rt, "shuffled")}
		if again := plan.Diff(shuffled, plan.Goal(change, shuffled, tag)); again.String() != todo.String() {
			rt.Fatalf("the order of the groups changes the plan:\n%s\n%s", todo, again)
		}
		phase := plan.Create
		for _, step := range todo.Steps {
			if step.Phase < phase {
				rt.Fatalf("the phases are out of order:\n%s", todo)
			}
			phase = step.Phase
			if step.Action == plan.RevokeRules && step.Phase != plan.Revoke && start.Has(step.Group) {
				rt.Fatalf("a rule of a group with members is revoked early:\n%s", todo)
			}
		}
	})
}
