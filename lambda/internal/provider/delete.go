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
	reading, observed, err := r.look(ctx, view{isDoubtful: showsNothing})
	if err != nil {
		return err
	}
	newest, err := r.newest(ctx, observed)
	if err != nil {
		return err
	}
	scope, err := fence.Judge(r.request, reading, newest)
	if err != nil {
		if !r.FenceOnlyLogs {
			return err
		}
		scope = fence.JudgeOnEmulator(r.request, newest)
		r.log.Warn("the fence only logs", slog.String("over", err.Error()), slog.String("scope", scope.String()))
	}
	isOlder := func(chain.Group) bool { return false }
	if scope == fence.ForGood && fence.Ambiguous(r.request, reading) {
		// Nobody made this resource anew: what was adopted before is in a chain that lives. So is what was adopted in an
		// operation that is not taken back, in which an Update went from an ID that is none of ours to one that is.
		isOlder = func(group chain.Group) bool {
			_, isMoved := chain.FormerOf(group.Tags) // a Create takes over what was adopted long before it
			lives := !isBack(reading) || (!isMoved && group.Adoption.IsBefore(stamp(reading.Updated)))
			return group.Epoch == newest && group.Adoption.IsForeign() && lives
		}
	}
	r.log.Info("delete", slog.String("scope", scope.String()))
	var back []chain.Identity
	if scope == fence.ForGood {
		if back, err = r.giveBack(ctx, reading, observed); err != nil {
			return err
		}
	}
	lease := fence.Hold(ctx, reading, r.reader.Read, r.judge(func(now fence.Reading) error {
		return fence.Rejudge(r.request, now, newest, scope)
	}), r.log)
	defer lease.Release()
	return r.edge.Remove(ctx, lease, sg.Query{}, observed, sg.Leave{
		Targets: func(state chain.State) [][]chain.Identity {
			groups := slices.DeleteFunc(slices.Clone(state.Groups), isOlder)
			return leaving(chain.State{Groups: groups}, scope, r.event.PhysicalResourceID)
		},
		Rollback: isBack(reading), MembersMoving: scope == fence.Cleanup, Returned: back,
	})
}

// newest is the newest epoch of the groups, and of those that another chain took over: what the chain left behind before that goes with
// its last Delete.
func (r *run) newest(ctx context.Context, observed sg.Observed) (chain.Epoch, error) {
	newest := observed.State.Newest()
	isRequested := func(group chain.Group) bool { return group.Epoch.PhysicalID == r.event.PhysicalResourceID }
	if !r.Moves || len(observed.State.Groups) == 0 || slices.ContainsFunc(observed.State.Groups, isRequested) {
		return newest, nil
	}
	away, err := r.edge.NewestAway(ctx)
	if away.Generation > newest.Generation {
		newest = away
	}
	return newest, err
}

// showsNothing doubts a view without groups: they may not be shown yet.
func showsNothing(seen chain.State) bool { return len(seen.Groups) == 0 }

// leaving picks the groups that a Delete removes, in turns: those of other
// physical IDs before those of its own, so that a retry finds the same ID to be
// the newest.
func leaving(state chain.State, scope fence.Scope, physicalID string) [][]chain.Identity {
	var others, own []chain.Identity
	for _, group := range state.Groups {
		switch {
		case group.Epoch.PhysicalID == physicalID:
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
