package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/fence"
	"sgchain/lambda/internal/guard"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/sg"
	"sgchain/lambda/plan"
)

// anyAnswerBytes is for properties that were accepted before or are not going to
// be answered for: whether their attributes fit does not matter.
const anyAnswerBytes = math.MaxInt

// statusError is a status that the fence could not read.
type statusError struct{ err error }

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }
func (e *statusError) Remedy() string {
	return "The function's role needs cloudformation:DescribeStacks and cloudformation:DescribeStackResource on this stack."
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

// serve does what a request asks for.
func (h *Handler) serve(ctx context.Context, log *slog.Logger, functionARN string, event protocol.Event) outcome {
	resource := protocol.Resource(event)
	r := &run{
		Handler: h, log: log, event: event,
		request: fence.Request{Type: fence.RequestType(event.RequestType), PhysicalID: event.PhysicalResourceID, Date: protocol.Made(event)},
		edge:    &sg.Edge{API: h.EC2, Owner: sg.Owner{Provider: h.Provider, Resource: resource}, Limiter: h.Limiter, Log: log},
		reader:  fence.Reader{API: h.CloudFormation, Resource: resource},
	}
	if h.Misconfigured != nil {
		return outcome{physicalID: fallbackID(event), err: h.Misconfigured}
	}
	if err := protocol.CheckOrigin(event, functionARN); err != nil {
		return outcome{physicalID: fallbackID(event), err: err}
	}
	if event.ResourceType != chain.ResourceType {
		return outcome{physicalID: fallbackID(event), err: fmt.Errorf("checking event: the resource type is %.60q, and this provider serves %s", event.ResourceType, chain.ResourceType)}
	}
	if err := context.Cause(ctx); err != nil {
		return outcome{physicalID: fallbackID(event), err: err}
	}
	switch event.RequestType {
	case cfn.RequestDelete:
		return outcome{physicalID: event.PhysicalResourceID, err: r.remove(ctx)}
	case cfn.RequestCreate, cfn.RequestUpdate:
		return r.build(ctx)
	}
	return outcome{physicalID: fallbackID(event), err: fmt.Errorf("checking event: unknown RequestType %.40q", event.RequestType)}
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
	chains := plan.Chains{New: chain.Desired(spec), Old: r.oldChain()}

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
	// A Create that finds groups, or an Update of something that finds it done, follows
	// a run that died, or sees what was there before; so does an Update that does not find
	// all that it is to update. No answer must build on that: it would name groups that are
	// gone, leave the chain as it was, or cut off the groups that were not shown.
	// Where the newest groups bear another ID, the run that made them may be alive.
	odd := func(seen sg.Observed) bool {
		if r.event.RequestType == cfn.RequestCreate {
			return len(seen.State.Groups) > 0
		}
		newest := seen.State.Newest()
		if newest.PhysicalID != r.event.PhysicalResourceID ||
			slices.ContainsFunc(chains.Old.Identities(), func(identity chain.Identity) bool { return !seen.State.Has(identity) }) {
			return true
		}
		same := plan.Diff(chains.Old, chains.New).Empty() && plan.Diff(chains.New, chains.Old).Empty()
		return !same && plan.Diff(seen.State, plan.Goal(chains, seen.State, seen.State.NextTag(physicalID))).Empty()
	}
	reading, observed, err := r.look(ctx, over, odd)
	if err != nil {
		return failed(physicalID, err)
	}
	lease := fence.Hold(ctx, reading, r.reader.Read, r.judge(over), r.log)
	defer lease.Release()
	r.edge.Gate = lease
	result, err := r.edge.Converge(ctx, chains, physicalID, observed)
	if err != nil {
		return failed(physicalID, err)
	}
	warnings := append(chain.Warnings(spec), r.orphanWarnings(chains, result.Observed)...)
	for _, warning := range warnings {
		r.log.Warn("warning", slog.String("text", warning))
	}
	answer := chain.Answer{Spec: spec, GroupIDs: map[string]string{}, RuleCount: chains.New.RuleCount(), Warnings: warnings}
	for _, identity := range spec.Identities() {
		answer.GroupIDs[identity.Tier] = result.Observed.GroupIDs[identity]
	}
	r.log.Info("done", slog.Bool("wrote", result.Wrote), slog.String("state", result.Observed.State.String()))
	return outcome{physicalID: physicalID, attributes: answer.Attributes(room)}
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

func (r *run) orphanWarnings(chains plan.Chains, observed sg.Observed) []string {
	var warnings []string
	for _, identity := range chains.Orphans(observed.State) {
		warnings = append(warnings, fmt.Sprintf("security group %s (tier %s) is left over from a run that was broken off; it goes when the chain is deleted", observed.GroupIDs[identity], identity.Tier))
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
	reading, observed, err := r.look(ctx, nil, func(seen sg.Observed) bool { return len(seen.State.Groups) == 0 })
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
	r.log.Info("delete", slog.String("scope", chosen.String()), slog.String("reading", reading.String()))
	lease := fence.Hold(ctx, reading, r.reader.Read, r.judge(judge), r.log)
	defer lease.Release()
	r.edge.Gate = lease
	return r.edge.Remove(ctx, observed, func(state chain.State) [][]chain.Identity {
		return doomed(state, chosen, r.event.PhysicalResourceID)
	}, chain.TierNames(r.event.ResourceProperties))
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

// look reads CloudFormation and EC2 at the same time. Where an older run may be
// alive it waits until that one cannot write any more, and looks again. So it does
// where what EC2 shows is odd for the request: it may be the past.
func (r *run) look(ctx context.Context, over func(fence.Reading) error, odd func(sg.Observed) bool) (fence.Reading, sg.Observed, error) {
	reading, observed, err := r.lookOnce(ctx, over, sg.Observed{})
	if err != nil || (!odd(observed) && !fence.OlderMayRun(r.request, reading)) {
		return reading, observed, err
	}
	r.log.Info("an older run may be alive: waiting", slog.Duration("wait", fence.Settle), slog.String("reading", reading.String()))
	timer := time.NewTimer(fence.Settle)
	defer timer.Stop()
	select {
	case <-timer.C:
		return r.lookOnce(ctx, over, observed)
	case <-ctx.Done():
		return reading, observed, context.Cause(ctx)
	}
}

// lookOnce looks; groups that are known have to be shown.
func (r *run) lookOnce(ctx context.Context, over func(fence.Reading) error, known sg.Observed) (fence.Reading, sg.Observed, error) {
	type view struct {
		observed sg.Observed
		err      error
	}
	seen := make(chan view, 1)
	go func() {
		var now view
		now.err = guard.Run(func() (err error) {
			now.observed, err = r.edge.ObserveAgain(ctx, known)
			return err
		})
		seen <- now
	}()
	reading, err := r.reader.Read(ctx)
	ec2 := <-seen
	if err != nil {
		return reading, ec2.observed, errors.Join(&statusError{err}, context.Cause(ctx))
	}
	if reading.ResourceType != "" && reading.ResourceType != chain.ResourceType {
		return reading, ec2.observed, fmt.Errorf("checking event: the stack records %s as %.60q, which is not %s",
			r.event.LogicalResourceID, reading.ResourceType, chain.ResourceType)
	}
	if over != nil {
		if err = r.judge(over)(reading); err != nil {
			return reading, ec2.observed, err
		}
	}
	return reading, ec2.observed, ec2.err
}
