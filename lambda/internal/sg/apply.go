package sg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// errStaleView means that EC2's state is not the one that the plan was made from:
// observe and plan again.
var errStaleView = errors.New("security groups changed while the plan was applied")

// application is one run's view of EC2 while it applies plans.
type application struct {
	*Edge

	gate  Gate
	query Query

	mu       sync.Mutex
	groupIDs map[chain.Identity]string
	// ruleIDs are the IDs of rules that the chain created on adopted groups.
	ruleIDs map[chain.Identity]map[chain.Rule]string
	// gone are the groups that this run deleted or released, or that EC2 no longer has.
	gone []chain.Identity
	// created are the groups that this run created. Likely are those that it may have
	// created, with the tag that it set: the answers to these calls were lost.
	created []chain.Identity
	likely  map[chain.Identity]chain.Epoch
	// old is the chain of the previous properties.
	old chain.State
	// adopted and moved are the groups that this run took over, or may have. Moved ones were
	// another chain's.
	adopted, moved []chain.Identity
	// from is the chain whose groups are moved here. Formerly has the previous places of moved groups.
	from     chain.Former
	formerly map[chain.Identity]chain.Former
	// observedAt is when the observation of the current plan began.
	observedAt time.Time
	// vanished are groups that a call named and EC2 did not know.
	vanished []chain.Identity
	// applied has the changes that this run made. A read that does not show them lags.
	applied map[change]bool
	// isRollback is set in a rollback. Rollback has what the run learned from EC2's refusals.
	isRollback bool
	rollback   rollback
	retires    func(chain.Identity) bool // whether a group leaves the chain
	// adoptedAt is the time of the last adoption. Confirmed is set once an observation
	// has shown that the run still has the groups.
	adoptedAt time.Time
	confirmed bool
}

// change is one line of a plan, usable as a map key.
type change struct {
	action plan.Action
	group  chain.Identity
	rule   chain.Rule
	tags   string
}

func changes(step plan.Step) []change {
	if len(step.Rules) == 0 {
		return []change{{action: step.Action, group: step.Group, tags: tagSet(step)}}
	}
	all := make([]change, 0, len(step.Rules))
	for _, rule := range step.Rules {
		rule.Peer.Account = "" // EC2 does not always show it
		all = append(all, change{action: step.Action, group: step.Group, rule: rule})
	}
	return all
}

func newApplication(edge *Edge, gate Gate, query Query, observed Observed) *application {
	a := &application{
		Edge: edge, gate: gate, query: query, groupIDs: observed.clone().GroupIDs, ruleIDs: map[chain.Identity]map[chain.Rule]string{},
		observedAt: observed.at, formerly: map[chain.Identity]chain.Former{}, applied: map[change]bool{}, likely: map[chain.Identity]chain.Epoch{}, retires: func(chain.Identity) bool { return false },
	}
	for _, group := range observed.State.Groups {
		if from, isMoved := chain.FormerOf(group.Tags); isMoved {
			a.formerly[group.Identity] = from
		}
	}
	for identity, ids := range observed.ruleIDs {
		a.ruleIDs[identity] = maps.Clone(ids)
	}
	return a
}

// apply runs the plan's steps phase by phase, those of a phase in parallel. It
// returns errStaleView if EC2's state turned out to be different.
func (a *application) apply(ctx context.Context, todo plan.Plan) error {
	var failed error
	for _, phase := range todo.Phases() {
		started := time.Now()
		tasks := a.tasks(ctx, phase)
		err := parallel(tasks)
		a.Log.Info("phase done", slog.String("phase", string(phase[0].Action)), slog.Int("calls", len(tasks)),
			slog.Int64("milliseconds", time.Since(started).Milliseconds()), slog.Bool("ok", err == nil))
		failed = errors.Join(failed, err)
		isAlone := todo.EachAlone && phase[0].Phase == plan.Delete && codeOf(err) != ""
		if err != nil && !isAlone {
			return failed
		}
	}
	return failed
}

