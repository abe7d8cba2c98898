package lifecycle_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sgchain/lambda/internal/proof/lifecycle"
	"sgchain/lambda/internal/proof/world"
)

// row is one situation in the lifecycle of a stack.
type row struct {
	name, title string
	history     lifecycle.History
	// sent lists the events that CloudFormation sends. IDs are X, Y, Z in order of appearance; I is
	// an invented one.
	sent []string
	// left names the existing groups before the stack is deleted.
	left []string
}

// The chains of the rows. second replaces the group of App; third only changes a rule.
var (
	web    = lifecycle.Tier{Name: "Web", Egress: "all", Inbound: []lifecycle.Rule{{Port: 443, Peers: []string{"internet"}}}}
	app    = lifecycle.Tier{Name: "App", Egress: "all", Text: "first", Inbound: []lifecycle.Rule{{Port: 6060, Peers: []string{"Web"}}}}
	first  = lifecycle.Chain{Tiers: []lifecycle.Tier{web, app}}
	second = lifecycle.Chain{Tiers: []lifecycle.Tier{web, {Name: "App", Egress: "all", Text: "second", Inbound: app.Inbound}}}
	third  = lifecycle.Chain{Tiers: []lifecycle.Tier{web, {Name: "App", Egress: "all", Text: "first", Inbound: []lifecycle.Rule{{Port: 80, Peers: []string{"Web"}}}}}}
	both   = lifecycle.Chain{Tiers: []lifecycle.Tier{
		{Name: "Web", Egress: "all", Text: "new", Inbound: web.Inbound}, {Name: "App", Egress: "all", Text: "second", Inbound: app.Inbound},
	}}
)

// listed is third with a peer of every kind, IPv6, outbound rules and tags.
var listed = lifecycle.Chain{
	IPv6: true, Tags: map[string]string{"Team": "a"}, Tiers: []lifecycle.Tier{
		{
			Name: "Web", Egress: "chain", Inbound: []lifecycle.Rule{{Port: 443, Peers: []string{"internet", "vpc", "203.0.113.0/24", "pl-0123456789abcdef0", "com.amazonaws.us-east-1.remote"}}},
			Outbound: []lifecycle.Rule{{Port: 443, Peers: []string{"com.amazonaws.us-east-1.remote", "vpc"}}}, Tags: map[string]string{"Cost": "b"},
		},
		{Name: "App", Egress: "none", Text: "first", Inbound: []lifecycle.Rule{{Port: 6060, Peers: []string{"Web", "self"}}}},
	},
}

// alone is first without App, whose group has to be released.
var alone = lifecycle.Chain{Tiers: []lifecycle.Tier{web}, Release: []string{"App"}}

func created(steps ...lifecycle.Step) lifecycle.History {
	return lifecycle.History{Steps: append([]lifecycle.Step{{Do: "create", Chain: first, Rest: 400}}, steps...)}
}

// peered is a group of another account in a peered VPC. sharedID is the bare ID of a group that
// another account shares with the chain's.
var (
	peered   = lifecycle.OtherAccountGroups()[2]
	sharedID = strings.Split(lifecycle.OtherAccountGroups()[0], "/")[1]
)

// naming returns a chain whose App allows more peers.
func naming(chain lifecycle.Chain, sources ...string) lifecycle.Chain {
	tiers := slices.Clone(chain.Tiers)
	tiers[1].Inbound = append(slices.Clone(tiers[1].Inbound), lifecycle.Rule{Port: 443, Peers: sources})
	chain.Tiers = tiers
	return chain
}

// withOtherAccounts returns a history of such a chain.
func withOtherAccounts(chain lifecycle.Chain, steps ...lifecycle.Step) lifecycle.History {
	history := created(steps...)
	history.World.OtherAccounts, history.Steps[0].Chain = true, chain
	return history
}

// denied fails an event's run after it has written something.
var denied = lifecycle.Mishap{Faults: []lifecycle.Fault{{Call: 3, Kind: "unauthorized"}}}

