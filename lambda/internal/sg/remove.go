package sg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/task"
	"sgchain/lambda/plan"
)

// Leave is what a run takes away.
type Leave struct {
	// Targets picks the groups, in turns: those of one are gone before those of the next.
	Targets func(chain.State) [][]chain.Identity
	// Rollback and MembersMoving are those of [plan.Departure].
	Rollback, MembersMoving bool
	// Returned are the groups that are given back to the chain from which they were moved.
	Returned []chain.Identity
}

// releaseTime is what is kept of the time of a Delete to release groups that are still in
// use then: that can go on for ever.
const releaseTime = 30 * time.Second

// Remove takes groups away, and waits while something uses them, until the context ends; then
// it says what does. It begins with the given observation. What goes when, and what is revoked
// before, is the plan's to say ([plan.Removal]): a group that somebody else made is released,
// and waited for only as long as there is time.
func (e *Edge) Remove(ctx context.Context, gate Gate, query Query, observed Observed, leave Leave) error {
	run := removal{Edge: e, gate: gate, query: query}
	looks := 0
	for wait := (task.Backoff{Next: 2 * time.Second, Last: 10 * time.Second}); ; {
		turns := leave.Targets(observed.State)
		all := slices.Concat(turns...)
		if len(all) == 0 {
			return nil
		}
		uses, err := e.interfaces(ctx, observed, all)
		if err != nil {
			return err
		}
		// One that was moved may be the old chain's again by now.
		if looks++; looks == 1 && time.Since(observed.at) > adoptWithin && len(observed.moved()) > 0 {
			if observed, err = e.ObserveAgain(ctx, query, observed); err != nil {
				return err
			}
			continue
		}
		departure := leave.departure(all, uses.among(observed, all))
		deadline, hasDeadline := ctx.Deadline()
		departure.Hurried = hasDeadline && time.Until(deadline) <= releaseTime
		held := departure.Holding(observed.State, all)
		blockers := uses.texts(observed.idsOf(held))
		if len(blockers) == 0 {
			if observed, err = run.takeTurns(ctx, observed, turns, departure); err == nil || !isInTheWay(err) {
				return err
			}
		}
		e.Log.Info("waiting to delete", slog.Int("groups", len(all)), slog.String("blockers", strings.Join(blockers, "; ")))
		looks = 0
		if ended := wait.Wait(ctx); ended != nil {
			return e.blocked(context.WithoutCancel(ctx), observed.idsOf(held), blockers, errors.Join(ended, err))
		}
		if observed, err = e.ObserveAgain(ctx, query, observed); err != nil {
			return err
		}
	}
}

// isInTheWay reports whether a removal may succeed once something else has gone.
func isInTheWay(err error) bool { return IsDependencyViolation(err) || errors.Is(err, errStaleView) }

func (l Leave) departure(all, inUse []chain.Identity) plan.Departure {
	return plan.Departure{All: all, InUse: inUse, Rollback: l.Rollback, MembersMoving: l.MembersMoving, Returned: l.Returned}
}

// RemoveUnused takes those of some groups away that no network interface uses, without
// waiting for the others. It returns what is in the way of those that are left.
func (e *Edge) RemoveUnused(ctx context.Context, gate Gate, query Query, observed Observed, leave Leave) (left map[chain.Identity]string, err error) {
	left = map[chain.Identity]string{}
	targets := slices.Concat(leave.Targets(observed.State)...)
	if len(targets) == 0 {
		return left, nil
	}
	uses, err := e.interfaces(ctx, observed, targets)
	if err != nil {
		for _, identity := range targets {
			left[identity] = "what uses it could not be read: " + Cause(err)
		}
		return left, err
	}
	departure := leave.departure(targets, uses.among(observed, targets))
	departure.EachAlone = true // one that cannot go must not keep the others
	used := departure.Waits(observed.State, targets)
	gone, err := removal{Edge: e, gate: gate, query: query}.take(ctx, observed, targets, departure)
	why := "the run ended before it was deleted"
	switch {
	case IsDependencyViolation(err):
		why = "a rule of a security group that is not the chain's names it, or a VPC is associated with it (" + Cause(err) + ")"
	case err != nil:
		why = "EC2 did not delete it: " + Cause(err)
	}
	for _, identity := range targets {
		switch {
		case slices.Contains(used, identity):
			left[identity] = "it is used by " + capped(uses.texts([]string{observed.GroupIDs[identity]}))
		case !slices.Contains(gone, identity):
			left[identity] = why
		}
	}
	return left, err
}

