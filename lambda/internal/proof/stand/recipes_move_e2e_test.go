//go:build e2e

package stand_test

import (
	"context"
	"maps"
	"strings"
	"testing"

	"sgchain/lambda/internal/proof/stand"
)

// sameGroups compares groups by tier with the previous ones: their IDs, and every rule with its ID.
func sameGroups(t *testing.T, when string, got, want map[string]stand.Group) {
	t.Helper()
	rules := func(groups map[string]stand.Group) map[string]string {
		found := map[string]string{}
		for tier, group := range groups {
			for _, rule := range group.Rules {
				found[tier] += group.ID + " " + rule.ID + " " + rule.String() + "\n"
			}
		}
		return found
	}
	if len(want) != 3 || !maps.Equal(rules(got), rules(want)) {
		t.Errorf("%s there are %v, and there were %v", when, rules(got), rules(want))
	}
}

func playMove(ctx context.Context, t *testing.T, r *recipeRun) {
	r.ownProvider(ctx, t, "Mover")
	s := r.served(ctx, t)
	before := s.tiers(ctx, t)
	r.sh(ctx, t)
	r.yaml(t)
	r.sh(ctx, t)
	sameGroups(t, "after the move to another logical ID", s.tiers(ctx, t), before)

	r.examples = append(r.examples, "Stack: Shop", "Stack: "+s.name)
	r.yaml(t)
	r.sh(ctx, t)
	sameGroups(t, "after the move to another stack", s.tiers(ctx, t), before)
	r.sh(ctx, t)
	after := s.tiers(ctx, t)
	sameGroups(t, "after the old stack's delete", after, before)
	if owner := after["Web"].Tags["sgchain:stack-id"]; !strings.Contains(owner, ":stack/Front/") || after["Web"].Tags["sgchain:logical-id"] != "EdgeChain" {
		t.Errorf("the groups have the tags %v", after["Web"].Tags)
	}
}

// former moves the chain to a new provider. The old provider's function no longer exists, and for the
// new provider neither does its stack.
func (r *recipeRun) former(ctx context.Context, t *testing.T, s, provider launched) {
	t.Helper()
	before := s.tiers(ctx, t)
	if said := r.sh(ctx, t); !strings.Contains(said, ":stack/"+provider.name+"/") {
		t.Errorf("the former provider is %s", said)
	}
	r.yaml(t)
	r.sh(ctx, t)
	r.examples = append(r.examples, "arn:aws:cloudformation:eu-central-1:111122223333:stack/SecurityGroupChainProvider/6b1e1c10-0000-11ee-8c99-0242ac120002", r.variable(ctx, t, "FORMER"))
	r.yaml(t)
	r.sh(ctx, t)
	sameGroups(t, "after the take-over", s.tiers(ctx, t), before)
	if owner := s.tiers(ctx, t)["Db"].Tags["sgchain:provider"]; !strings.Contains(owner, ":stack/NewProvider/") {
		t.Errorf("the groups are the provider's %s", owner)
	}
}
