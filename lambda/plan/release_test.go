package plan_test

import (
	"strings"
	"testing"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// TestRelease checks that the groups of a tier that leaves are marked, and no others. A mark is removed if the tier is in the chain
// again, and if the change does not ask for it.
func TestRelease(t *testing.T) {
	t.Parallel()
	web, app := tier("Web", "v", "chain", 443), tier("App", "a", "chain", 6060)
	both, alone, replaced := desired(t, web, app), desired(t, web), desired(t, web, tier("App", "b", "chain", 6060))
	groups := built(both, first)
	with := func(state chain.State, tier string, change func(chain.Group) chain.Group) chain.State {
		state.Groups = append([]chain.Group(nil), state.Groups...)
		for i, group := range state.Groups {
			if group.Tier == tier {
				state.Groups[i] = change(group)
			}
		}
		return state
	}
	taken := func(group chain.Group) chain.Group { return adopted(group, chain.Settled) }
	fated := func(group chain.Group) chain.Group { return marked(adopted(group, fresh)) }
	for name, test := range map[string]struct {
		change  plan.Change
		current chain.State
		steps   string // of phase Retag, without those that only give another epoch
		fate    string // of the group of App
	}{
		"the tier leaves":                        {plan.Change{New: alone, Old: both.Releasing([]string{"App"})}, groups, `re-tag App sgchain:release="yes"`, "release group in the cleanup"},
		"another tier is to be released":         {plan.Change{New: alone, Old: both.Releasing([]string{"Db"})}, groups, "", "delete group in the cleanup"},
		"the tier stays and its group goes":      {plan.Change{New: replaced, Old: both.Releasing([]string{"App"})}, groups, "", "delete group in the cleanup"},
		"the group was adopted":                  {plan.Change{New: alone, Old: both.Releasing([]string{"App"})}, with(groups, "App", taken), "", "release group in the cleanup"},
		"it is marked already":                   {plan.Change{New: alone, Old: both.Releasing([]string{"App"})}, with(groups, "App", marked), "", "release group in the cleanup"},
		"nothing is to be released any more":     {plan.Change{New: alone, Old: both}, with(groups, "App", marked), "untag App sgchain:release", "delete group in the cleanup"},
		"the tier is in the chain again":         {plan.Change{New: both, Old: alone.Releasing([]string{"Db"})}, with(groups, "App", marked), "untag App sgchain:release", "keep"},
		"the removal of the tier is taken back":  {plan.Change{New: both, Old: alone, Rollback: true}, with(groups, "App", marked), "untag App sgchain:release", "keep"},
		"a rollback removes what was added":      {plan.Change{New: alone, Old: both.Releasing([]string{"App"}), Rollback: true}, groups, "", "delete group in the cleanup"},
		"a run that only adds takes off no less": {plan.Change{New: both, Old: both, Rollback: true}, with(groups, "App", fated), "untag App sgchain:release", "keep"},
		"an orphaned group stays marked":         {plan.Change{New: alone, Old: alone}, with(groups, "App", marked), "", "release group once nothing uses it"},
	} {
		goal := plan.Goal(test.change, test.current, second)
		todo := plan.Diff(test.current, goal)
		var steps []string
		for _, step := range todo.Steps {
			if step.Phase != plan.Retag || (len(step.Tags) == 0 && step.Action == plan.RetagGroup) {
				continue
			}
			text := string(step.Action) + " " + step.Group.Tier
			for _, tag := range step.Tags {
				if text += " " + tag.Key; tag.Value != "" {
					text += `="` + tag.Value + `"`
				}
			}
			steps = append(steps, text)
		}
		if got := strings.Join(steps, "\n"); got != test.steps {
			t.Errorf("%s: got %q, want %q", name, got, test.steps)
		}
		for _, fate := range plan.Fates(test.change, test.current) {
			if text := fate.Text(""); fate.Tier == "App" && fate.Fate != plan.Created && !strings.Contains(text, test.fate) {
				t.Errorf("%s: %s, want %s", name, text, test.fate)
			}
		}
		if again := plan.Diff(goal, plan.Goal(test.change, goal, second)); !again.Empty() {
			t.Errorf("%s: the goal is not its own goal:\n%s", name, again)
		}
		cleanup := plan.Cleanup(test.change, goal)
		if isReleased := cleanup.Count(plan.ReleaseGroup) > 0; isReleased != (test.fate == "release group in the cleanup") || cleanup.Count(plan.RetagGroup) > 0 {
			t.Errorf("%s: the cleanup is\n%s", name, cleanup)
		}
	}
}
