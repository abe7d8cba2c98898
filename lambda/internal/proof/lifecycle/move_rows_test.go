package lifecycle_test

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sgchain/lambda/internal/proof/lifecycle"
)

// moved returns a history in which a chain moves, and more steps after that.
func moved(how lifecycle.Move, disturbed lifecycle.Step, steps ...lifecycle.Step) lifecycle.History {
	disturbed.Do, disturbed.Move, disturbed.Rest = "move", &how, 400
	history := created(append([]lifecycle.Step{disturbed}, steps...)...)
	history.Moves = true
	return history
}

// hung is a Create that CloudFormation gives up while its run waits for an answer of EC2.
var hung = lifecycle.Mishap{Cancel: 3, Faults: []lifecycle.Fault{{Call: 2, Kind: "hang", Seconds: 30}}}

// at is an event with a fault.
func at(call int, kind string) []lifecycle.Mishap {
	return []lifecycle.Mishap{{Faults: []lifecycle.Fault{{Call: call, Kind: kind}}}}
}

// moveRows returns the rows of chains that move. They move within the stack to the resource Moved,
// or to a resource of the same name in the stack Store.
func moveRows() []row {
	beside, away, none := lifecycle.Move{To: "beside"}, lifecycle.Move{To: "away"}, lifecycle.Step{}
	way := func(to, way string) lifecycle.Move { return lifecycle.Move{To: to, Way: way} }
	next := func(how lifecycle.Move) lifecycle.Step {
		return lifecycle.Step{Do: "move", Move: &how, Rest: 400}
	}
	lagging := moved(beside, none)
	lagging.World = lifecycle.Setting{Lag: 3, TagLag: 2, PageSize: 1}
	invents := moved(beside, lifecycle.Step{SiblingFails: true})
	invents.Habits.InventsAlways = true
	byName := moved(lifecycle.Move{To: "away", ByName: true}, none, lifecycle.Step{Do: "update", Chain: third, Rest: 400})
	events := func(end string, sent ...string) []string {
		return slices.Concat([]string{"Create"}, sent, []string{lifecycle.End}, slices.DeleteFunc([]string{end}, func(one string) bool { return one == "" }))
	}
	const ( // IDs are named in the order in which events show them
		x, here, there         = "Delete X", "Delete Y (Moved)", "Delete Y (Store)"
		y, undone, undoneThere = "Delete Y", "Delete X (Moved)", "Delete X (Store)"
	)
	all := []row{
		{name: "moved", title: "the chain moves to another resource of its stack", history: moved(beside, none), sent: events(here, "Create (Moved)", x)},
		{name: "moved to a stack", title: "the chain moves to another stack, and is then removed from its own", history: moved(away, none), sent: events(there, "Create (Store)", x)},
		{name: "moved, kept before", title: "the same; before, it was removed with DeletionPolicy: Retain", history: moved(way("away", "kept"), none), sent: events(undoneThere, "Create (Store)")},
		{name: "moved, kept by its stack", title: "the same; before, its stack was deleted with DeletionPolicy: Retain", history: moved(way("away", "kept, stack gone"), none), sent: events(undoneThere, "Create (Store)")},
		{name: "moved, stack deleted", title: "the same; its own stack is deleted afterwards", history: moved(way("away", "stack deleted"), none), sent: events(there, "Create (Store)", x)},
		{name: "moved by name", title: "MovedFrom has the name of the stack; the chain is updated after the move", history: byName, sent: events(there, "Create (Store)", x, "Update Y (Store)")},
		{name: "moved, another fails", title: "a resource fails after the move within a stack", history: moved(beside, lifecycle.Step{SiblingFails: true}), sent: events(y, "Create (Moved)", undone)},
		{name: "moved, another fails, invented", title: "the same; the Delete has an invented ID", history: invents, sent: events(x, "Create (Moved)", "Delete I (Moved)")},
		{name: "moved to a stack, another fails", title: "a resource fails after the move to another stack", history: moved(away, lifecycle.Step{SiblingFails: true}), sent: events(y, "Create (Store)", undoneThere)},
		{name: "moved, cancelled", title: "the Create of a move is cancelled while it runs", history: moved(beside, lifecycle.Step{Mishaps: []lifecycle.Mishap{hung}}), sent: events(x, "Create (Moved)", "Delete I (Moved)")},
		{name: "moved, denied", title: "the role lacks the permission to move", history: moved(beside, lifecycle.Step{Mishaps: at(2, "unauthorized")}), sent: events(y, "Create (Moved)", undone)},
		{name: "moved, crashed", title: "the function dies after the groups have moved, and Lambda retries it", history: moved(beside, lifecycle.Step{Mishaps: at(2, "crash after")}), sent: events(here, "Create (Moved)", x)},
		{name: "moved, twice at once", title: "the Create of a move is delivered twice", history: moved(beside, lifecycle.Step{Mishaps: []lifecycle.Mishap{{Again: []int{0}}}}), sent: events(here, "Create (Moved)", "Create (Moved) again", x)},
		{name: "moved, reads lag", title: "reads show old groups and tags", history: lagging, sent: events(here, "Create (Moved)", x)},
		{name: "moved, status behind", title: "the stack's status is shown late, and the move is refused", history: moved(beside, lifecycle.Step{Mishaps: []lifecycle.Mishap{{Behind: 2}, {Behind: 2}}}), sent: events(y, "Create (Moved)", undone)},
		{name: "moved, left", title: "the old resource stays in the template, its update is refused, and it is removed later", history: moved(way("beside", "left and updated"), none), sent: events(here, "Create (Moved)", "Update X", "Update X", x)},
		{name: "moved, left in a stack", title: "the same between stacks; before, the new chain is updated", history: moved(way("away", "left, both updated"), none), sent: events(undoneThere, "Create (Store)", "Update X (Store)", "Update Y", "Update Y", y)},
		{name: "moved, undone", title: "the new resource is removed while the old one exists", history: moved(way("beside", "left and undone"), none), sent: events(y, "Create (Moved)", undone)},
		{name: "moved, place used again", title: "another chain is created in the old place", history: moved(lifecycle.Move{To: "beside", Reuses: true}, none), sent: append(events(y, "Create (Moved)", x, "Create"), "Delete Z (Moved)"), left: []string{`A "another"`, `B "another"`}},
		{name: "moved, updated meanwhile", title: "the old chain is updated after its groups have moved: the move is undone, and the update completes", history: moved(lifecycle.Move{To: "away", Way: "while it changes", Late: 2000}, lifecycle.Step{Pick: 1}), sent: events(x, "Create (Store)", "Update X", there)},
		{name: "moved twice", title: "to another resource, then to another stack", history: moved(beside, none, next(away)), sent: events("Delete Z (Store)", "Create (Moved)", x, "Create (Store)", here)},
		{name: "moved there and back", title: "to another resource and back", history: moved(beside, none, next(beside)), sent: events(x, "Create (Moved)", x, "Create", here)},
	}
	for i := range all {
		all[i].left = append(all[i].left, `App "first"`, `Web "Security group of tier Web"`)
		slices.Sort(all[i].left)
	}
	return append(all, row{
		name: "moved, place used again, removed", title: "the same; then the moved chain is removed, and the other one does not get its groups",
		history: moved(lifecycle.Move{To: "beside", Reuses: true}, none, lifecycle.Step{Do: "remove", Rest: 400}),
		sent:    events("Delete Z", "Create (Moved)", x, "Create", "Delete Y (Moved)"), left: []string{`A "another"`, `B "another"`},
	})
}

