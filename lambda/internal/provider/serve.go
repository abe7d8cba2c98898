package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/fence"
	"sgchain/lambda/internal/guard"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/sg"
	"sgchain/lambda/plan"
)

// ownType is what to do about a resource of another type.
const ownType = "Give the resource the Type " + chain.ResourceType + ", or another ServiceToken."

// anyAnswerBytes is for properties that were accepted before or are not going to
// be answered for: whether their attributes fit does not matter.
const anyAnswerBytes = math.MaxInt

// statusError is a status that the fence could not read.
type statusError struct{ err error }

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }
func (e *statusError) Remedy() string {
	var coded interface{ ErrorCode() string }
	if errors.As(e.err, &coded) && strings.Contains(coded.ErrorCode(), "AccessDenied") {
		return "The function's role needs cloudformation:DescribeStacks and cloudformation:DescribeStackResource on this stack."
	}
	return "" // nothing is written while the status is not known; trying again is all there is
}

// environmentError is a function that cannot work as it is deployed.
type environmentError struct{ err error }

func (e *environmentError) Error() string { return e.err.Error() }
func (e *environmentError) Unwrap() error { return e.err }
func (e *environmentError) Remedy() string {
	return "Deploy the function with the provider's own construct or template, which sets its environment."
}

// inputError is properties that cannot be built.
type inputError struct{ problems error }

func (e *inputError) Error() string { return "reading properties: " + e.problems.Error() }
func (e *inputError) Unwrap() error { return e.problems }
func (e *inputError) Remedy() string {
	return "Nothing was changed; correct the properties and deploy again."
}

// run is one request on its way.
type run struct {
	*Handler

	log     *slog.Logger
	event   protocol.Event
	request fence.Request
	edge    *sg.Edge
	reader  fence.Reader
}

func (h *Handler) newRun(log *slog.Logger, event protocol.Event) *run {
	resource := protocol.Resource(event)
	return &run{
		Handler: h, log: log, event: event,
		request: fence.Request{Type: fence.RequestType(event.RequestType), PhysicalID: event.PhysicalResourceID, Date: protocol.Made(event)},
		edge:    &sg.Edge{API: h.EC2, Owner: sg.Owner{Provider: h.Provider, Resource: resource}, Limiter: h.Limiter, Log: log},
		reader:  fence.Reader{API: h.CloudFormation, Resource: resource},
	}
}

// serve does what a request asks for.
func (h *Handler) serve(ctx context.Context, log *slog.Logger, functionARN string, event protocol.Event) outcome {
	r := h.newRun(log, event)
	if h.Misconfigured != nil {
		return outcome{physicalID: fallbackID(event), err: &environmentError{h.Misconfigured}}
	}
	if err := protocol.CheckOrigin(event, functionARN); err != nil {
		return outcome{physicalID: fallbackID(event), err: err}
	}
	if event.ResourceType != chain.ResourceType {
		return outcome{physicalID: fallbackID(event), err: &protocol.EventError{
			Problem: fmt.Sprintf("checking event: the resource type is %.60q, and this provider serves %s", event.ResourceType, chain.ResourceType),
			Todo:    ownType,
		}}
	}
	if err := context.Cause(ctx); err != nil {
		return outcome{physicalID: fallbackID(event), err: err}
	}
	switch event.RequestType {
	case cfn.RequestDelete:
		err := r.remove(ctx)
		return outcome{physicalID: event.PhysicalResourceID, err: err, writes: r.edge.Writes()}
	case cfn.RequestCreate, cfn.RequestUpdate:
		result := r.build(ctx)
		result.writes = r.edge.Writes()
		return result
	}
	panic("a request that Decode does not let through: " + event.RequestType)
}

