package provider

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/fence"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/sg"
	"sgchain/lambda/plan"
)

// intent is what a Create or an Update asks for. It is read once, without a call to EC2 or
// CloudFormation.
type intent struct {
	spec chain.Spec
	// refused is set if only a rollback may build the spec. Without a spec no operation may.
	refused error
	target  sg.Target
	query   sg.Query
}

// read returns the intent of an event. If only today's rules refuse the properties, the intent has
// both the spec and the error. A rollback returns to what an earlier request built, and no rule may
// prevent that.
func (r *run) read() intent {
	spec, refused := r.parse()
	if refused != nil && spec.VPCID == "" {
		return intent{refused: refused, target: sg.Target{PhysicalID: chain.PhysicalID(protocol.Resource(r.event), nil)}}
	}
	change := plan.Change{
		New: chain.Desired(spec), Old: r.oldChain().Releasing(spec.ReleaseTiers), KeepUnmanaged: spec.KeepUnmanaged, AdoptedBy: chain.AdoptedBy(r.event.RequestID, stamp(time.Now())),
		Creating: r.event.RequestType == cfn.RequestCreate,
	}
	return intent{
		spec: spec, refused: refused, query: r.query(spec, change),
		target: sg.Target{Change: change, PhysicalID: chain.PhysicalID(protocol.Resource(r.event), spec.Identities())},
	}
}

// isHopeless reports whether no operation, not even a rollback, can build the properties.
func (i intent) isHopeless() bool { return i.refused != nil && i.spec.VPCID == "" }

// change serves Create and Update. They differ in the ID that they answer with if they fail.
func (r *run) change(ctx context.Context) outcome {
	asked := r.read()
	attributes, err := r.build(ctx, asked)
	switch {
	case err == nil:
		return outcome{physicalID: asked.target.PhysicalID, attributes: attributes}
	case r.event.RequestType == cfn.RequestUpdate:
		return outcome{physicalID: r.event.PhysicalResourceID, err: err}
	default:
		return outcome{physicalID: asked.target.PhysicalID, err: err}
	}
}

// build converges the chain to the intent, and returns the answer's attributes.
func (r *run) build(ctx context.Context, asked intent) (map[string]string, error) {
	if asked.isHopeless() {
		return nil, asked.refused
	}
	// The run belongs to the operation that its first reading shows.
	operation := fence.Begin(r.request)
	var from origin
	if r.event.RequestType == cfn.RequestCreate {
		var err error
		if from, err = r.origin(ctx, asked.spec); err != nil {
			return nil, err
		}
		asked.query.From = from.owner
	}
	looked := &lookedUp{run: r, asked: asked}
	wanted := view{
		query: asked.query, beside: looked.look,
		admits: func(now fence.Reading) error {
			over := operation.Look(now)
			if asked.refused != nil && !isRollback(now) && !operation.IsBehind() {
				return asked.refused
			}
			return over
		},
		isDoubtful: func(seen chain.State) bool {
			return plan.MayBeStale(looked.target.Change, seen, r.event.PhysicalResourceID, asked.target.PhysicalID) || (from.isThere() && !isMove(seen))
		},
	}
	reading, observed, err := r.look(ctx, wanted)
	if err == nil && isRollback(reading) {
		reading, observed, err = r.insist(ctx, looked, wanted, reading, observed)
	}
	if err != nil {
		return nil, err
	}
	target, warnings, err := r.admit(asked, looked, reading, observed)
	if err != nil {
		return nil, err
	}
	if from, err = r.fresh(ctx, asked.spec, from); err != nil {
		return nil, err
	}
	if target, err = r.take(target, from, asked.spec.MovedFrom, reading, observed); err != nil {
		return nil, err
	}
	isGone, still := r.settles(ctx, observed.State)
	target.Change.MovedForGood, warnings = isGone, append(warnings, still...)
	lease := fence.Hold(ctx, reading, r.reader.Read, r.judge(operation.Over), r.log)
	defer lease.Release()
	result, err := r.edge.Converge(ctx, lease, asked.query, target, observed)
	if away, ok := errors.AsType[*sg.MovedAwayError](err); ok && isRollback(reading) {
		return r.movedAway(asked.spec, observed, away), nil
	}
	if err != nil {
		return nil, err
	}
	left := orphanScope{change: target.Change, query: asked.query, newest: observed.State.Newest(), takesOwn: r.takesOwn(reading, target.PhysicalID), rollback: target.Change.Rollback}
	warnings = slices.Concat(warnings, result.Warnings, adoptions(target, result.Observed), kept(target, result.Observed), target.Change.LackingTags(result.Observed.State), target.Ineffective, r.removeOrphans(ctx, lease, left, result.Observed))
	return r.answer(asked.spec, target, result, warnings), nil
}

