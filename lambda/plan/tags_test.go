package plan_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

type tags = map[string]string

// tagged returns the state of one group with tags.
func tagged(all tags) chain.State {
	return chain.State{Groups: []chain.Group{{Identity: chain.Identity{VPCID: "vpc-1", Tier: "Web"}, Tags: all}}}
}

// recording returns tags with a record that some of them came from the stack.
func recording(all tags, keys ...string) tags {
	all = maps.Clone(all)
	all[chain.TagStackTags] = chain.StackTagsRecord(keys)
	return all
}

// TestTagsOfTheStack checks the tags of the goal and the steps to it. Old are the author's previous tags.
func TestTagsOfTheStack(t *testing.T) {
	t.Parallel()
	by := chain.AdoptedBy("request-1", "2026-01-02T03:04:05.000Z")
	for name, test := range map[string]struct {
		was, old, now, stack tags
		adoption             chain.Adoption
		change               plan.Change
		want                 tags
		plan                 string
	}{
		"a group gets them and the author's": {
			now: tags{"Team": "a"}, stack: tags{"Cost": "s"}, want: recording(tags{"Team": "a", "Cost": "s"}, "Cost"),
			plan: `re-tag Web~ Cost="s" (of the stack) Team="a" sgchain:stack-tags="IEpe"`,
		},
		"the author's win":                      {now: tags{"Team": "a"}, stack: tags{"Team": "s"}, want: tags{"Team": "a"}, plan: `re-tag Web~ Team="a"`},
		"another owner's stay":                  {was: tags{"Own": "o"}, stack: tags{"Team": "s"}, want: recording(tags{"Own": "o", "Team": "s"}, "Team")},
		"they replace those of a created group": {was: tags{"Team": "o"}, stack: tags{"Team": "s"}, want: recording(tags{"Team": "s"}, "Team")},
		"tags of other owners stay":             {was: tags{"Team": "o"}, want: tags{"Team": "o"}, plan: "nothing to do"},
		"an edited value is restored":           {was: recording(tags{"Team": "o"}, "Team"), stack: tags{"Team": "s"}, want: recording(tags{"Team": "s"}, "Team"), plan: `re-tag Web~ Team="s" (of the stack)`},
		"one that left the stack is removed, and then its record": {
			was: recording(tags{"Team": "s", "Cost": "s"}, "Team", "Cost"), stack: tags{"Cost": "s"}, want: recording(tags{"Cost": "s"}, "Cost"),
			plan: "untag Web~ Team (of the stack)\nre-tag Web~ sgchain:stack-tags=\"IEpe\"",
		},
		"the record is removed with the last one": {
			was: recording(tags{"Team": "s", "Own": "o"}, "Team"), want: tags{"Own": "o"},
			plan: "untag Web~ Team (of the stack)\nuntag Web~ sgchain:stack-tags",
		},
		"removals come first": {
			was: recording(tags{"Team": "s"}, "Team"), stack: tags{"Cost": "s"}, want: recording(tags{"Cost": "s"}, "Cost"),
			plan: "untag Web~ Team (of the stack)\nre-tag Web~ Cost=\"s\" (of the stack) sgchain:stack-tags=\"IEpe\"",
		},
		"the author takes one over":     {was: recording(tags{"Team": "s"}, "Team"), now: tags{"Team": "a"}, stack: tags{"Team": "s"}, want: tags{"Team": "a"}},
		"the author no longer sets one": {was: tags{"Team": "a"}, old: tags{"Team": "a"}, stack: tags{"Team": "s"}, want: recording(tags{"Team": "s"}, "Team")},
		"a record without its tag":      {was: recording(tags{}, "Team"), want: tags{}, plan: "untag Web~ sgchain:stack-tags"},
		"an adopted one keeps its":      {was: tags{"Team": "o"}, adoption: chain.Settled, stack: tags{"Team": "s", "Cost": "s"}, want: recording(tags{"Team": "o", "Cost": "s"}, "Cost")},
		"an adopted one loses theirs":   {was: recording(tags{"Team": "o", "Cost": "s"}, "Cost"), adoption: chain.Settled, want: tags{"Team": "o"}},
		"an adoption only adds": {
			was: tags{"Team": "o"}, adoption: chain.Adoptable, change: plan.Change{AdoptedBy: by}, stack: tags{"Team": "s", "Cost": "s"},
			want: recording(tags{"Team": "o", "Cost": "s"}, "Cost"),
		},
		"the record of an earlier chain is ignored": {
			was: recording(tags{"Team": "o"}, "Team"), adoption: chain.Adoptable, change: plan.Change{AdoptedBy: by}, want: recording(tags{"Team": "o"}),
		},
		"a rollback only adds to a recently adopted group": {
			was: recording(tags{"Cost": "s"}, "Cost"), adoption: by, change: plan.Change{Rollback: true}, stack: tags{"Team": "s"},
			want: recording(tags{"Cost": "s", "Team": "s"}, "Cost", "Team"),
		},
		"a later update removes those of the stack": {was: recording(tags{"Cost": "s", "Team": "o"}, "Cost"), adoption: by, want: tags{"Team": "o"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			was := tagged(test.was)
			was.Groups[0].Adoption = test.adoption
			change := test.change
			change.New, change.Old, change.StackTags = tagged(test.now), tagged(test.old), test.stack
			goal := plan.Goal(change, was, chain.Epoch{})
			if !maps.Equal(goal.Groups[0].Tags, test.want) {
				t.Errorf("got %v\nwant %v", goal.Groups[0].Tags, test.want)
			}
			text := strings.ReplaceAll(plan.Diff(was, goal).String(), goal.Groups[0].String(), "Web~")
			if test.plan != "" && text != test.plan+"\n" {
				t.Errorf("got\n%swant\n%s", text, test.plan)
			}
			again := plan.Goal(change, goal, chain.Epoch{})
			if !maps.Equal(again.Groups[0].Tags, goal.Groups[0].Tags) {
				t.Errorf("the goal of the goal is %v", again.Groups[0].Tags)
			}
		})
	}
}

