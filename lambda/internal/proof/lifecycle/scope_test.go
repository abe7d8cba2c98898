package lifecycle_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sgchain/lambda/internal/proof/lifecycle"
)

// shapes returns chains of different kinds: explicit and generated names, every egress, every kind
// of peer, and loops. From one to another, tiers appear, leave, move and are replaced.
func shapes() []lifecycle.Chain {
	rule := func(port int, sources ...string) []lifecycle.Rule {
		return []lifecycle.Rule{{Port: port, Peers: sources}}
	}
	tier := func(name, egress string, rules []lifecycle.Rule) lifecycle.Tier {
		return lifecycle.Tier{Name: name, Egress: egress, Inbound: rules}
	}
	replaced := func(t lifecycle.Tier) lifecycle.Tier {
		t.Text = "second"
		return t
	}
	named := func(t lifecycle.Tier) lifecycle.Tier {
		t.Named = true
		return t
	}
	a, b, c := tier("A", "all", rule(443, "internet")), tier("B", "all", rule(6060, "A")), tier("C", "all", rule(80, "B"))
	strictA, strictB := tier("A", "chain", rule(443, "internet")), tier("B", "chain", rule(6060, "A"))
	chains := [][]lifecycle.Tier{
		{a},
		{a, b},
		{a, b, c},
		{a, replaced(b)},
		{replaced(a), replaced(b)},
		{named(a), named(b)},
		{strictA, strictB},
		{strictA, strictB, tier("C", "none", rule(80, "B"))},
		{tier("A", "chain", rule(443, "B")), tier("B", "chain", rule(6060, "A"))},
		{tier("A", "none", rule(443, "203.0.113.0/24")), tier("B", "all", rule(80, "self"))},
		{tier("A", "all", nil), tier("C", "all", rule(80, "A", "internet"))},
		{b, a}, // the loop is closed below
		{tier("A", "all", rule(443, "10.0.0.0/8")), replaced(strictB), named(c)},
	}
	chains[11][0].Inbound = rule(6060, "A", "self")
	var all []lifecycle.Chain
	for _, tiers := range chains {
		all = append(all, lifecycle.Chain{Tiers: tiers})
	}
	// Everything that only EC2 knows, both IP families, tags and outbound rules.
	listed := tier("A", "chain", rule(443, "internet", "pl-0123456789abcdef0"))
	listed.Outbound, listed.Tags = rule(443, "com.amazonaws.us-east-1.remote"), map[string]string{"Team": "a"}
	return append(all, lifecycle.Chain{
		IPv6: true, Tags: map[string]string{"Cost": "b"}, Tiers: []lifecycle.Tier{listed, tier("B", "none", rule(6060, "A", "vpc", "list/office", "group/default"))},
	})
}

// TestSmallScope covers a small scope completely: every pair of chain shapes, every call of the
// Update between them, every kind of fault, and every continuation. It uses only a few shapes
// unless SOAK_SCOPE is "all".
func TestSmallScope(t *testing.T) {
	chains := shapes()
	if os.Getenv("SOAK_SCOPE") != "all" { //nolint:forbidigo // passed by make soak
		chains = chains[:4]
	}
	if testing.Short() {
		chains = chains[:2]
	}
	// The newer kinds of fault are only tried between the first shapes.
	type pair struct {
		old, now lifecycle.Chain
		kinds    []string
	}
	pairs := make(chan pair, len(chains)*len(chains))
	for i, old := range chains {
		for j, now := range chains {
			kinds := lifecycle.Kinds()
			if i < 4 && j < 4 {
				kinds = append(kinds, lifecycle.LaterKinds()...)
			}
			if !reflect.DeepEqual(old, now) {
				pairs <- pair{old, now, kinds}
			}
		}
	}
	close(pairs)
	count := len(pairs)
	var histories, calls, violations atomic.Int64
	since := used()
	var once sync.Once
	t.Run("all", func(t *testing.T) {
		for range 2 {
			t.Run("half", func(t *testing.T) {
				t.Parallel()
				for one := range pairs {
					created := prologue(t, lifecycle.History{Steps: scope(one.old, one.now, lifecycle.Fault{}, "retry")[:1]})
					undisturbed := continueFrom(t, created, scope(one.old, one.now, lifecycle.Fault{}, "retry")[1:])
					if undisturbed.Failure != nil || len(undisturbed.Runs) < 2 {
						t.Errorf("%v to %v: %v", one.old, one.now, undisturbed.Failure)
						return
					}
					calls.Add(int64(undisturbed.Runs[1]))
					for call := 1; call <= undisturbed.Runs[1]; call++ {
						for _, kind := range one.kinds {
							for _, follow := range []string{"retry", "rollback", "delete"} {
								history := lifecycle.History{Steps: scope(one.old, one.now, lifecycle.Fault{Call: call, Kind: kind, Pick: call, Seconds: 3}, follow)}
								histories.Add(1)
								if out := continueFrom(t, created, history.Steps[1:]); out.Failure != nil {
									violations.Add(1)
									once.Do(func() { reportShortest(t, history) })
									return
								}
							}
						}
					}
				}
			})
		}
	})
	t.Logf("%d shapes, %d pairs, %d calls, %d histories", len(chains), count, calls.Load(), histories.Load())
	t.Log("small scope: " + cost(int(histories.Load())+count, int(violations.Load()), since))
}

// scope returns a Create, an Update with a fault, and what follows it.
func scope(old, now lifecycle.Chain, fault lifecycle.Fault, follow string) []lifecycle.Step {
	update := lifecycle.Step{Do: "update", Chain: now, Rest: 400}
	if fault.Call > 0 {
		update.Mishaps = []lifecycle.Mishap{{Faults: []lifecycle.Fault{fault}}}
	}
	steps := []lifecycle.Step{{Do: "create", Chain: old, Rest: 400}, update}
	switch follow {
	case "rollback":
		steps[1].SiblingFails = true
	case "delete":
		steps[1].NoRollback, steps[1].Rest = true, 1
	default:
		steps = append(steps, lifecycle.Step{Do: "update", Chain: now, Rest: 400})
	}
	return steps
}

// reportShortest shrinks a history and prints its story.
func reportShortest(t *testing.T, history lifecycle.History) {
	t.Helper()
	short := lifecycle.Shrink(history, func(h lifecycle.History) bool { return play(t, h, false).Failure != nil })
	out := play(t, short, true)
	text, err := json.Marshal(short)
	if err != nil {
		t.Fatal(err)
	}
	t.Errorf("%v\n%s\n%s", out.Failure, text, strings.Join(out.Story, "\n"))
}