// insist repeats look-ups that failed for a passing reason, and reads the chain again if that took
// time.
func (r *run) insist(ctx context.Context, looked *lookedUp, wanted view, reading fence.Reading, observed sg.Observed) (fence.Reading, sg.Observed, error) {
	waited, err := looked.insist(ctx)
	if err != nil || !waited {
		return reading, observed, err
	}
	wanted.beside = nil
	return r.lookOnce(ctx, wanted, observed)
}

// admit checks the chain against the properties' rules, the look-ups and the guardrails. They may
// refuse an update, but never a rollback. It returns the target without the rules that cannot be
// built.
func (r *run) admit(asked intent, looked *lookedUp, reading fence.Reading, observed sg.Observed) (sg.Target, []string, error) {
	back := isRollback(reading)
	looked.target.Change.Rollback, looked.target.Change.StackTags = back, asked.spec.StackTags(reading.Tags)
	if err := cmp.Or(asked.refused, looked.problem()); err != nil && !back {
		return sg.Target{}, nil, err
	}
	findings, err := r.checkGuardrails(asked.spec, back)
	if err != nil {
		return sg.Target{}, nil, err
	}
	target, stale := looked.finalTarget(observed)
	return target, slices.Concat(findings, stale), nil
}

// answer logs the chain's new state, and returns the attributes.
func (r *run) answer(spec chain.Spec, target sg.Target, result sg.Result, warnings []string) map[string]string {
	for _, warning := range warnings {
		r.log.Warn("warning", slog.String("text", warning))
	}
	answer := chain.Answer{Spec: spec, GroupIDs: map[string]string{}, RuleCount: target.Change.RuleCount(result.Observed.State), Warnings: warnings}
	for _, identity := range spec.Identities() {
		answer.GroupIDs[identity.Tier] = result.Observed.GroupIDs[identity]
	}
	r.log.Info("done", slog.Bool("wrote", result.Wrote), slog.Any("state", sg.Logged(result.Observed.State.String, plan.LogBytes)),
		slog.Any("picture", sg.Logged(func() string { return drawn(spec, target, result.Observed).String() }, plan.LogBytes)))
	return answer.Attributes(r.room())
}

// room returns how many bytes of attributes fit in the answer.
func (r *run) room() int {
	return protocol.AttributeBytes(r.event, chain.PhysicalID(protocol.Resource(r.event), nil))
}

// parse reads the properties. If only today's rules refuse them, it returns both a spec and an
// error.
func (r *run) parse() (chain.Spec, error) {
	spec, err := chain.Parse(r.event.ResourceProperties, r.room())
	if err == nil {
		return spec, nil
	}
	refused := &inputError{err}
	if r.event.RequestType != cfn.RequestUpdate {
		return chain.Spec{}, refused
	}
	built, err := chain.ParseBuilt(r.event.ResourceProperties)
	if err != nil {
		return chain.Spec{}, refused
	}
	return built, refused
}

// oldChain returns the chain before this Update. Properties that cannot be read were never built: a
// rollback has those of the failed Update as its old ones.
func (r *run) oldChain() chain.State {
	if r.event.RequestType != cfn.RequestUpdate {
		return chain.State{}
	}
	spec, err := chain.ParseBuilt(r.event.OldResourceProperties)
	if err != nil {
		r.log.Warn("old properties cannot be read; they count as never built", slog.String("problems", err.Error()))
		return chain.State{}
	}
	return chain.Desired(spec)
}
