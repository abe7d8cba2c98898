package sg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/task"
	"sgchain/lambda/plan"
)

// RemoveOptions is what a run removes.
type RemoveOptions struct {
	// Targets selects the groups, in batches: those of one are gone before the next begins.
	Targets func(chain.State) [][]chain.Identity
	// Rollback and MembersMoving are those of [plan.RemovalOptions].
	Rollback, MembersMoving bool
	// Returned are the groups to return to the chain from which they were moved.
	Returned []chain.Identity
}

// releaseTime is reserved at the end of a Delete to release groups that are still in use:
// nothing limits how long they are.
const releaseTime = 30 * time.Second

// Remove deletes or releases groups. It waits while something uses them, and if the context
// ends it returns an error that says what does. It starts from the given observation.
// [plan.Removal] sets the order, and what is revoked first. An adopted group is released, and
// Remove waits for it only as long as time remains.
func (e *Edge) Remove(ctx context.Context, gate Gate, query Query, observed Observed, leave RemoveOptions) error {
	run := removal{Edge: e, gate: gate, query: query}
	reads := 0
	for wait := (task.Backoff{Next: 2 * time.Second, Last: 10 * time.Second}); ; {
		batches := leave.Targets(observed.State)
		all := slices.Concat(batches...)
		if len(all) == 0 {
			return nil
		}
		uses, err := e.interfaces(ctx, observed, all)
		if err != nil {
			return err
		}
		// A moved group may belong to the old chain again by now.
		if reads++; reads == 1 && time.Since(observed.at) > adoptWithin && len(observed.moved()) > 0 {
			if observed, err = e.ObserveAgain(ctx, query, observed); err != nil {
				return err
			}
			continue
		}
		departure := leave.departure(all, uses.among(observed, all))
		deadline, hasDeadline := ctx.Deadline()
		departure.OutOfTime = hasDeadline && time.Until(deadline) <= releaseTime
		waiting := departure.Holding(observed.State, all)
		users := uses.of(observed.idsOf(waiting))
		if users == "" {
			if observed, err = run.removeBatches(ctx, observed, batches, departure); err == nil || !isBlocked(err) {
				return err
			}
		}
		e.Log.Info("waiting to delete", slog.Int("groups", len(all)), slog.String("blockers", users))
		reads = 0
		if ended := wait.Wait(ctx); ended != nil {
			return e.blocked(context.WithoutCancel(ctx), observed.idsOf(waiting), users, errors.Join(ended, err))
		}
		if observed, err = e.ObserveAgain(ctx, query, observed); err != nil {
			return err
		}
	}
}

// isBlocked reports whether a removal may succeed once something else is gone.
func isBlocked(err error) bool { return IsDependencyViolation(err) || errors.Is(err, errStaleView) }

func (l RemoveOptions) departure(all, inUse []chain.Identity) plan.RemovalOptions {
	return plan.RemovalOptions{All: all, InUse: inUse, Rollback: l.Rollback, MembersMoving: l.MembersMoving, Returned: l.Returned}
}

// RemoveUnused deletes or releases those groups that no network interface uses, and does not
// wait for the others. It returns why each of the others is left.
func (e *Edge) RemoveUnused(ctx context.Context, gate Gate, query Query, observed Observed, leave RemoveOptions) (left map[chain.Identity]string, err error) {
	left = map[chain.Identity]string{}
	targets := slices.Concat(leave.Targets(observed.State)...)
	if len(targets) == 0 {
		return left, nil
	}
	uses, err := e.interfaces(ctx, observed, targets)
	if err != nil {
		for _, identity := range targets {
			left[identity] = "its uses could not be read: " + Cause(err)
		}
		return left, err
	}
	departure := leave.departure(targets, uses.among(observed, targets))
	departure.EachAlone = true // one that is still used must not hold up the others
	used := departure.Waits(observed.State, targets)
	gone, err := removal{Edge: e, gate: gate, query: query}.removeGroups(ctx, observed, targets, departure)
	why := "the run ended before it was deleted"
	switch {
	case IsDependencyViolation(err):
		why = "another owner's rule names it, or another VPC is associated with it (" + Cause(err) + ")"
	case err != nil:
		why = "EC2 did not delete it: " + Cause(err)
	}
	for _, identity := range targets {
		switch {
		case slices.Contains(used, identity):
			left[identity] = "it is used by " + uses.of([]string{observed.GroupIDs[identity]})
		case !slices.Contains(gone, identity):
			left[identity] = why
		}
	}
	return left, err
}

// removal applies plans that remove groups.
type removal struct {
	*Edge

	gate  Gate
	query Query
}

// removeBatches removes the groups of each batch, and returns what is left.
func (r removal) removeBatches(ctx context.Context, observed Observed, batches [][]chain.Identity, departure plan.RemovalOptions) (Observed, error) {
	for _, targets := range batches {
		gone, err := r.removeGroups(ctx, observed, targets, departure)
		if observed = observed.without(gone); err != nil {
			return observed, err
		}
	}
	return observed, nil
}

// removeGroups plans and applies the removal of targets, and returns those that are deleted or released.
// The role does not allow changing groups that are already released. Another run may have
// released them, or a call whose answer was lost and that the SDK retries. So if the role
// refuses a removal with releases, removeGroups observes and plans the rest again.
func (r removal) removeGroups(ctx context.Context, observed Observed, targets []chain.Identity, departure plan.RemovalOptions) ([]chain.Identity, error) {
	var gone []chain.Identity
	for lag := (lagging{}); ; {
		todo := plan.Removal(observed.State, targets, departure)
		switch {
		case todo.Empty() && len(targets) > 0 && !departure.EachAlone: // a group must wait now
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
			group, exists := fresh.State.Find(identity)
			switch {
			case slices.Contains(gone, identity):
			case exists && !group.Movable: // a movable one was returned
				rest = append(rest, identity)
			default:
				gone = append(gone, identity)
			}
		}
		observed, targets = fresh, rest
	}
}

// blocked returns the error of a delete whose time is over, with what uses the groups. The
// context no longer has that deadline, so it sets its own.
func (e *Edge) blocked(ctx context.Context, ids []string, users string, cause error) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var rules []string
	for _, name := range []string{"ip-permission.group-id", "egress.ip-permission.group-id"} {
		groups, err := e.describe(ctx, filter(name, ids...))
		if err != nil {
			e.Log.Warn("describing groups whose rules name those to delete failed", slog.String("error", Cause(err)))
			continue
		}
		for _, group := range groups {
			id := aws.ToString(group.GroupId)
			for _, rule := range RulesOf(group, nil) {
				text := fmt.Sprintf("%s of security group %s (%s)", rule, id, aws.ToString(group.GroupName))
				if rule.Peer.Kind == chain.PeerGroup && slices.Contains(ids, rule.Peer.ID) && !slices.Contains(ids, id) && !slices.Contains(rules, text) {
					rules = append(rules, text)
				}
			}
		}
	}
	if len(rules) > 0 {
		if users != "" {
			users += " and "
		}
		users += "the rules " + first(maxNamedBlockers, rules)
	}
	return &BlockedError{GroupIDs: ids, Users: users, Cause: cause}
}