// scopedMove is a move within a stack or to another one, which succeeds or is undone.
type scopedMove struct {
	how  lifecycle.Move
	back bool
}

func scopedMoves() []scopedMove {
	var all []scopedMove
	for _, way := range []string{"", "kept", "kept, stack gone", "stack deleted", "left and undone"} {
		for _, to := range []string{"beside", "away"} {
			how := lifecycle.Move{To: to, Way: way}
			all = append(all, scopedMove{how, false}, scopedMove{how, true})
		}
	}
	return all
}

// disturbed lists the steps of a move, each with one fault: every kind at every call of its first
// two events. The steps after the move follow. runs is the number of calls of each run of the
// undisturbed move.
func (m scopedMove) disturbed(steps []lifecycle.Step, runs []int, kinds []string) [][]lifecycle.Step {
	var all [][]lifecycle.Step
	for event := range 2 {
		if event == 1 && strings.HasPrefix(m.how.Way, "kept") {
			continue // a Delete that fails for good deletes the groups there: no template has them
		}
		for call := 1; call <= runs[1+event]; call++ {
			for _, kind := range kinds {
				one := slices.Clone(steps)
				one[0].Mishaps = append(make([]lifecycle.Mishap, event), lifecycle.Mishap{Faults: []lifecycle.Fault{{Call: call, Kind: kind, Pick: call, Seconds: 3}}})
				all = append(all, one)
			}
		}
	}
	return all
}