// numbered returns count tags.
func numbered(prefix string, count int) tags {
	all := tags{}
	for i := range count {
		all[fmt.Sprintf("%s%02d", prefix, i)] = "1"
	}
	return all
}

// TestTagRoom checks the limit of fifty tags for a group. More are refused, and a rollback omits those of the stack.
func TestTagRoom(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		author, stack, others int
		adoption              chain.Adoption
		want                  string // of the error
		lacking               int
	}{
		"just enough":              {author: 10, stack: 30, others: 4, lacking: 4},
		"one too many":             {author: 10, stack: 30, others: 5, want: "it would have 51 tags (10 of its properties and Name, 30 of the stack, 5 of other owners and 6 of the chain), and EC2 allows 50", lacking: 5},
		"an adopted one has more":  {author: 10, stack: 30, others: 4, adoption: chain.Settled, want: "it would have 51 tags (10 of its properties and Name, 30 of the stack, 4 of other owners and 7 of the chain)", lacking: 5},
		"none has room":            {author: 45, stack: 2, want: "it would have 53 tags", lacking: 2},
		"not because of the stack": {author: 45, others: 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			was := tagged(numbered("other", test.others))
			was.Groups[0].Adoption = test.adoption
			change := plan.Change{New: tagged(numbered("author", test.author)), StackTags: numbered("stack", test.stack)}
			err := change.TagRoom(was, false)
			if _, isRoom := errors.AsType[*plan.TagRoomError](err); (test.want != "") != isRoom || isRoom && !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			change.Rollback = true
			if err := change.TagRoom(was, false); err != nil {
				t.Errorf("the rollback: %v", err)
			}
			goal := plan.Goal(change, was, chain.Epoch{})
			if count := goal.Groups[0].TagCount(); test.stack > 0 && count > chain.MaxGroupTags {
				t.Errorf("the rollback leads to %d tags", count)
			}
			for _, state := range []chain.State{was, goal} {
				lacking := change.LackingTags(state)
				if (len(lacking) > 0) != (test.lacking > 0) || test.lacking > 0 && strings.Count(lacking[0], "stack") != 1+test.lacking {
					t.Errorf("got %v, want %d", lacking, test.lacking)
				}
			}
		})
	}
}