// unreadable fails an event's run before it does anything.
var unreadable = lifecycle.Mishap{Denied: true}

// cancelled is an event that CloudFormation gives up while its run hangs.
var cancelled = lifecycle.Mishap{Cancel: 3, Faults: []lifecycle.Fault{{Call: 3, Kind: "hang", Seconds: 30}}}

func rows() []row {
	ok := lifecycle.Mishap{}
	app1, app2, web1, web2 := `App "first"`, `App "second"`, `Web "Security group of tier Web"`, `Web "new"`
	undated := created(lifecycle.Step{Do: "update", Chain: third, Mishaps: []lifecycle.Mishap{{Again: []int{0}}}, Rest: 400})
	undated.Habits.Undated = true
	oldRecord := created(lifecycle.Step{Do: "update", Chain: second, Rest: 400})
	oldRecord.Habits.CleanupShows, oldRecord.Habits.CleanupBrings = "old", "new"
	absent := created(lifecycle.Step{Do: "remove", Rest: 400})
	absent.Habits.RemovedShows = "absent"
	carriesOld := created(lifecycle.Step{Do: "update", Chain: second, SiblingFails: true, Rest: 400})
	carriesOld.Habits.RollbackCarries = "old"
	invents := lifecycle.History{Habits: lifecycle.Habits{InventsAlways: true}, Steps: []lifecycle.Step{{Do: "create", Chain: first, SiblingFails: true}}}
	createsFirst := lifecycle.History{Habits: lifecycle.Habits{CreatesFirst: true}, Steps: []lifecycle.Step{
		{Do: "create", Chain: first, NoRollback: true, Mishaps: []lifecycle.Mishap{denied}, Rest: 400}, {Do: "update", Chain: second, Rest: 400},
	}}
	deletesFirst := createsFirst
	deletesFirst.Habits = lifecycle.Habits{}
	adding := func(step lifecycle.Step) lifecycle.History {
		step.Chain, step.Rest = first, 400
		return created(lifecycle.Step{Do: "remove", Rest: 400}, step)
	}
	end := []string{lifecycle.End, "Delete X"}
	endY := []string{lifecycle.End, "Delete Y"}
	return append([]row{
		{"1", "stack create", created(), append([]string{"Create"}, end...), []string{app1, web1}},
		{"2", "Create fails with an ID", lifecycle.History{Steps: []lifecycle.Step{{Do: "create", Chain: first, Mishaps: []lifecycle.Mishap{denied}}}}, []string{"Create", "Delete X", lifecycle.End}, nil},
		{"3", "Create fails without an ID", lifecycle.History{Steps: []lifecycle.Step{{Do: "create", Chain: first, Mishaps: []lifecycle.Mishap{{Answer: "without ID"}}}}}, []string{"Create", "Delete I", lifecycle.End}, nil},
		{"4", "Create cancelled while it runs", lifecycle.History{Steps: []lifecycle.Step{{Do: "create", Chain: first, Mishaps: []lifecycle.Mishap{cancelled}}}}, []string{"Create", "Delete I", lifecycle.End}, nil},
		{"4 simple", "Create succeeds, another resource fails", lifecycle.History{Steps: []lifecycle.Step{{Do: "create", Chain: first, SiblingFails: true}}}, []string{"Create", "Delete X", lifecycle.End}, nil},
		{"4 invented", "the same, with an invented ID", invents, []string{"Create", "Delete I", lifecycle.End}, nil},
		{"5", "Update, same ID", created(lifecycle.Step{Do: "update", Chain: third, Rest: 400}), append([]string{"Create", "Update X"}, end...), []string{app1, web1}},
		{"6", "Update, replacement", created(lifecycle.Step{Do: "update", Chain: second, Linger: 120, Rest: 400}), append([]string{"Create", "Update X", "Delete X"}, endY...), []string{app2, web1}},
		{"6b", "the same; the Delete has the new properties and the record shows the old ID", oldRecord, append([]string{"Create", "Update X", "Delete X"}, endY...), []string{app2, web1}},
		{"7", "Update fails, same ID", created(lifecycle.Step{Do: "update", Chain: third, Mishaps: []lifecycle.Mishap{denied}, Rest: 400}), append([]string{"Create", "Update X", "Update X"}, end...), []string{app1, web1}},
		{"8", "Update fails with another ID", created(lifecycle.Step{Do: "update", Chain: second, Mishaps: []lifecycle.Mishap{{Answer: "without ID"}}, Rest: 400}), append([]string{"Create", "Update X", "Update I", "Delete I"}, end...), []string{app1, web1}},
		{"9", "Update succeeds, another resource fails", created(lifecycle.Step{Do: "update", Chain: third, SiblingFails: true, Rest: 400}), append([]string{"Create", "Update X", "Update X"}, end...), []string{app1, web1}},
		{"10", "replacement succeeds, another resource fails", created(lifecycle.Step{Do: "update", Chain: second, SiblingFails: true, Rest: 400}), append([]string{"Create", "Update X", "Update Y", "Delete Y"}, end...), []string{app1, web1}},
		{"10 old", "the same; the rollback has the old ID", carriesOld, append([]string{"Create", "Update X", "Update X", "Delete Y"}, end...), []string{app1, web1}},
		{"11", "resource added by an Update that fails", adding(lifecycle.Step{Do: "update", SiblingFails: true}), []string{"Create", "Delete X", "Create", "Delete X", lifecycle.End}, nil},
		{"11 cancelled", "resource added, its Create cancelled while it runs", adding(lifecycle.Step{Do: "update", Mishaps: []lifecycle.Mishap{cancelled}}), []string{"Create", "Delete X", "Create", "Delete I", lifecycle.End}, nil},
		{"12", "resource removed from the template", created(lifecycle.Step{Do: "remove", Rest: 400}), []string{"Create", "Delete X", lifecycle.End}, nil},
		{"12 absent", "the same; the record no longer lists the resource", absent, []string{"Create", "Delete X", lifecycle.End}, nil},
		{"13", "stack delete", created(), append([]string{"Create"}, end...), []string{app1, web1}},
		{"14", "cleanup fails three times, and CloudFormation gives up", created(lifecycle.Step{Do: "update", Chain: second, Mishaps: []lifecycle.Mishap{ok, unreadable, unreadable, unreadable}, Rest: 400}), append([]string{"Create", "Update X", "Delete X", "Delete X", "Delete X"}, endY...), []string{app1, app2, web1}},
		{"15", "Delete fails while a Create is undone", lifecycle.History{Steps: []lifecycle.Step{{Do: "create", Chain: first, SiblingFails: true, Mishaps: []lifecycle.Mishap{ok, unreadable}}}}, []string{"Create", "Delete X", lifecycle.End, "Delete X"}, []string{app1, web1}},
		{"16", "rollback fails and is continued with ContinueUpdateRollback", created(lifecycle.Step{Do: "update", Chain: second, SiblingFails: true, Mishaps: []lifecycle.Mishap{ok, unreadable}, Rest: 400}), append([]string{"Create", "Update X", "Update Y", "Update Y", "Delete Y"}, end...), []string{app1, web1}},
		{"16 skipped", "rollback fails, the resource is skipped, the next Update repairs", created(
			lifecycle.Step{Do: "update", Chain: second, SiblingFails: true, Mishaps: []lifecycle.Mishap{ok, unreadable, unreadable, unreadable}, Rest: 400},
			lifecycle.Step{Do: "update", Chain: third, Rest: 400}), append([]string{"Create", "Update X", "Update Y", "Update Y", "Update Y", "Update Y", "Delete Y"}, end...), []string{app1, web1}},
		{"17", "failed Create preserved, the next operation deletes and creates", deletesFirst, append([]string{"Create", "Delete X", "Create"}, endY...), []string{app2, web1}},
		{"17 created first", "the same in the other order", createsFirst, append([]string{"Create", "Create", "Delete X"}, endY...), []string{app2, web1}},
		{"17 update", "failed Update preserved, the next Update completes it", created(
			lifecycle.Step{Do: "update", Chain: second, NoRollback: true, Mishaps: []lifecycle.Mishap{denied}, Rest: 400},
			lifecycle.Step{Do: "update", Chain: second, Rest: 400}), append([]string{"Create", "Update X", "Update X", "Delete X"}, endY...), []string{app2, web1}},
		{"18", "child stack: cleanup waits for the parent", created(lifecycle.Step{Do: "update", Chain: second, Nested: true, Rest: 400}), append([]string{"Create", "Update X", "Delete X"}, endY...), []string{app2, web1}},
		{"18 parent fails", "child stack: the parent fails afterwards", created(lifecycle.Step{Do: "update", Chain: second, Nested: true, SiblingFails: true, Rest: 400}), append([]string{"Create", "Update X", "Update Y", "Delete Y"}, end...), []string{app1, web1}},
		{"19", "DeletionPolicy: Retain", created(lifecycle.Step{Do: "remove", Retain: true}), []string{"Create", lifecycle.End}, []string{app1, web1}},
		{"20", "UpdateReplacePolicy: Retain", created(lifecycle.Step{Do: "update", Chain: second, Retain: true, Rest: 400}), append([]string{"Create", "Update X"}, endY...), []string{app1, app2, web1}},
		{"cancelled Update", "an Update is cancelled and still runs during its rollback", created(lifecycle.Step{Do: "update", Chain: second, Mishaps: []lifecycle.Mishap{cancelled}, Rest: 400}), append([]string{"Create", "Update X", "Update X"}, end...), []string{app1, web1}},
		{"cancelled Update, dated later", "the same; the run takes the status for an older one and waits", created(lifecycle.Step{Do: "update", Chain: second, Mishaps: []lifecycle.Mishap{{
			Dated: 4, Cancel: 5,
		}}, Rest: 400}), append([]string{"Create", "Update X", "Update X"}, end...), []string{app1, web1}},
		{"group of another account", "rules name groups of another account, by ID and then with the account", withOtherAccounts(
			naming(first, sharedID), lifecycle.Step{Do: "update", Chain: naming(first, lifecycle.OtherAccountGroups()[0]), Rest: 400},
			lifecycle.Step{Do: "update", Chain: naming(third, lifecycle.OtherAccountGroups()...), Rest: 400}), append([]string{"Create", "Update X", "Update X"}, end...), []string{app1, web1}},
		{"peer gone", "the owner of a peer removes it, and the next Update is rolled back", withOtherAccounts(
			naming(first, peered), lifecycle.Step{Do: "the owner removes a peer", Pick: 2, Rest: 30},
			lifecycle.Step{Do: "update", Chain: naming(third, peered), SiblingFails: true, Rest: 400}), append([]string{"Create", "Update X", "Update X"}, end...), []string{app1, web1}},
		{"out-of-band egress", "an IPv6 egress rule is added out of band, and the next Update revokes it", created(
			lifecycle.Step{Do: "add an IPv6 egress rule", Rest: 30}, lifecycle.Step{Do: "update", Chain: third, Rest: 400}), append([]string{"Create", "Update X"}, end...), []string{app1, web1}},
		{"duplicate", "an Update is delivered twice at once", undated, append([]string{"Create", "Update X", "Update X again"}, end...), []string{app1, web1}},
		{"duplicate after its answer", "an Update is delivered again after its answer", created(lifecycle.Step{Do: "update", Chain: third, Mishaps: []lifecycle.Mishap{{Again: []int{60}}}, Rest: 400}), append([]string{"Create", "Update X", "Update X again"}, end...), []string{app1, web1}},
		{"stale Delete", "X, Y, X again, and a duplicate of the Delete of the first X", created(
			lifecycle.Step{Do: "update", Chain: second, Mishaps: []lifecycle.Mishap{ok, {Again: []int{300}}}, Rest: 90},
			lifecycle.Step{Do: "update", Chain: first, Linger: 400, Rest: 400}), append([]string{"Create", "Update X", "Delete X", "Update Y", "Delete Y", "Delete X again"}, end...), []string{app1, web1}},
		{"neighbors", "two adjacent tiers are replaced at once", created(lifecycle.Step{Do: "update", Chain: both, Linger: 60, Rest: 400}), append([]string{"Create", "Update X", "Delete X"}, endY...), []string{app2, web2}},
		{"peers", "peers of every kind, IPv6, outbound rules and tags are added, then removed", created(
			lifecycle.Step{Do: "update", Chain: listed, StackTags: map[string]string{"Env": "s", "Team": "s"}, Rest: 400},
			lifecycle.Step{Do: "update", Chain: third, StackTags: map[string]string{"Team": "t"}, Rest: 400}), append([]string{"Create", "Update X", "Update X"}, end...), []string{app1, web1}},
		{"crash", "the function dies halfway and Lambda retries it", created(lifecycle.Step{Do: "update", Chain: second, Mishaps: []lifecycle.Mishap{{Faults: []lifecycle.Fault{{Call: 3, Kind: "crash after"}}}}, Rest: 400}), append([]string{"Create", "Update X", "Delete X"}, endY...), []string{app2, web1}},
		{
			"sweep", "a final Delete dies halfway through groups of two IDs, and Lambda retries it", created(
				lifecycle.Step{Do: "update", Chain: second, Mishaps: []lifecycle.Mishap{ok, unreadable, unreadable, unreadable}, Rest: 400},
				lifecycle.Step{Do: "remove", Mishaps: []lifecycle.Mishap{{Faults: []lifecycle.Fault{{Call: 6, Kind: "crash after"}}}}, Rest: 400}),
			[]string{"Create", "Update X", "Delete X", "Delete X", "Delete X", "Delete Y", lifecycle.End},
			nil,
		},
		{"release", "a tier of ReleaseTiers leaves the chain", created(lifecycle.Step{Do: "update", Chain: alone, Linger: 60, Rest: 400}), append([]string{"Create", "Update X", "Delete X"}, endY...), []string{app1, web1}},
		{"release rolled back", "the same; another resource fails", created(lifecycle.Step{Do: "update", Chain: alone, SiblingFails: true, Rest: 400}), append([]string{"Create", "Update X", "Update Y", "Delete Y"}, end...), []string{app1, web1}},
		{"release by the next Update", "the same; the cleanup fails three times, and the next Update releases it", created(
			lifecycle.Step{Do: "update", Chain: alone, Mishaps: []lifecycle.Mishap{ok, unreadable, unreadable, unreadable}, Rest: 400},
			lifecycle.Step{Do: "update", Chain: lifecycle.Chain{Tiers: alone.Tiers}, Rest: 400}), append([]string{"Create", "Update X", "Delete X", "Delete X", "Delete X", "Update Y"}, endY...), []string{app1, web1}},
		{"release crash", "the cleanup dies after the group can no longer be deleted, and Lambda retries it", created(
			lifecycle.Step{Do: "update", Chain: alone, Mishaps: []lifecycle.Mishap{ok, {Faults: []lifecycle.Fault{{Call: 7, Kind: "crash after"}}}}, Rest: 400}), append([]string{"Create", "Update X", "Delete X"}, endY...), []string{app1, web1}},
		{"answer lost", "CloudFormation never sees the answer and rolls back", created(lifecycle.Step{Do: "update", Chain: second, Mishaps: []lifecycle.Mishap{{Answer: "lost"}}, Rest: 400}), append([]string{"Create", "Update X", "Update X"}, end...), []string{app1, web1}},
	}, moveRows()...)
}