// build serves Create and Update, which differ in what came before.
func (r *run) build(ctx context.Context) outcome {
	resource := protocol.Resource(r.event)
	failed := func(physicalID string, err error) outcome {
		if r.event.RequestType == cfn.RequestUpdate {
			physicalID = r.event.PhysicalResourceID
		}
		return outcome{physicalID: physicalID, err: err}
	}
	room := protocol.AttributeBytes(r.event, chain.PhysicalID(resource, nil))
	spec, err := chain.Parse(r.event.ResourceProperties, room)
	if err != nil {
		return failed(chain.PhysicalID(resource, nil), &inputError{err})
	}
	physicalID := chain.PhysicalID(resource, spec.Identities())
	want := sg.Want{Chains: plan.Chains{
		New: chain.Desired(spec), Old: r.oldChain(), Keep: spec.KeepUnmanaged, Adopting: chain.AdoptedBy(r.event.RequestID, stamp(time.Now())),
		Anew: r.event.RequestType == cfn.RequestCreate,
	}, PhysicalID: physicalID}
	r.edge.Wants = wants(spec, want.Chains, r.reader)

	// The operation that the run belongs to is the one that its very first reading
	// shows, not the one that it finds after it has waited; unless that reading shows what
	// was before the request.
	var first *fence.Reading
	over := func(now fence.Reading) error {
		if first == nil || fence.Behind(r.request, *first) {
			first = &now
		}
		return fence.Over(r.request, *first, now)
	}
	reading, observed, err := r.look(ctx, over, func(ctx context.Context) error { return r.resolve(ctx, spec.RuleQuota, &want) }, func(seen sg.Observed) bool { return r.odd(want, seen) })
	if err != nil {
		return failed(physicalID, err)
	}
	findings, err := r.guard(spec, isBack(reading))
	if err != nil {
		return failed(physicalID, err)
	}
	want.Chains.Back = isBack(reading)
	lease := fence.Hold(ctx, reading, r.reader.Read, r.judge(over), r.log)
	defer lease.Release()
	r.edge.Gate = lease
	result, err := r.edge.Converge(ctx, want, observed)
	if err != nil {
		return failed(physicalID, err)
	}
	warnings := slices.Concat(findings, result.Warnings, adoptions(want, result.Observed), kept(want, result.Observed), want.Unserved, r.removeOrphans(ctx, want, reading, observed.State.Newest(), result.Observed))
	for _, warning := range warnings {
		r.log.Warn("warning", slog.String("text", warning))
	}
	answer := chain.Answer{Spec: spec, GroupIDs: map[string]string{}, RuleCount: want.Chains.New.RuleCount(), Warnings: warnings}
	for _, identity := range spec.Identities() {
		answer.GroupIDs[identity.Tier] = result.Observed.GroupIDs[identity]
	}
	r.log.Info("done", slog.Bool("wrote", result.Wrote), slog.String("state", result.Observed.State.String()),
		slog.String("picture", drawn(spec, want, result.Observed).String()))
	return outcome{physicalID: physicalID, attributes: answer.Attributes(room)}
}

// odd says whether what EC2 shows may be the past, or the work of a run that is still
// alive. A Create that finds groups, or an Update of something that finds it done, follows
// a run that died, or sees what was there before; so does an Update that does not find
// all that it is to update. No answer must build on that: it would name groups that are
// gone, leave the chain as it was, or cut off the groups that were not shown. Groups of no
// chain may be gone by now, and where the newest ones bear another ID, the run that made
// them may be alive.
func (r *run) odd(want sg.Want, seen sg.Observed) bool {
	if r.event.RequestType == cfn.RequestCreate {
		return slices.ContainsFunc(seen.State.Groups, func(group chain.Group) bool { return group.Adoption != chain.Adoptable })
	}
	old, now := want.Chains.Old, want.Chains.New
	isHidden := func(identity chain.Identity) bool { return !seen.State.Has(identity) }
	if seen.State.Newest().PhysicalID != r.event.PhysicalResourceID || slices.ContainsFunc(old.Identities(), isHidden) || len(want.Chains.Orphans(seen.State)) > 0 {
		return true
	}
	same := plan.Diff(old, now).Empty() && plan.Diff(now, old).Empty()
	return !same && plan.Diff(seen.State, want.Goal(seen.State)).Empty()
}

