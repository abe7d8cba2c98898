package sg

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

const (
	// readPatience is how long a read may lag behind this run's writes
	// before they are repeated.
	readPatience = 20 * time.Second
	// undoPatience is how long a failed run tries to remove what it created. The
	// rollback finds the rest by its tags.
	undoPatience = 30 * time.Second
	// maxRounds is how often a chain is planned again while others change it.
	maxRounds = 8
)

// Target is what a chain should become.
type Target struct {
	Change plan.Change
	// PhysicalID is the physical ID that the live groups get.
	PhysicalID string
	Quota      plan.Quota
	// Ineffective describes, for messages, what the chain asks for without effect.
	Ineffective []string
	// Confirm, which may be nil, returns an error at the end if a move must be undone.
	Confirm func(context.Context) error
}

// Goal returns the state that the chain must reach, given an observation. It computes the tag
// from each observation again. Otherwise one that lacks the newest group would leave the
// chain with too low a generation.
func (w Target) Goal(observed chain.State) chain.State {
	return plan.Goal(w.Change, observed, observed.NextEpoch(w.PhysicalID))
}

// Plan returns the steps to the goal and warnings about unusual ordering. It fails if the
// change would be refused.
func (e *Edge) Plan(ctx context.Context, query Query, target Target, observed Observed) (plan.Plan, []string, error) {
	return newApplication(e, nil, query, observed).plan(ctx, &target, observed, false)
}

// Result is a chain that has reached its goal.
type Result struct {
	Observed Observed
	// Wrote is set if anything had to be changed.
	Wrote bool
	// Warnings lists what had to be done in an unusual order.
	Warnings []string
}

// Converge applies plans until an observation shows that the chain has reached the goal.
// If it fails, it removes the groups that it created, unless the gate is shut.
func (e *Edge) Converge(ctx context.Context, gate Gate, query Query, target Target, observed Observed) (Result, error) {
	run := newApplication(e, gate, query, observed)
	run.old, run.from = target.Change.Old, target.Change.From
	result, err := run.converge(ctx, target, observed)
	if err == nil {
		return result, nil
	}
	if undo := run.undo(ctx); undo != nil {
		e.Log.Warn("undo failed; a later run finds the groups by their tags", slog.String("error", undo.Error()))
	}
	return Result{}, err
}

func (a *application) converge(ctx context.Context, target Target, observed Observed) (Result, error) {
	a.isRollback = target.Change.Rollback
	a.retires = func(identity chain.Identity) bool { return target.Change.Standing(identity) == plan.Retired }
	lag := lagging{}
	var result Result
	var refused refusal // the last plan that EC2 refused
	for round := 0; ; {
		todo, warnings, err := a.plan(ctx, &target, observed, result.Wrote)
		if err != nil {
			return Result{}, err
		}
		if todo.Empty() {
			isSettled, now, err := a.settle(ctx, target, observed)
			if err != nil {
				return Result{}, err
			}
			if observed = now; !isSettled {
				continue
			}
			result.Observed = observed
			result.Warnings = append(result.Warnings, a.rollback.warnings...)
			return result, nil
		}
		overlooked, err := a.overlooks(ctx, todo)
		if err != nil {
			return Result{}, err
		}
		same := refused.isOf(todo)
		isHopeless := same && !lag.lasts(refused.patience)
		switch {
		case isHopeless && !overlooked:
			return Result{}, refused.cause
		case (overlooked || a.repeats(todo)) && lag.patient():
			if err = lag.wait(ctx); err != nil {
				return Result{}, errors.Join(&DriftError{LogicalID: a.Owner.Resource.LogicalID, Rest: todo}, err)
			}
		case overlooked:
			return Result{}, &LaggingError{LogicalID: a.Owner.Resource.LogicalID}
		case round >= maxRounds:
			return Result{}, &DriftError{LogicalID: a.Owner.Resource.LogicalID, Rest: todo}
		default:
			if !same {
				round++
				lag = lagging{}
			}
			a.logPlan(ctx, target, observed, round, todo)
			result.Wrote = true
			result.Warnings = append(result.Warnings, warnings...)
			if refused, err = a.applyUnlessStale(ctx, todo, &lag); err != nil {
				return Result{}, err
			}
		}
		if observed, err = a.observeAgain(ctx); err != nil {
			return Result{}, err
		}
	}
}

