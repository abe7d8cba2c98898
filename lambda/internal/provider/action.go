package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/fence"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/sg"
	"sgchain/lambda/internal/task"
	"sgchain/lambda/plan"
)

// confirmAfter is how long a check waits before it looks once more at what it found: reads
// lag, and a drift that is none costs the trust in all others. A repair waits as long as any
// run of before may write.
const confirmAfter = 5 * time.Second

// repairOffError is a repair where none is allowed.
type repairOffError struct{}

func (repairOffError) Error() string { return "repairing chain: the provider does not allow it" }
func (repairOffError) Remedy() string {
	return "Deploy the provider with AllowRepair, or with the drift guard in the mode repair."
}

// Invoke serves an invocation, of CloudFormation or of somebody else. The report is for the
// latter; the error is for Lambda.
func (h *Handler) Invoke(ctx context.Context, functionARN string, raw json.RawMessage) (any, error) {
	if !protocol.IsAction(raw) {
		return nil, h.Handle(ctx, functionARN, raw)
	}
	action, err := protocol.DecodeAction(raw)
	if err != nil {
		return nil, errors.New(h.reason(err).String())
	}
	return h.act(ctx, functionARN, action)
}

// act serves an action.
func (h *Handler) act(ctx context.Context, functionARN string, action protocol.Action) (*Report, error) {
	log := h.Log.With(slog.String("action", action.Action), slog.String("stack", action.StackID), slog.String("resource", action.LogicalResourceID))
	report := &Report{Action: action.Action}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(10 * time.Minute)
	}
	work, cancel := context.WithDeadlineCause(ctx, deadline.Add(-reserve), timeIsUpError{})
	defer cancel()
	err := task.Run(func() error {
		a := &acting{run: h.newRun(log, action.Event("")), action: action, report: report}
		return a.serve(work, functionARN)
	})
	report.Warnings = brief(report.Warnings)
	if err != nil {
		reason := h.reason(err).String()
		log.Error("failed", slog.String("error", reason))
		if panicked, ok := errors.AsType[*task.PanicError](err); ok {
			log.Error("panic", slog.String("stackTrace", panicked.Stack))
		}
		err = errors.New(reason)
	} else {
		log.Info(action.Action, slog.String("result", report.Result), slog.String("text", plan.Cut(report.Text, plan.LogBytes)), slog.String("picture", plan.Cut(report.Picture, plan.LogBytes)))
		for _, warning := range report.Warnings {
			log.Warn("warning", slog.String("text", warning))
		}
	}
	if action.Action != protocol.ActionPlan {
		measureDrift(log, action, *report, err)
	}
	if err != nil {
		return nil, err
	}
	return report, nil
}

// acting is one action on its way.
type acting struct {
	*run

	action protocol.Action
	report *Report
}

// serve does what the action asks for.
func (a *acting) serve(ctx context.Context, functionARN string) error {
	if a.Misconfigured != nil {
		return &environmentError{a.Misconfigured}
	}
	if err := protocol.CheckOrigin(a.event, functionARN); err != nil {
		return err
	}
	if a.action.Action == protocol.ActionRepair && !a.Repairs {
		return repairOffError{}
	}
	spec, err := chain.Parse(a.event.ResourceProperties, anyAnswerBytes)
	if err != nil {
		return &inputError{err}
	}
	isPlan := a.action.Action == protocol.ActionPlan
	findings, refused := a.guard(spec, a.action.Action == protocol.ActionCheck)
	if refused != nil && !isPlan {
		return refused
	}
	a.report.Warnings = append(a.report.Warnings, findings...)
	want := sg.Want{PhysicalID: chain.PhysicalID(protocol.Resource(a.event), spec.Identities())}
	want.Chains = plan.Chains{New: chain.Desired(spec), Keep: spec.KeepUnmanaged}
	a.report.PhysicalID = want.PhysicalID
	a.edge.Wants = wants(spec, want.Chains, a.reader)
	if isPlan {
		want.Chains.Adopting = chain.AdoptedBy("plan", stamp(time.Now()))
		return (&planning{acting: a, spec: spec, want: want}).serve(ctx, refused)
	}
	// What the last operation adopted keeps all that it had until the next one, and nobody
	// but an operation adopts.
	want.Chains.Old, want.Chains.Back = want.Chains.New, true
	a.edge.Wants.Adoptable = nil
	return a.check(ctx, spec, want)
}