// oldChain is what the resource was before this Update. Properties that cannot be
// read were never built: a rollback gets those of the failed Update as old ones.
func (r *run) oldChain() chain.State {
	if r.event.RequestType != cfn.RequestUpdate {
		return chain.State{}
	}
	spec, err := chain.Parse(r.event.OldResourceProperties, anyAnswerBytes)
	if err != nil {
		r.log.Warn("old properties cannot be read; they count as never built", slog.String("problems", err.Error()))
		return chain.State{}
	}
	return chain.Desired(spec)
}

// resolve looks up what only EC2 knows, and completes the chains with it and with the
// names that the groups have in the console.
func (r *run) resolve(ctx context.Context, ruleQuota int, want *sg.Want) error {
	resource := protocol.Resource(r.event)
	region, account := protocol.Place(r.event)
	wanted := chain.Wanted(region, account, want.Chains.New, want.Chains.Old)
	wanted.GroupIDs = chain.Wanted(region, account, want.Chains.New).GroupIDs // those of the old chain may be gone
	found, err := r.edge.LookUp(ctx, wanted)
	if err != nil {
		return err
	}
	found.Region, found.Account = region, account
	want.Unserved = want.Chains.New.Unserved(found)
	now, unknown := want.Chains.New.Resolve(found)
	if len(unknown) > 0 {
		return errors.Join(unknown...)
	}
	old, unknown := want.Chains.Old.Resolve(found)
	if len(unknown) > 0 {
		r.log.Warn("peers of the old chain are not there any more", slog.String("problems", errors.Join(unknown...).Error()))
	}
	want.Chains.New, want.Chains.Old = now.Named(resource), old.Named(resource)
	want.Quota = plan.Quota{Rules: ruleQuota, Lists: found.Lists}
	return nil
}

// removeOrphans removes groups that no chain has any more and nobody uses, as the last
// thing that an Update does, and says what is left. Nothing of it lets the Update fail.
//
// Orphans of the newest generation stay: they may be the work of another run of the
// moment. Now that this chain is the newest one, the next Update takes them. A rollback
// takes unused groups of the chain that it rolls back, too, where the recorded ID is its
// own or one that CloudFormation made up: no answer that named them was ever taken, and no
// cleanup will come.
func (r *run) removeOrphans(ctx context.Context, want sg.Want, reading fence.Reading, newest chain.Tag, observed sg.Observed) []string {
	recorded := r.event.PhysicalResourceID
	takesOwn := isBack(reading) && r.event.RequestType == cfn.RequestUpdate && (recorded == want.PhysicalID || !chain.IsPhysicalID(recorded))
	var orphans, doomed []chain.Identity
	for _, group := range observed.State.Groups {
		standing := want.Chains.Standing(group.Identity)
		if standing == plan.Orphan || (standing == plan.Retired && takesOwn) {
			orphans = append(orphans, group.Identity)
			if takesOwn || group.Tag.Generation < newest.Generation {
				doomed = append(doomed, group.Identity)
			}
		}
	}
	left, err := r.edge.RemoveUnused(ctx, observed, doomed, sg.Removal{TierOrder: chain.TierNames(r.event.ResourceProperties), Back: isBack(reading), Owes: true})
	if err != nil {
		r.log.Warn("removing groups that were left over failed", slog.String("error", err.Error()))
	}
	var warnings []string
	for _, identity := range orphans {
		if slices.Contains(doomed, identity) && !slices.Contains(left, identity) {
			continue
		}
		warnings = append(warnings, fmt.Sprintf("security group %s (tier %s) is left over from a run that was broken off; it goes with the next update once no network interface uses it and no group of somebody else names it, or when the chain is deleted",
			observed.GroupIDs[identity], identity.Tier))
	}
	return warnings
}