// plan returns the steps to the goal, and warnings about those in an unusual order. It fails
// if the change is impossible.
func (a *application) plan(ctx context.Context, target *Target, observed Observed, wrote bool) (todo plan.Plan, warnings []string, err error) {
	goal := target.Goal(observed.State)
	if err = plan.OwnGroups(target.Change, observed.GroupIDs); err != nil {
		return plan.Plan{}, nil, err
	}
	if err = target.Change.TagRoom(observed.State, wrote); err != nil {
		return plan.Plan{}, nil, err
	}
	todo = plan.Diff(observed.State, goal)
	if err = a.checkOnlyMoves(*target, todo, goal); err != nil {
		return plan.Plan{}, nil, err
	}
	if err = a.checkNotMoved(ctx, target.Change, observed, wrote); err != nil {
		return plan.Plan{}, nil, err
	}
	if conflicts := todo.NameConflicts(observed.State); len(conflicts) > 0 {
		return plan.Plan{}, nil, &RenameError{NameConflict: conflicts[0]}
	}
	// Orphaned or edited groups may have rules with lists that neither chain names.
	if unknown := todo.UnknownLists(observed.State, target.Quota); len(unknown) > 0 {
		found, err := a.lookUpLists(ctx, listIDFilter, unknown)
		if err != nil && !target.Change.Rollback {
			return plan.Plan{}, nil, err
		}
		for _, id := range unknown { // one that no longer exists counts as one rule
			found = append(found, chain.PrefixList{ID: id})
		}
		target.Quota.Lists = slices.Concat(target.Quota.Lists, found)
	}
	todo, warnings, err = a.fit(ctx, target, todo, observed.State, goal)
	if tight, ok := errors.AsType[*plan.QuotaError](err); ok {
		tight.Wrote = wrote
	}
	return todo, warnings, err
}

// hasCreated reports whether this run created a group: no network interface uses it yet.
func (a *application) hasCreated(identity chain.Identity) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Contains(a.created, identity)
}

// logPlan logs a plan, and the steps that follow it in the cleanup.
func (a *application) logPlan(ctx context.Context, target Target, observed Observed, round int, todo plan.Plan) {
	if !a.Log.Enabled(ctx, slog.LevelInfo) {
		return // the rest costs more than the line itself
	}
	fields := []any{slog.Int("round", round), slog.Any("plan", Logged(todo.String, plan.LogBytes))}
	if cleanup := plan.Cleanup(target.Change, target.Goal(observed.State)); !cleanup.Empty() {
		fields = append(fields, slog.Any("cleanup", Logged(cleanup.String, plan.LogBytes/2)))
	}
	a.Log.Info("plan", append(fields, slog.String("groups", plan.FateList(target.Change, observed.State)))...)
}

// refusal is a plan that EC2 refused because the plan's view was stale.
type refusal struct {
	plan     string
	cause    error
	patience time.Duration // how long the plan is retried
}

// isOf reports whether EC2 refused this plan.
func (r refusal) isOf(todo plan.Plan) bool { return r.plan != "" && todo.String() == r.plan }

// applyUnlessStale applies a plan. If the plan's view was stale, it waits a little: the
// observation lagged, or parts of EC2 do not know a new group yet.
func (a *application) applyUnlessStale(ctx context.Context, todo plan.Plan, lag *lagging) (refusal, error) {
	err := a.apply(ctx, todo)
	if !errors.Is(err, errStaleView) {
		return refusal{}, err
	}
	a.Log.Info("observing again", slog.String("because", err.Error()))
	refused := refusal{plan: todo.String(), cause: err, patience: readPatience}
	if call, ok := errors.AsType[*CallError](err); ok {
		refused.cause = call
	}
	if peers, ok := errors.AsType[*PeerError](err); ok {
		refused.cause, refused.patience = peers, peerPatience
	}
	return refused, lag.wait(ctx)
}

// observeAgain observes the result of the run's writes.
func (a *application) observeAgain(ctx context.Context) (Observed, error) {
	a.mu.Lock()
	known := Observed{GroupIDs: maps.Clone(a.groupIDs)}.without(a.vanished)
	a.mu.Unlock()
	observed, err := a.ObserveAgain(ctx, a.query, known)
	if err != nil {
		return Observed{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.groupIDs, a.vanished, a.observedAt = maps.Clone(observed.GroupIDs), nil, observed.at
	return observed, nil
}

// overlooks reports whether the plan would revoke a rule that names a group of this chain
// which the observation lacked. It asks EC2 for the groups by ID, and makes no call if the
// plan revokes no such rule. Groups of another account are never the chain's.
func (a *application) overlooks(ctx context.Context, todo plan.Plan) (bool, error) {
	var ids []string
	for _, step := range todo.Steps {
		for _, rule := range step.Rules {
			if step.Action == plan.RevokeRules && rule.Peer.Kind == chain.PeerGroup && rule.Peer.Account == "" {
				ids = append(ids, rule.Peer.ID)
			}
		}
	}
	if len(ids) == 0 {
		return false, nil
	}
	groups, err := a.describe(ctx, filter(groupIDFilter, ids...))
	if err != nil {
		return false, &CallError{Doing: "describing security groups (" + capped(ids) + ")", Err: err}
	}
	return slices.ContainsFunc(groups, a.Owner.owns), nil
}

// repeats reports whether the plan has a change that this run has already made: the
// observation lags, or another principal reverted the change.
func (a *application) repeats(todo plan.Plan) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(todo.Steps, func(step plan.Step) bool {
		return slices.ContainsFunc(changes(step), func(change change) bool { return a.applied[change] })
	})
}
