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

// errStaleView says that EC2 is not as the plan took it to be: observe again and
// plan anew.
var errStaleView = errors.New("security groups changed while the plan was applied")

// application is one run's view of EC2 while it applies plans.
type application struct {
	*Edge

	gate  Gate
	query Query

	mu       sync.Mutex
	groupIDs map[chain.Identity]string
	// ruleIDs are the IDs of rules that the chain made on groups that somebody else made.
	ruleIDs map[chain.Identity]map[chain.Rule]string
	// gone are the groups that this run deleted or released, and those that EC2 did not know.
	gone []chain.Identity
	// created is the groups that this run made, likely those that it may have made, with
	// the tag that it gave them: their answers were lost.
	created []chain.Identity
	likely  map[chain.Identity]chain.Epoch
	// old is the chain of before.
	old chain.State
	// adopted is the groups that this run took over, or may have; moved those of another chain.
	adopted, moved []chain.Identity
	// from is the chain whose groups are taken over, and formerly the places of groups that were.
	from     chain.Former
	formerly map[chain.Identity]chain.Former
	// looked is when the observation began that the plan of the moment is made from.
	looked time.Time
	// vanished is the groups that EC2 did not know when they were named.
	vanished []chain.Identity
	// applied is what this run changed with success; a read that does not show
	// it lags.
	applied map[change]bool
	// isBack says that the run takes an operation back; back is what it learned on the way.
	isBack  bool
	back    wayBack
	retires func(chain.Identity) bool // whether a group leaves the chain
	// adoptedAt is when it adopted last, and confirmed that it still has what it adopted.
	adoptedAt time.Time
	confirmed bool
}

// change is one line of a plan, as a key.
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
		rule.Peer.Account = "" // EC2 shows it at one time and not at another
		all = append(all, change{action: step.Action, group: step.Group, rule: rule})
	}
	return all
}

func newApplication(edge *Edge, gate Gate, query Query, observed Observed) *application {
	a := &application{
		Edge: edge, gate: gate, query: query, groupIDs: observed.clone().GroupIDs, ruleIDs: map[chain.Identity]map[chain.Rule]string{},
		looked: observed.at, formerly: map[chain.Identity]chain.Former{}, applied: map[change]bool{}, likely: map[chain.Identity]chain.Epoch{}, retires: func(chain.Identity) bool { return false },
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

// apply takes the plan's steps, phase by phase, those of a phase in parallel. It
// returns errStaleView where EC2 turned out to be different.
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

// tasks is the calls of a phase: one a step, but one for all groups that get or lose
// the same tags, because CreateTags and DeleteTags take a list of resources.
func (a *application) tasks(ctx context.Context, phase []plan.Step) []func() error {
	switch phase[0].Action {
	case plan.RetagGroup, plan.UntagGroup:
		return a.retags(ctx, phase, a.retag)
	case plan.ReleaseGroup:
		return []func() error{func() error { return a.done(a.release(ctx, phase), phase...) }}
	case plan.ReturnGroup:
		return []func() error{func() error { return a.done(a.giveBack(ctx, phase), phase...) }}
	default:
		moves, others := moving(phase)
		tasks := a.retags(ctx, moves, a.move)
		for _, step := range others {
			tasks = append(tasks, func() error { return a.done(a.step(ctx, step), step) })
		}
		return tasks
	}
}

// retags is the calls for tags. Groups that move are none of those that are made or adopted in the same phase.
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
		if step.Action == plan.AuthorizeRules && (a.isBack || a.retires(step.Group)) {
			return a.authorizeBack(ctx, step)
		}
		return a.rules(ctx, step)
	}
}

// done keeps in mind what has been changed.
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

// write makes one call that changes something. The token comes first: waiting
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

// deleteGroup deletes a group. One that EC2 does not know is gone, or too young: observing
// tells.
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

// unlessStale turns the errors of a write that only say that EC2 is not as the plan
// took it to be: a rule that is there already or not there, a group that is gone or too
// young to be known to all of EC2, a call of which nobody knows whether it took effect.
// What EC2 names as unknown was shown by an observation that lagged behind its removal,
// and the next one need not show it, unless it is this run's own.
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