// TestTagRoomOfAFullGroup checks that a rollback is not refused if a group that the run only adds to is full.
func TestTagRoomOfAFullGroup(t *testing.T) {
	t.Parallel()
	by := chain.AdoptedBy("request-1", "2026-01-02T03:04:05.000Z")
	all := numbered("stack", 42)
	all["Own"] = "o"
	was := tagged(recording(all, slices.Sorted(maps.Keys(numbered("stack", 42)))...))
	was.Groups[0].Adoption = by
	change := plan.Change{New: tagged(tags{"Name": "web"}), Rollback: true}
	if err := change.TagRoom(was, true); err != nil {
		t.Error(err)
	}
}

// TestExistingTagsOfTheStackComeFirst checks that a rollback does not lose existing stack tags to missing ones.
func TestExistingTagsOfTheStackComeFirst(t *testing.T) {
	t.Parallel()
	change := plan.Change{New: tagged(numbered("author", 42)), StackTags: numbered("stack", 5), Rollback: true}
	was := recording(numbered("author", 42), "stack03", "stack04")
	was["stack03"], was["stack04"] = "1", "1"
	if goal := plan.Goal(change, tagged(was), chain.Epoch{}); !maps.Equal(goal.Groups[0].Tags, was) {
		t.Errorf("got %v", goal.Groups[0].Tags)
	}
}

// TestTagsAreCompleteAfterFailedRuns fails runs at random calls, and then retries or rolls them back. After the next complete run a group
// has the author's tags, those of the stack, those of other owners, and no others.
func TestTagsAreCompleteAfterFailedRuns(t *testing.T) {
	t.Parallel()
	keys := []string{"Cost", "Env", "Team"}
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(label, value string) tags {
			all := tags{}
			for _, key := range keys {
				if rapid.Bool().Draw(rt, label+" "+key) {
					all[key] = value + rapid.SampledFrom([]string{"1", "2"}).Draw(rt, "value")
				}
			}
			return all
		}
		now, old, stack := tagged(draw("author", "a")), tagged(nil), draw("stack", "s")
		state := tagged(tags{"Own": "o"})
		run := func(change plan.Change, dies bool) {
			phases := plan.Diff(state, plan.Goal(change, state, chain.Epoch{})).Phases()
			for _, phase := range phases {
				dead := dies && rapid.Bool().Draw(rt, "dies in this phase")
				for _, step := range phase {
					if !dead || rapid.Bool().Draw(rt, "comes to it") {
						state = apply(state, plan.Plan{Steps: []plan.Step{step}})
					}
				}
				if dead {
					return
				}
			}
		}
		for range rapid.IntRange(1, 5).Draw(rt, "operations") {
			run(plan.Change{New: now, Old: old, StackTags: stack}, rapid.Bool().Draw(rt, "goes wrong"))
			if rapid.Bool().Draw(rt, "again") {
				run(plan.Change{New: now, Old: old, StackTags: stack}, false)
				old, now, stack = now, tagged(draw("author", "a")), draw("stack", "s")
			} else {
				run(plan.Change{New: old, Old: now, StackTags: stack, Rollback: true}, rapid.Bool().Draw(rt, "goes wrong"))
				stack = draw("stack", "s")
			}
		}
		run(plan.Change{New: now, Old: old, StackTags: stack}, true)
		run(plan.Change{New: now, Old: old, StackTags: stack}, false)
		want, ofStack := maps.Clone(stack), []string{}
		maps.Copy(want, now.Groups[0].Tags)
		want["Own"] = "o"
		for key := range stack {
			if _, isAuthors := now.Groups[0].Tags[key]; !isAuthors {
				ofStack = append(ofStack, key)
			}
		}
		if slices.Sort(ofStack); len(ofStack) > 0 {
			want = recording(want, ofStack...)
		}
		if !maps.Equal(state.Groups[0].Tags, want) {
			rt.Fatalf("got %v\nwant %v", state.Groups[0].Tags, want)
		}
	})
}
