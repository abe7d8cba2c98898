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
	// readPatience is how long a read may lag behind what this run has written
	// before that is written again.
	readPatience = 20 * time.Second
	// undoPatience is how long a failed run tries to remove what it created. What
	// is left is found by its tags when CloudFormation rolls back.
	undoPatience = 30 * time.Second
	// maxRounds is how often a chain is planned anew while others change it.
	maxRounds = 8
)

// Target is what a chain should become.
type Target struct {
	Change plan.Change
	// PhysicalID is what the live groups are to belong to.
	PhysicalID string
	Quota      plan.Quota
	// Unserved is, for people, what the chain asks for and nothing comes of.
	Unserved []string
	// Confirm, which may be nil, says at the end why a move must not stand.
	Confirm func(context.Context) error
}

// Goal is what must hold at the end, as far as an observation tells. The tag is worked
// out from each observation anew: one that left out the newest group would otherwise
// give this chain too low a generation for good.
func (w Target) Goal(observed chain.State) chain.State {
	return plan.Goal(w.Change, observed, observed.NextEpoch(w.PhysicalID))
}

// Plan is what is to be done to bring the chain to the goal, in its order, and what of that
// is unusual. The error is what would have it refused.
func (e *Edge) Plan(ctx context.Context, query Query, target Target, observed Observed) (plan.Plan, []string, error) {
	return newApplication(e, nil, query, observed).plan(ctx, &target, observed, false)
}

// Result is a chain that has become what it should be.
type Result struct {
	Observed Observed
	// Wrote says whether anything had to be changed.
	Wrote bool
	// Warnings is what had to be done out of the usual order.
	Warnings []string
}

// Converge brings the chain to the goal and verifies it by observing again, until
// nothing differs. When it fails, it first removes the groups that it created
// itself, unless the gate is shut.
func (e *Edge) Converge(ctx context.Context, gate Gate, query Query, target Target, observed Observed) (Result, error) {
	run := newApplication(e, gate, query, observed)
	run.old, run.from = target.Change.Old, target.Change.From
	result, err := run.converge(ctx, target, observed)
	if err == nil {
		return result, nil
	}
	if undo := run.undo(ctx); undo != nil {
		e.Log.Warn("undo failed; the groups are found by their tags later", slog.String("error", undo.Error()))
	}
	return Result{}, err
}

func (a *application) converge(ctx context.Context, target Target, observed Observed) (Result, error) {
	a.isBack = target.Change.Rollback
	a.retires = func(identity chain.Identity) bool { return target.Change.Standing(identity) == plan.Retired }
	lag := lagging{}
	var result Result
	var refused refusal // the last plan that EC2 did not take
	for round := 0; ; {
		todo, made, err := a.plan(ctx, &target, observed, result.Wrote)
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
			result.Warnings = append(result.Warnings, a.back.said...)
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
			result.Warnings = append(result.Warnings, made...)
			if refused, err = a.applyUnlessStale(ctx, todo, &lag); err != nil {
				return Result{}, err
			}
		}
		if observed, err = a.observeAgain(ctx); err != nil {
			return Result{}, err
		}
	}
}

// plan works out what is to be done, and refuses what cannot be. Made is what had to be
// put in an unusual order.
func (a *application) plan(ctx context.Context, target *Target, observed Observed, wrote bool) (todo plan.Plan, made []string, err error) {
	goal := target.Goal(observed.State)
	if err = plan.OwnGroups(target.Change, observed.GroupIDs); err != nil {
		return plan.Plan{}, nil, err
	}
	if err = target.Change.TagRoom(observed.State, wrote); err != nil {
		return plan.Plan{}, nil, err
	}
	todo = plan.Diff(observed.State, goal)
	if err = a.onlyMoves(*target, todo, goal); err != nil {
		return plan.Plan{}, nil, err
	}
	if err = a.notMoved(ctx, target.Change, observed, wrote); err != nil {
		return plan.Plan{}, nil, err
	}
	if conflicts := todo.NameConflicts(observed.State); len(conflicts) > 0 {
		return plan.Plan{}, nil, &RenameError{NameConflict: conflicts[0]}
	}
	// Lists that neither chain names may weigh in a group that was left behind or edited.
	if strange := todo.UnknownLists(observed.State, target.Quota); len(strange) > 0 {
		found, err := a.lookUpLists(ctx, listIDFilter, strange)
		if err != nil && !target.Change.Rollback {
			return plan.Plan{}, nil, err
		}
		for _, id := range strange { // one that is gone weighs as little as a rule
			found = append(found, chain.PrefixList{ID: id})
		}
		target.Quota.Lists = slices.Concat(target.Quota.Lists, found)
	}
	todo, made, err = a.fit(ctx, target, todo, observed.State, goal)
	if tight, ok := errors.AsType[*plan.QuotaError](err); ok {
		tight.Wrote = wrote
	}
	return todo, made, err
}

// made says whether this run created a group: nobody lives there yet.
func (a *application) made(identity chain.Identity) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Contains(a.created, identity)
}

// logPlan puts a plan into the log, with what follows it in the cleanup.
func (a *application) logPlan(ctx context.Context, target Target, observed Observed, round int, todo plan.Plan) {
	if !a.Log.Enabled(ctx, slog.LevelInfo) {
		return // what follows costs more than the line
	}
	fields := []any{slog.Int("round", round), slog.Any("plan", Logged(todo.String, plan.LogBytes))}
	if cleanup := plan.Cleanup(target.Change, target.Goal(observed.State)); !cleanup.Empty() {
		fields = append(fields, slog.Any("cleanup", Logged(cleanup.String, plan.LogBytes/2)))
	}
	a.Log.Info("plan", append(fields, slog.String("groups", plan.FateList(target.Change, observed.State)))...)
}

// refusal is a plan that EC2 did not take, because it is not as the plan took it to be.
type refusal struct {
	plan     string
	cause    error
	patience time.Duration // how long the plan is tried again
}

// isOf reports whether it is this plan that was refused.
func (r refusal) isOf(todo plan.Plan) bool { return r.plan != "" && todo.String() == r.plan }

// applyUnlessStale applies a plan. Where EC2 does not take it, it waits a little: the
// observation behind the plan lags, or EC2 does not know a young group everywhere.
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

// observeAgain observes what the run has done.
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
	a.groupIDs, a.vanished, a.looked = maps.Clone(observed.GroupIDs), nil, observed.at
	return observed, nil
}

// overlooks says whether the plan would revoke a rule that names a group of this
// chain, one that the read behind it did not show: by its ID EC2 does. Without such
// a rule it makes no call. Groups of another account are none of the chain's.
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

// repeats says whether the plan has a change that this run has made already: the
// read behind it lags, or somebody else changed it back.
func (a *application) repeats(todo plan.Plan) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(todo.Steps, func(step plan.Step) bool {
		return slices.ContainsFunc(changes(step), func(change change) bool { return a.applied[change] })
	})
}