// remove serves Delete. It reads nothing from the properties that it depends on:
// a Create that was refused for its properties is followed by a Delete with the
// same ones.
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
	r.log.Info("delete", slog.String("scope", chosen.String()), slog.String("propertiesId", r.propertiesID()))
	lease := fence.Hold(ctx, reading, r.reader.Read, r.judge(judge), r.log)
	defer lease.Release()
	r.edge.Gate = lease
	return r.edge.Remove(ctx, observed, sg.Removal{
		Doomed: func(state chain.State) [][]chain.Identity {
			groups := slices.DeleteFunc(slices.Clone(state.Groups), isOlder)
			return doomed(chain.State{Groups: groups}, chosen, r.event.PhysicalResourceID)
		},
		TierOrder: chain.TierNames(r.event.ResourceProperties), Back: isBack(reading), Owes: chosen == fence.Cleanup,
	})
}

// propertiesID is the physical ID that the properties of a Delete would give, for the log
// alone: whether they are those of the old chain or of the new one is not documented.
func (r *run) propertiesID() string {
	spec, err := chain.Parse(r.event.ResourceProperties, anyAnswerBytes)
	if err != nil {
		return "none: " + err.Error()
	}
	return chain.PhysicalID(protocol.Resource(r.event), spec.Identities())
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

// stamp is a time as an adoption has it.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// judge makes the fence's verdict, or only logs it.
func (r *run) judge(verdict func(fence.Reading) error) func(fence.Reading) error {
	return func(now fence.Reading) error {
		err := verdict(now)
		if err != nil && r.FenceOnlyLogs {
			r.log.Warn("the fence only logs", slog.String("over", err.Error()))
			return nil
		}
		return err
	}
}

// look reads CloudFormation and EC2 at the same time, with what else there is to be
// asked for. Where an older run may be alive it waits until that one cannot write any
// more, and looks again. So it does where what EC2 shows is odd for the request: it may be
// the past.
func (r *run) look(ctx context.Context, over func(fence.Reading) error, also func(context.Context) error, odd func(sg.Observed) bool) (fence.Reading, sg.Observed, error) {
	reading, observed, err := r.lookOnce(ctx, over, also, sg.Observed{})
	if err != nil || (!odd(observed) && !fence.OlderMayRun(r.request, reading) && !r.repairMayRun()) {
		return reading, observed, err
	}
	r.log.Info("an older run may be alive: waiting", slog.Duration("wait", fence.Settle))
	timer := time.NewTimer(fence.Settle)
	defer timer.Stop()
	select {
	case <-timer.C:
		return r.lookOnce(ctx, over, nil, observed)
	case <-ctx.Done():
		return reading, observed, context.Cause(ctx)
	}
}

// lookOnce looks; groups that are known have to be shown.
func (r *run) lookOnce(ctx context.Context, over func(fence.Reading) error, also func(context.Context) error, known sg.Observed) (fence.Reading, sg.Observed, error) {
	var observed sg.Observed
	seen := aside(func() (err error) {
		observed, err = r.edge.ObserveAgain(ctx, known)
		return err
	})
	asked := aside(func() error {
		if also == nil {
			return nil
		}
		return also(ctx)
	})
	reading, err := r.reader.Read(ctx)
	errEC2 := errors.Join(<-seen, <-asked)
	if err != nil {
		return reading, observed, errors.Join(&statusError{err}, context.Cause(ctx))
	}
	r.log.Info("status", slog.String("reading", reading.String()))
	if reading.ResourceType != "" && reading.ResourceType != chain.ResourceType {
		return reading, observed, &protocol.EventError{
			Problem: fmt.Sprintf("checking event: the stack records %s as %.60q, which is not %s", r.event.LogicalResourceID, reading.ResourceType, chain.ResourceType),
			Todo:    ownType,
		}
	}
	if over != nil {
		if err = r.judge(over)(reading); err != nil {
			return reading, observed, err
		}
	}
	return reading, observed, errEC2
}

// isBack says whether CloudFormation takes an operation back.
func isBack(now fence.Reading) bool { return strings.Contains(now.Stack, "ROLLBACK") }

// aside does something in a goroutine of its own.
func aside(task func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- guard.Run(task) }()
	return done
}