// check finds out in what the chain deviates from its properties and, where that is asked
// for, does away with it.
func (a *acting) check(ctx context.Context, spec chain.Spec, want sg.Want) error {
	resolve := func(ctx context.Context) error { return a.resolve(ctx, spec.RuleQuota, &want) }
	reading, observed, todo, err := a.deviation(ctx, resolve, &want, sg.Observed{})
	if err == nil && !todo.Empty() {
		wait := confirmAfter
		if a.action.Action == protocol.ActionRepair {
			wait = fence.Settle
		}
		if err = task.Sleep(ctx, wait); err == nil {
			reading, observed, todo, err = a.deviation(ctx, nil, &want, observed)
		}
	}
	if busy, ok := errors.AsType[*fence.NotAtRestError](err); ok {
		a.report.standBack(busy)
		return nil
	}
	if err != nil {
		return err
	}
	a.describe(spec, want, observed, todo)
	strays := a.strays(ctx, want, observed, todo)
	a.report.Warnings = append(a.report.Warnings, strays...)
	switch {
	case todo.Empty():
		a.report.Result, a.report.Text = ResultInSync, "The chain is as its properties say.\n"
		return nil
	case a.action.Action == protocol.ActionCheck:
		a.report.Result, a.report.Text = ResultDrift, "The chain deviates from its properties. To bring it back:\n"+todo.String()
		return nil
	case len(strays) > 0:
		return &strayError{strays}
	default:
		return a.repair(ctx, want, reading, observed, todo)
	}
}

// deviation looks at the chain and works out what would bring it back to what is wanted,
// which resolve completes.
func (a *acting) deviation(ctx context.Context, resolve func(context.Context) error, want *sg.Want, known sg.Observed) (fence.Reading, sg.Observed, plan.Plan, error) {
	atRest := func(now fence.Reading) error { return fence.Quiet(want.PhysicalID, now) }
	reading, observed, err := a.lookOnce(ctx, atRest, resolve, known)
	if err != nil {
		return reading, observed, plan.Plan{}, err
	}
	todo, _, err := a.edge.Plan(ctx, *want, observed)
	return reading, observed, todo, err
}

// repair brings the chain back, as long as nothing else happens to the stack.
func (a *acting) repair(ctx context.Context, want sg.Want, first fence.Reading, observed sg.Observed, todo plan.Plan) error {
	lease := fence.Hold(ctx, first, a.reader.Read, a.judge(func(now fence.Reading) error {
		return fence.StillAtRest(want.PhysicalID, first, now)
	}), a.log)
	defer lease.Release()
	a.edge.Gate = lease
	result, err := a.edge.Converge(ctx, want, observed)
	if busy, ok := errors.AsType[*fence.NotAtRestError](err); ok {
		a.report.standBack(busy)
		a.report.Text = fmt.Sprintf("The repair was broken off after %d calls that change something: %v. What was still to do is the operation's now.\n", a.edge.Writes(), busy)
		return nil
	}
	if err != nil {
		return err
	}
	for identity, id := range result.Observed.GroupIDs {
		if !observed.State.Has(identity) {
			a.report.Warnings = append(a.report.Warnings, fmt.Sprintf("security group %s (tier %s) was made anew: the stack's outputs, and what it gave to others, still have the ID of the one that was deleted; update the stack with another Revision", id, identity.Tier))
		}
	}
	a.report.Warnings = append(a.report.Warnings, result.Warnings...)
	a.report.Result, a.report.Text = ResultRepaired, "The chain deviated from its properties. It was brought back:\n"+todo.String()
	return nil
}

// strayError is a repair of a chain of which some groups lost their tags: to make others in
// their place would leave those, and who is in them, alone.
type strayError struct{ strays []string }

func (e *strayError) Error() string { return "repairing chain: " + strings.Join(e.strays, "; ") }

func (e *strayError) Remedy() string {
	return "Nothing was changed. With the tags given back the next repair goes on; a group that is not the chain's needs another name."
}

// strays says which groups the plan would make though one of their name is there: a stranger
// took its tags away.
func (a *acting) strays(ctx context.Context, want sg.Want, observed sg.Observed, todo plan.Plan) []string {
	var texts []string
	for _, step := range todo.Steps {
		if step.Action != plan.CreateGroup {
			continue
		}
		holder, err := a.edge.Holder(ctx, step.Group)
		if err != nil {
			a.log.Warn("looking for a group by its name failed", slog.String("error", err.Error()))
			continue
		}
		if holder != "" {
			text := fmt.Sprintf("security group %s has the name of tier %s and lacks the tags that make it the chain's; if it is the chain's, give it the tags back: %s",
				holder, step.Group.Tier, strings.Join(a.edge.Owner.TagTexts(step.Group, observed.State.NextTag(want.PhysicalID)), " "))
			if step.Group.GroupName != "" {
				text += " (with sgchain:adopted it is released at its end and not deleted; leave that out only if the chain made it)"
			}
			texts = append(texts, text)
		}
	}
	return texts
}

// repairMayRun says whether a repair may be alive, which writes until it sees that the
// stack is not at rest any more.
func (r *run) repairMayRun() bool { return r.Repairs && r.request.Type != fence.Create }
