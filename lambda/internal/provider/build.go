package provider

import (
	"cmp"
	"context"
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

// build serves Create and Update, which differ in what came before.
func (r *run) build(ctx context.Context) outcome {
	resource := protocol.Resource(r.event)
	failed := func(physicalID string, err error) outcome {
		if r.event.RequestType == cfn.RequestUpdate {
			physicalID = r.event.PhysicalResourceID
		}
		return outcome{physicalID: physicalID, err: err}
	}
	spec, refused := r.parse()
	if refused != nil && spec.VPCID == "" {
		return failed(chain.PhysicalID(resource, nil), refused)
	}
	physicalID := chain.PhysicalID(resource, spec.Identities())
	want := sg.Want{Chains: plan.Chains{
		New: chain.Desired(spec), Old: r.oldChain(), Keep: spec.KeepUnmanaged, Adopting: chain.AdoptedBy(r.event.RequestID, stamp(time.Now())),
		Anew: r.event.RequestType == cfn.RequestCreate,
	}, PhysicalID: physicalID}
	r.edge.Wants = wants(spec, want.Chains, r.reader)

	// The operation that the run belongs to is the one that its first reading shows. It is
	// frozen once the run has looked: no renewal replaces it.
	var first fence.Reading
	looks := 0
	reading, observed, err := r.look(ctx, func(now fence.Reading) error {
		if looks++; looks == 1 {
			first = now
		} else {
			first = fence.Against(r.request, first, now)
		}
		if refused != nil && !isBack(now) && !fence.Behind(r.request, first) {
			return refused
		}
		return fence.Over(r.request, first, now)
	}, func(ctx context.Context) error {
		r.looked = r.lookUp(ctx, want)
		want = r.looked.complete(spec.RuleQuota, want)
		return nil
	}, func(seen sg.Observed) bool { return r.odd(want, seen) })
	if err != nil {
		return failed(physicalID, err)
	}
	want.Chains.Back = isBack(reading)
	if err := cmp.Or(refused, r.looked.problem()); err != nil && !want.Chains.Back {
		return failed(physicalID, err)
	}
	findings, err := r.guard(spec, want.Chains.Back)
	if err != nil {
		return failed(physicalID, err)
	}
	want, stale := r.looked.stand(want, observed)
	over := func(now fence.Reading) error { return fence.Over(r.request, first, now) }
	lease := fence.Hold(ctx, reading, r.reader.Read, r.judge(over), r.log)
	defer lease.Release()
	r.edge.Gate = lease
	result, err := r.edge.Converge(ctx, want, observed)
	if err != nil {
		return failed(physicalID, err)
	}
	warnings := slices.Concat(findings, stale, result.Warnings, adoptions(want, result.Observed), kept(want, result.Observed), want.Unserved, r.removeOrphans(ctx, want, reading, observed.State.Newest(), result.Observed))
	for _, warning := range warnings {
		r.log.Warn("warning", slog.String("text", warning))
	}
	answer := chain.Answer{Spec: spec, GroupIDs: map[string]string{}, RuleCount: want.Chains.RuleCount(result.Observed.State), Warnings: warnings}
	for _, identity := range spec.Identities() {
		answer.GroupIDs[identity.Tier] = result.Observed.GroupIDs[identity]
	}
	r.log.Info("done", slog.Bool("wrote", result.Wrote), slog.Any("state", sg.Logged(result.Observed.State.String, plan.LogBytes)),
		slog.Any("picture", sg.Logged(func() string { return drawn(spec, want, result.Observed).String() }, plan.LogBytes)))
	return outcome{physicalID: physicalID, attributes: answer.Attributes(r.room())}
}

// room is how many bytes the attributes have in the answer.
func (r *run) room() int {
	return protocol.AttributeBytes(r.event, chain.PhysicalID(protocol.Resource(r.event), nil))
}

// parse reads the properties. What only today's rules refuse comes back beside the error: a
// rollback returns to what an earlier request built, and nothing may keep it from that.
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
	spec, err := chain.ParseBuilt(r.event.OldResourceProperties)
	if err != nil {
		r.log.Warn("old properties cannot be read; they count as never built", slog.String("problems", err.Error()))
		return chain.State{}
	}
	return chain.Desired(spec)
}
