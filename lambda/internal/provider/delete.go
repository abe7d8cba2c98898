package provider

import (
	"context"
	"log/slog"
	"slices"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/fence"
	"sgchain/lambda/internal/sg"
)

// remove serves Delete. It does not read the properties. A Create that was refused for its
// properties is followed by a Delete with the same ones. Which ones a cleanup has, the old or the
// new, is not documented.
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
		// The resource was not created again, so what was adopted earlier is in a chain that still
		// exists. This also holds for an Update that replaced an ID that is not a chain's by one
		// that is, unless it is rolled back.
		isOlder = func(group chain.Group) bool {
			_, isMoved := chain.FormerOf(group.Tags) // a Create takes over groups that were adopted long before it
			lives := !isRollback(reading) || (!isMoved && group.Adoption.IsBefore(stamp(reading.Updated)))
			return group.Epoch == newest && group.Adoption.IsForeign() && lives
		}
	}
	r.log.Info("delete", slog.String("scope", scope.String()))
	var back []chain.Identity
	if scope == fence.ForGood {
		if back, err = r.groupsToReturn(ctx, reading, observed); err != nil {
			return err
		}
	}
	lease := fence.Hold(ctx, reading, r.reader.Read, r.judge(func(now fence.Reading) error {
		return fence.Rejudge(r.request, now, newest, scope)
	}), r.log)
	defer lease.Release()
	return r.edge.Remove(ctx, lease, sg.Query{}, observed, sg.RemoveOptions{
		Targets: func(state chain.State) [][]chain.Identity {
			groups := slices.DeleteFunc(slices.Clone(state.Groups), isOlder)
			return leaving(chain.State{Groups: groups}, scope, r.event.PhysicalResourceID)
		},
		Rollback: isRollback(reading), MembersMoving: scope == fence.Cleanup, Returned: back,
	})
}

// newest returns the newest epoch of the groups and of those that another chain took over. Orphaned
// groups from before the move are deleted by the chain's last Delete.
func (r *run) newest(ctx context.Context, observed sg.Observed) (chain.Epoch, error) {
	newest := observed.State.Newest()
	isRequested := func(group chain.Group) bool { return group.Epoch.PhysicalID == r.event.PhysicalResourceID }
	if !r.Moves || len(observed.State.Groups) == 0 || slices.ContainsFunc(observed.State.Groups, isRequested) {
		return newest, nil
	}
	away, err := r.edge.NewestMovedAway(ctx)
	if away.Generation > newest.Generation {
		newest = away
	}
	return newest, err
}

// showsNothing doubts a read without groups: EC2 may not show them yet.
func showsNothing(seen chain.State) bool { return len(seen.Groups) == 0 }

// leaving returns the groups that a Delete removes, in batches. Those of other physical IDs come
// first, so that a retry finds the same newest ID.
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
	var batches [][]chain.Identity
	for _, batch := range [][]chain.Identity{others, own} {
		if len(batch) > 0 {
			batches = append(batches, batch)
		}
	}
	return batches
}