var (
	requestID = regexp.MustCompile(`^request-\d+ `)
	chainID   = regexp.MustCompile(`sgchain-[0-9a-f]{40}`)
	groupLine = regexp.MustCompile(`(?m)^sgchain-Shop-([A-Za-z]+)-[0-9a-f]+ (".*") in `)
)

// sent formats the events of an outcome as the rows do.
func sent(out lifecycle.Outcome) []string {
	names := map[string]string{}
	byRequest := map[string]string{}
	var events []string
	for _, event := range out.Sent {
		if event == lifecycle.End {
			events = append(events, event)
			continue
		}
		number := requestID.FindString(event)
		text := strings.TrimSpace(strings.TrimPrefix(event, number))
		number = strings.TrimSpace(number)
		if text == "again" {
			text = byRequest[number] + " again"
		} else {
			byRequest[number] = text
		}
		events = append(events, text)
	}
	for i, event := range events {
		event = chainID.ReplaceAllStringFunc(event, func(id string) string {
			if names[id] == "" {
				names[id] = string("XYZVW"[len(names)])
			}
			return names[id]
		})
		events[i] = strings.ReplaceAll(event, lifecycle.Invented, "I")
	}
	return events
}

// left names the chain's groups in a printed world.
func left(printed string) []string {
	var groups []string
	for _, match := range groupLine.FindAllStringSubmatch(printed, -1) {
		groups = append(groups, match[1]+" "+match[2])
	}
	slices.Sort(groups)
	return groups
}