// tasks returns the calls of a phase, one for each step. All groups that get or lose the
// same tags share one, because CreateTags and DeleteTags take a list of resources.
func (a *application) tasks(ctx context.Context, phase []plan.Step) []func() error {
	switch phase[0].Action {
	case plan.RetagGroup, plan.UntagGroup:
		return a.retags(ctx, phase, a.retag)
	case plan.ReleaseGroup:
		return []func() error{func() error { return a.done(a.release(ctx, phase), phase...) }}
	case plan.ReturnGroup:
		return []func() error{func() error { return a.done(a.returnGroups(ctx, phase), phase...) }}
	default:
		moves, others := moving(phase)
		tasks := a.retags(ctx, moves, a.move)
		for _, step := range others {
			tasks = append(tasks, func() error { return a.done(a.step(ctx, step), step) })
		}
		return tasks
	}
}

// retags returns the calls for tags, one for the steps with the same tags. The steps of one
// phase are independent: no group that moves is also created or adopted there.
func (a *application) retags(ctx context.Context, phase []plan.Step, retag func(context.Context, []plan.Step) error) []func() error {
	var tasks []func() error
	same := map[string][]plan.Step{}
	for _, step := range phase {
		same[tagSet(step)] = append(same[tagSet(step)], step)
	}
	for _, set := range slices.Sorted(maps.Keys(same)) {
		for some := range slices.Chunk(same[set], maxTagged) {
			tasks = append(tasks, func() error { return a.done(retag(ctx, some), some...) })
		}
	}
	return tasks
}

func (a *application) step(ctx context.Context, step plan.Step) error {
	switch step.Action {
	case plan.CreateGroup:
		return a.createGroup(ctx, step)
	case plan.AdoptGroup:
		return a.adoptGroup(ctx, step)
	case plan.DeleteGroup:
		return a.deleteGroup(ctx, step)
	default:
		if step.Action == plan.AuthorizeRules && (a.isRollback || a.retires(step.Group)) {
			return a.authorizeLeniently(ctx, step)
		}
		return a.rules(ctx, step)
	}
}

// done records the changes of steps, unless they failed.
func (a *application) done(err error, steps ...plan.Step) error {
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, step := range steps {
		for _, change := range changes(step) {
			a.applied[change] = true
		}
		switch step.Action {
		case plan.RevokeRules:
			for _, rule := range step.Rules {
				delete(a.ruleIDs[step.Group], rule.Key())
			}
		case plan.ReleaseGroup, plan.ReturnGroup:
			a.gone = append(a.gone, step.Group)
		default:
		}
	}
	return nil
}

func (a *application) groupID(identity chain.Identity) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.groupIDs[identity]
}

// write makes one mutating call. It takes the limiter's token first: waiting
// for it must not use up the gate's time.
func (a *application) write(ctx context.Context, operation string, call func(context.Context) error) error {
	if err := a.Limiter.take(ctx, operation); err != nil {
		return err
	}
	return a.gate.Write(ctx, func(ctx context.Context) error {
		a.writes.Add(1)
		return call(ctx)
	})
}

// deleteGroup deletes a group. One that EC2 does not know is gone, or too new to be known.
// The next observation shows which.
func (a *application) deleteGroup(ctx context.Context, step plan.Step) error {
	id := a.groupID(step.Group)
	err := a.write(ctx, opDeleteSecurityGroup, func(ctx context.Context) error {
		_, err := a.API.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: aws.String(id)})
		return err
	})
	if err == nil || IsGroupNotFound(err) {
		a.mu.Lock()
		a.gone = append(a.gone, step.Group)
		a.mu.Unlock()
	}
	if err == nil {
		return nil
	}
	return a.unlessStale(&CallError{Doing: "deleting security group (" + id + ")", Err: err})
}

// unlessStale wraps an error in errStaleView if it only means that the plan's view was stale.
// A rule already exists or does not, a group is gone or too new, or the effect of a call is
// unknown. If EC2 names a group as unknown, the observation lagged behind its removal. The
// next observation need not show that group, unless this run created it.
func (a *application) unlessStale(err error) error {
	if err == nil || !isStaleView(err) {
		return err
	}
	if IsGroupNotFound(err) {
		a.mu.Lock()
		defer a.mu.Unlock()
		for identity, id := range a.groupIDs {
			if _, likely := a.likely[identity]; strings.Contains(err.Error(), "'"+id+"'") && !slices.Contains(a.created, identity) && !likely {
				a.vanished = append(a.vanished, identity)
			}
		}
	}
	return fmt.Errorf("%w: %w", errStaleView, err)
}