// TestMoveScope covers a small scope completely: every kind of fault at every call of a move's
// Create and of the Delete after it. The move succeeds or is undone, and an update follows.
func TestMoveScope(t *testing.T) {
	kinds := append(lifecycle.Kinds(), lifecycle.LaterKinds()...)
	if testing.Short() {
		kinds = []string{"crash", "crash after"}
	}
	moves := make(chan scopedMove, len(scopedMoves()))
	for _, one := range scopedMoves() {
		moves <- one
	}
	close(moves)
	var histories atomic.Int64
	var once sync.Once
	t.Run("all", func(t *testing.T) {
		for range 2 {
			t.Run("half", func(t *testing.T) {
				t.Parallel()
				start := created()
				start.Moves = true
				beginning := prologue(t, start)
				for one := range moves {
					steps := moved(one.how, lifecycle.Step{SiblingFails: one.back}, lifecycle.Step{Do: "update", Chain: second, Rest: 400}).Steps[1:]
					undisturbed := continueFrom(t, beginning, steps)
					if undisturbed.Failure != nil || len(undisturbed.Runs) < 3 {
						t.Errorf("%+v: %v, %v", one, undisturbed.Failure, undisturbed.Runs)
						return
					}
					for _, disturbed := range one.disturbed(steps, undisturbed.Runs, kinds) {
						histories.Add(1)
						if out := continueFrom(t, beginning, disturbed); out.Failure != nil {
							start.Steps = append(start.Steps[:1:1], disturbed...)
							once.Do(func() { reportShortest(t, start) })
							return
						}
					}
				}
			})
		}
	})
	t.Logf("%d moves, %d histories", len(scopedMoves()), histories.Load())
}

// TestMoveDuringUpdate updates the old chain in its own stack at each moment of a move to another
// stack, in steps of one EC2 call. The update changes a rule or replaces a group.
func TestMoveDuringUpdate(t *testing.T) {
	t.Parallel()
	start := created()
	start.Moves = true
	beginning := prologue(t, start)
	for late := 0; late <= 9000; late += 97 {
		for pick := range 2 {
			steps := moved(lifecycle.Move{To: "away", Way: "while it changes", Late: late}, lifecycle.Step{Pick: pick}).Steps[1:]
			if out := continueFrom(t, beginning, steps); out.Failure != nil {
				start.Steps = append(start.Steps[:1:1], steps...)
				reportShortest(t, start)
				return
			}
		}
	}
}

// TestMoveDeliveredTwice delivers the Create of a move twice, at once or seconds apart, with each
// kind of fault at each call of the first run. Neither delivery may return groups that the other
// has answered with.
func TestMoveDeliveredTwice(t *testing.T) {
	t.Parallel()
	start := created()
	start.Moves = true
	beginning := prologue(t, start)
	for _, to := range []string{"beside", "away"} {
		for _, again := range []int{0, 1, 2, 3, 5} {
			for call := 1; call <= 5; call++ {
				for _, kind := range lifecycle.Kinds() {
					fault := lifecycle.Fault{Call: call, Kind: kind, Pick: 3, Seconds: 5}
					steps := moved(lifecycle.Move{To: to}, lifecycle.Step{Mishaps: []lifecycle.Mishap{{Again: []int{again}, Faults: []lifecycle.Fault{fault}}}}).Steps[1:]
					if out := continueFrom(t, beginning, steps); out.Failure != nil {
						start.Steps = append(start.Steps[:1:1], steps...)
						reportShortest(t, start)
						return
					}
				}
			}
		}
	}
}
