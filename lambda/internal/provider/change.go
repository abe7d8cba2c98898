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

// intent is what a Create or an Update asks for, read once and without a look at anything.
type intent struct {
	spec chain.Spec
	// refused is why only a rollback may build the spec. Without a spec nobody may.
	refused error
	target  sg.Target
	query   sg.Query
}

// read makes the intent of an event. What only today's rules refuse comes with the error: a
// rollback returns to what an earlier request built, and nothing may keep it from that.
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

// isHopeless says whether nobody may build it, a rollback neither.
func (i intent) isHopeless() bool { return i.refused != nil && i.spec.VPCID == "" }

// change serves Create and Update, which differ in what came before.
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

// build brings the chain to what is asked for, and returns the answer's attributes.
func (r *run) build(ctx context.Context, asked intent) (map[string]string, error) {
	if asked.isHopeless() {
		return nil, asked.refused
	}
	// The operation that the run belongs to is the one that its first reading shows.
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
			if asked.refused != nil && !isBack(now) && !operation.IsBehind() {
				return asked.refused
			}
			return over
		},
		isDoubtful: func(seen chain.State) bool {
			return plan.Doubtful(looked.target.Change, seen, r.event.PhysicalResourceID, asked.target.PhysicalID) || (from.isThere() && !isMove(seen))
		},
	}
	reading, observed, err := r.look(ctx, wanted)
	if err == nil && isBack(reading) {
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
	if away, ok := errors.AsType[*sg.MovedAwayError](err); ok && isBack(reading) {
		return r.movedAway(asked.spec, observed, away), nil
	}
	if err != nil {
		return nil, err
	}
	left := leftOvers{change: target.Change, query: asked.query, newest: observed.State.Newest(), takesOwn: r.takesOwn(reading, target.PhysicalID), rollback: target.Change.Rollback}
	warnings = slices.Concat(warnings, result.Warnings, adoptions(target, result.Observed), kept(target, result.Observed), target.Change.LackingTags(result.Observed.State), target.Unserved, r.removeOrphans(ctx, lease, left, result.Observed))
	return r.answer(asked.spec, target, result, warnings), nil
}

// insist repeats look-ups that failed for a moment, and looks at the chain again if that took
// its time.
func (r *run) insist(ctx context.Context, looked *lookedUp, wanted view, reading fence.Reading, observed sg.Observed) (fence.Reading, sg.Observed, error) {
	waited, err := looked.insist(ctx)
	if err != nil || !waited {
		return reading, observed, err
	}
	wanted.beside = nil
	return r.lookOnce(ctx, wanted, observed)
}

// admit judges what the properties, the look-ups and the guardrails have against the chain:
// they may refuse the way forward, never the way back. It returns the target as it can be had.
func (r *run) admit(asked intent, looked *lookedUp, reading fence.Reading, observed sg.Observed) (sg.Target, []string, error) {
	back := isBack(reading)
	looked.target.Change.Rollback, looked.target.Change.StackTags = back, asked.spec.StackTags(reading.Tags)
	if err := cmp.Or(asked.refused, looked.problem()); err != nil && !back {
		return sg.Target{}, nil, err
	}
	findings, err := r.guard(asked.spec, back)
	if err != nil {
		return sg.Target{}, nil, err
	}
	target, stale := looked.stand(observed)
	return target, slices.Concat(findings, stale), nil
}

// answer logs what the chain is now, and returns the attributes.
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

// room is how many bytes the attributes have in the answer.
func (r *run) room() int {
	return protocol.AttributeBytes(r.event, chain.PhysicalID(protocol.Resource(r.event), nil))
}

// parse reads the properties. What only today's rules refuse comes back beside the error.
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

// oldChain is what the resource was before this Update. Properties that cannot be
// read were never built: a rollback gets those of the failed Update as old ones.
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