// removal takes groups away by the plans for it.
type removal struct {
	*Edge

	gate  Gate
	query Query
}

// takeTurns takes the groups of each turn away, and returns what is there then.
func (r removal) takeTurns(ctx context.Context, observed Observed, turns [][]chain.Identity, departure plan.Departure) (Observed, error) {
	for _, targets := range turns {
		gone, err := r.take(ctx, observed, targets, departure)
		if observed = observed.without(gone); err != nil {
			return observed, err
		}
	}
	return observed, nil
}

// take plans and applies the removal of targets, and returns those that are gone or released.
// The role lets nobody touch what another run has released, nor what a call did whose answer
// was lost and which the SDK makes again: where it refuses a removal that releases, what is
// still to do is looked up anew.
func (r removal) take(ctx context.Context, observed Observed, targets []chain.Identity, departure plan.Departure) ([]chain.Identity, error) {
	var gone []chain.Identity
	for lag := (lagging{}); ; {
		todo := plan.Removal(observed.State, targets, departure)
		switch {
		case todo.Empty() && len(targets) > 0 && !departure.EachAlone: // one is held that was not before
			return gone, errStaleView
		case todo.Empty():
			return gone, nil
		}
		r.Log.Info("delete", slog.Int("groups", todo.Count(plan.DeleteGroup)), slog.Int("releases", todo.Count(plan.ReleaseGroup)), slog.Any("plan", Logged(todo.String, plan.LogBytes)))
		run := newApplication(r.Edge, r.gate, r.query, observed)
		err := run.apply(ctx, todo)
		gone = append(gone, run.gone...)
		if todo.Count(plan.ReleaseGroup)+todo.Count(plan.ReturnGroup) == 0 || !hasCode(err, codeUnauthorized) || !lag.patient() {
			return gone, err
		}
		r.Log.Info("observing again", slog.String("because", Cause(err)))
		fresh, failed := Observed{}, lag.wait(ctx)
		if failed == nil {
			fresh, failed = r.ObserveAgain(ctx, r.query, observed.without(run.gone))
		}
		if failed != nil {
			return gone, errors.Join(failed, err)
		}
		var rest []chain.Identity
		for _, identity := range targets {
			group, isThere := fresh.State.Find(identity)
			switch {
			case slices.Contains(gone, identity):
			case isThere && !group.Movable: // one that can be moved was given back
				rest = append(rest, identity)
			default:
				gone = append(gone, identity)
			}
		}
		observed, targets = fresh, rest
	}
}

// blocked gathers what is in the way of a delete whose time is over. The context
// is not that time's any more; it is bounded here.
func (e *Edge) blocked(ctx context.Context, ids, blockers []string, cause error) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	failed := &BlockedError{GroupIDs: ids, Blockers: blockers, Cause: cause}
	for _, name := range []string{"ip-permission.group-id", "egress.ip-permission.group-id"} {
		groups, err := e.describe(ctx, filter(name, ids...))
		if err != nil {
			e.Log.Warn("looking for groups that name the ones to delete failed", slog.String("error", Cause(err)))
			continue
		}
		for _, group := range groups {
			id := aws.ToString(group.GroupId)
			for _, rule := range RulesOf(group, nil) {
				text := fmt.Sprintf("security group %s (%s), rule %s", id, aws.ToString(group.GroupName), rule)
				if rule.Peer.Kind == chain.PeerGroup && slices.Contains(ids, rule.Peer.ID) && !slices.Contains(ids, id) && !slices.Contains(failed.Blockers, text) {
					failed.Blockers = append(failed.Blockers, text)
				}
			}
		}
	}
	return failed
}
