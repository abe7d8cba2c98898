package plan_test

import (
	"slices"
	"testing"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// A retired group keeps the rules that name an orphan, in both directions, as a live one
// does: both may still have members.
func TestGoalKeepsRulesOfRetiredGroupsThatNameOrphans(t *testing.T) {
	t.Parallel()
	web, app := tier("Web", "v", "chain", 443), tier("App", "a", "chain", 6060)
	before := built(desired(t, web, app), first)
	old := desired(t, tier("Web", "w", "chain", 443), app)
	for name, now := range map[string]chain.State{
		"replaced":     desired(t, tier("Web", "w", "chain", 443), tier("App", "b", "chain", 6060)),
		"left":         desired(t, tier("Web", "w", "chain", 443)),
		"both are new": desired(t, tier("Web", "x", "all", 80), tier("App", "b", "all", 7070)),
	} {
		change := plan.Change{New: now, Old: old}
		orphan, retired := before.Groups[0].Identity, before.Groups[1].Identity
		if orphan.Tier != "Web" {
			orphan, retired = retired, orphan
		}
		if change.Standing(orphan) != plan.Orphan || change.Standing(retired) != plan.Retired {
			t.Fatalf("%s: the groups are %v and %v", name, change.Standing(orphan), change.Standing(retired))
		}
		was, _ := before.Find(retired)
		kept, found := plan.Goal(change, before, second).Find(retired)
		if !found {
			t.Fatalf("%s: the retired group is gone", name)
		}
		for _, rule := range was.Rules {
			if rule.Peer == chain.MemberPeer(orphan) && !slices.Contains(kept.Rules, rule) {
				t.Errorf("%s: the retired group loses %s", name, rule)
			}
		}
		for _, step := range plan.Diff(before, plan.Goal(change, before, second)).Steps {
			if step.Action == plan.RevokeRules && (step.Group == retired || step.Group == orphan) {
				t.Errorf("%s: the plan revokes %v of %s", name, step.Rules, step.Group)
			}
		}
	}
}