// TestRows plays every row of the lifecycle table, including the mishaps.
func TestRows(t *testing.T) {
	for _, one := range rows() {
		t.Run("row "+one.name, func(t *testing.T) {
			out := play(t, one.history, true)
			t.Logf("%s\n%s", one.title, strings.Join(out.Story, "\n"))
			if out.Failure != nil {
				t.Fatal(out.Failure)
			}
			if got := sent(out); !slices.Equal(got, one.sent) {
				t.Errorf("events sent: %q, want %q", got, one.sent)
			}
			if got := left(out.World); !slices.Equal(got, one.left) {
				t.Errorf("groups before the deletion of the stack: %q, want %q:\n%s", got, one.left, world.Strip(out.World))
			}
			if number, _, _ := strings.Cut(one.name, " "); number[0] >= '0' && number[0] <= '9' && number != "3" && !played(out, number) {
				t.Errorf("row %s was not played, only %v", one.name, out.Rows)
			}
		})
	}
}

func played(out lifecycle.Outcome, number string) bool {
	for row := range out.Rows {
		if strings.TrimRight(number, "b") == strings.Fields(row)[0] {
			return true
		}
	}
	return false
}

// TestRowsAreDocumented compares the table of docs/lifecycle.md with the rows. With UPDATE_DOCS=1
// it writes the table.
func TestRowsAreDocumented(t *testing.T) {
	t.Parallel()
	file := filepath.Join("..", "..", "..", "..", "docs", "lifecycle.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- rows: begin -->\n", "<!-- rows: end -->\n"
	before, rest, found := strings.Cut(string(text), begin)
	_, after, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		t.Fatalf("%s lacks the markers of the row table", file)
	}
	var table strings.Builder
	table.WriteString("| row | situation | events | groups afterwards |\n|---|---|---|---|\n")
	for _, one := range rows() {
		events, _, _ := strings.Cut(strings.Join(one.sent, ", "), ", "+lifecycle.End)
		groups := strings.Join(one.left, ", ")
		if groups == "" {
			groups = "none"
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", one.name, one.title, events, groups)
	}
	want := before + begin + table.String() + end + after
	if os.Getenv("UPDATE_DOCS") != "" { //nolint:forbidigo // asks for the table to be written
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Errorf("the table in %s is out of date; update it with UPDATE_DOCS=1", file)
	}
}
