package provider

import (
	"context"
	"log/slog"
	"slices"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/fence"
	"sgchain/lambda/internal/sg"
)

// remove serves Delete. It reads nothing of the properties: a Create that was refused for
// them is followed by a Delete with the same ones, and whether a cleanup brings the old ones
// or the new ones is not documented.
func (r *run) remove(ctx context.Context) error {
	var newest chain.Tag
	var scope fence.Scope
	judge := func(now fence.Reading) error {
		verdict, err := fence.Judge(r.request, now, newest)
		if err == nil {
			scope = verdict
		}
		return err
	}
	// Groups that are not shown may not be shown yet.
	reading, observed, err := r.look(ctx, nil, nil, func(seen sg.Observed) bool { return len(seen.State.Groups) == 0 })
	if err != nil {
		return err
	}
	newest = observed.State.Newest()
	if err = judge(reading); err != nil {
		if !r.FenceOnlyLogs {
			return err
		}
		scope = fence.JudgeOnEmulator(r.request, newest)
		r.log.Warn("the fence only logs", slog.String("over", err.Error()), slog.String("scope", scope.String()))
	}
	chosen := scope
	isOlder := func(chain.Group) bool { return false }
	if chosen == fence.ForGood && fence.Ambiguous(r.request, reading) {
		// Nobody made this resource anew: what was adopted before is in a chain that lives.
		isOlder = func(group chain.Group) bool {
			return group.Tag == newest && group.Adoption.IsBefore(stamp(reading.Updated))
		}
	}
	r.log.Info("delete", slog.String("scope", chosen.String()))
	lease := fence.Hold(ctx, reading, r.reader.Read, r.judge(judge), r.log)
	defer lease.Release()
	r.edge.Gate = lease
	return r.edge.Remove(ctx, observed, sg.Removal{
		Doomed: func(state chain.State) [][]chain.Identity {
			groups := slices.DeleteFunc(slices.Clone(state.Groups), isOlder)
			return doomed(chain.State{Groups: groups}, chosen, r.event.PhysicalResourceID)
		},
		Back: isBack(reading), Owes: chosen == fence.Cleanup,
	})
}

// doomed picks the groups that a Delete removes, in turns: those of other
// physical IDs before those of its own, so that a retry finds the same ID to be
// the newest.
func doomed(state chain.State, scope fence.Scope, physicalID string) [][]chain.Identity {
	var others, own []chain.Identity
	for _, group := range state.Groups {
		switch {
		case group.Tag.PhysicalID == physicalID:
			own = append(own, group.Identity)
		case scope == fence.ForGood:
			others = append(others, group.Identity)
		}
	}
	var turns [][]chain.Identity
	for _, turn := range [][]chain.Identity{others, own} {
		if len(turn) > 0 {
			turns = append(turns, turn)
		}
	}
	return turns
}
