package plan_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// missing reports whether a state lacks a group of another one.
func missing(state, other chain.State) bool {
	return slices.ContainsFunc(other.Groups, func(group chain.Group) bool { return !state.Has(group.Identity) })
}

// TestMoving takes over random chains. If the new chain is the same, the plan has only moves, and then nothing is left to do. If it is
// not, the plan has other steps.
func TestMoving(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		chains := []chain.State{drawState(rt, "old"), drawState(rt, "now")}
		wanted := chains[rapid.IntRange(0, 1).Draw(rt, "which")]
		start := built(chains[0], first)
		for i := range start.Groups {
			start.Groups[i].Movable = true
			if rapid.Bool().Draw(rt, "moved before") {
				start.Groups[i].Tags = maps.Clone(start.Groups[i].Tags)
				if start.Groups[i].Tags == nil {
					start.Groups[i].Tags = map[string]string{}
				}
				maps.Copy(start.Groups[i].Tags, chain.Former{Resource: chain.Resource{StackID: "older", LogicalID: "Oldest"}, Epoch: second, Provider: "gone"}.Marks())
			}
		}
		from := chain.Former{Resource: chain.Resource{StackID: "stack", LogicalID: "Old"}}
		change := plan.Change{New: wanted, Creating: true}.Moving(from)
		goal := plan.Goal(change, start, second)
		todo := plan.Diff(start, goal)
		there, other := built(chains[0], first), built(wanted, first)
		if missing(other, there) {
			return // a part of a chain: the provider refuses it
		}
		// EC2's own rule to ::/0 is no difference: an update of the same groups would keep it.
		update := plan.Diff(there, plan.Goal(plan.Change{New: wanted, Old: chains[0]}, there, first))
		differs := missing(there, other) || !update.Empty()
		if todo.Beyond().Empty() == differs {
			rt.Fatalf("the chains differ: %t, and the move is\n%s", differs, todo)
		}
		if differs {
			return
		}
		if moves := todo.Count(plan.MoveGroup); moves != len(start.Groups) {
			rt.Fatalf("%d of %d groups move:\n%s", moves, len(start.Groups), todo)
		}
		end := apply(start, todo)
		if rest := plan.Diff(end, plan.Goal(change, end, second)); !rest.Empty() {
			rt.Fatalf("after\n%sthere is still\n%s", todo, rest)
		}
		for _, group := range end.Groups {
			want := from
			want.Epoch = first
			if marked, ok := chain.FormerOf(group.Tags); !ok || marked != want || group.Epoch != second {
				rt.Fatalf("a moved group is %+v", group)
			}
		}
		// After the old chain is deleted, the next update records that, and the one after it has nothing to do.
		settled := plan.Change{New: wanted, Old: wanted, MovedForGood: true}
		end = apply(end, plan.Diff(end, plan.Goal(settled, end, second)))
		if _, isMoved := chain.FormerOf(end.Groups[0].Tags); isMoved || end.Groups[0].Tags[chain.TagMovedFrom] != chain.MovedForGood {
			rt.Fatalf("a move that is settled has the tags %v", end.Groups[0].Tags)
		}
		settled.MovedForGood = false
		if rest := plan.Diff(end, plan.Goal(settled, end, second)); !rest.Empty() {
			rt.Fatalf("after the move was settled there is still\n%s", rest)
		}
	})
}
