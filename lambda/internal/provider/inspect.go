package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
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
		deadline = time.Now().Add(chain.FunctionTimeout * time.Second)
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
		logPanic(log, err)
		err = errors.New(reason)
	} else {
		log.Info(action.Action, slog.String("result", report.Result), slog.String("text", plan.Cut(report.Text, plan.LogBytes)), slog.String("picture", plan.Cut(report.Picture, plan.LogBytes)))
		for _, warning := range report.Warnings {
			log.Warn("warning", slog.String("text", warning))
		}
	}
	if action.Action != chain.ActionPlan {
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
	asked  intent
	looked *lookedUp
}

// serve does what the action asks for.
func (a *acting) serve(ctx context.Context, functionARN string) error {
	if a.Misconfigured != nil {
		return &environmentError{a.Misconfigured}
	}
	if err := protocol.CheckOrigin(a.event, functionARN); err != nil {
		return err
	}
	if a.action.Action == chain.ActionRepair && !a.Repairs {
		return repairOffError{}
	}
	spec, err := chain.Parse(a.event.ResourceProperties, math.MaxInt) // nobody is given the attributes
	if err != nil {
		return &inputError{err}
	}
	isPlan := a.action.Action == chain.ActionPlan
	findings, refused := a.guard(spec, a.action.Action == chain.ActionCheck)
	if refused != nil && !isPlan {
		return refused
	}
	a.report.Warnings = append(a.report.Warnings, findings...)
	change := plan.Change{New: chain.Desired(spec), KeepUnmanaged: spec.KeepUnmanaged}
	a.asked = intent{spec: spec, query: a.query(spec, change), target: sg.Target{Change: change, PhysicalID: chain.PhysicalID(protocol.Resource(a.event), spec.Identities())}}
	a.report.PhysicalID = a.asked.target.PhysicalID
	if isPlan {
		a.asked.target.Change.AdoptedBy = chain.AdoptedBy("plan", stamp(time.Now()))
		a.looked = &lookedUp{run: a.run, asked: a.asked}
		return (&planning{acting: a}).serve(ctx, refused)
	}
	// What the last operation adopted keeps all that it had until the next one, and nobody
	// but an operation adopts.
	a.asked.target.Change.Old, a.asked.target.Change.Rollback = change.New, true
	a.asked.query.Adoptable = nil
	a.looked = &lookedUp{run: a.run, asked: a.asked}
	return a.check(ctx)
}

// check finds out in what the chain deviates from its properties and, where that is asked
// for, does away with it.
func (a *acting) check(ctx context.Context) error {
	found, err := a.deviation(ctx, a.resolve, sg.Observed{})
	if err == nil && !found.todo.Empty() {
		wait := confirmAfter
		if a.action.Action == chain.ActionRepair {
			wait = fence.Settle
		}
		if err = task.Sleep(ctx, wait); err == nil {
			found, err = a.deviation(ctx, nil, found.observed)
		}
	}
	if busy, ok := errors.AsType[*fence.NotAtRestError](err); ok {
		a.report.standBack(busy)
		return nil
	}
	if err != nil {
		return err
	}
	a.describe(found.observed, found.todo)
	strays := a.strays(ctx, found)
	a.report.Warnings = append(a.report.Warnings, strays...)
	switch {
	case found.todo.Empty():
		a.report.Result, a.report.Text = chain.ResultInSync, "The chain is as its properties say.\n"
		return nil
	case a.action.Action == chain.ActionCheck:
		a.report.Result, a.report.Text = chain.ResultDrift, "The chain deviates from its properties. To bring it back:\n"+found.todo.String()
		return nil
	case len(strays) > 0:
		return &strayError{strays}
	default:
		return a.repair(ctx, found)
	}
}

// resolve looks up what only EC2 knows. The error is for peers that are not there.
func (a *acting) resolve(ctx context.Context) error {
	if a.looked.ask(ctx); a.looked.failed != nil {
		return a.looked.failed
	}
	a.looked.complete()
	return a.looked.problem()
}

// deviation is a chain as it is, and what would bring it back to its properties.
type deviation struct {
	reading  fence.Reading
	observed sg.Observed
	todo     plan.Plan
}

// deviation looks at the chain, and beside it at what is asked for.
func (a *acting) deviation(ctx context.Context, beside func(context.Context) error, known sg.Observed) (deviation, error) {
	reading, observed, err := a.lookOnce(ctx, view{query: a.asked.query, beside: beside, admits: func(now fence.Reading) error {
		return fence.Quiet(a.asked.target.PhysicalID, now)
	}}, known)
	if err != nil {
		return deviation{reading: reading, observed: observed}, err
	}
	a.looked.target.Change.StackTags = a.asked.spec.StackTags(reading.Tags)
	todo, _, err := a.edge.Plan(ctx, a.asked.query, a.looked.target, observed)
	return deviation{reading, observed, todo}, err
}

// repair brings the chain back, as long as nothing else happens to the stack.
func (a *acting) repair(ctx context.Context, found deviation) error {
	lease := fence.Hold(ctx, found.reading, a.reader.Read, a.judge(func(now fence.Reading) error {
		return fence.StillAtRest(a.asked.target.PhysicalID, found.reading, now)
	}), a.log)
	defer lease.Release()
	result, err := a.edge.Converge(ctx, lease, a.asked.query, a.looked.target, found.observed)
	if busy, ok := errors.AsType[*fence.NotAtRestError](err); ok {
		a.report.standBack(busy)
		a.report.Text = fmt.Sprintf("The repair was broken off after %d calls that change something: %v. What was still to do is the operation's now.\n", a.edge.Writes(), busy)
		return nil
	}
	if err != nil {
		return err
	}
	for identity, id := range result.Observed.GroupIDs {
		if !found.observed.State.Has(identity) {
			a.report.Warnings = append(a.report.Warnings, fmt.Sprintf("security group %s (tier %s) was made anew: the stack's outputs, and what it gave to others, still have the ID of the one that was deleted; update the stack with another Revision", id, identity.Tier))
		}
	}
	a.report.Warnings = append(a.report.Warnings, result.Warnings...)
	a.report.Result, a.report.Text = chain.ResultRepaired, "The chain deviated from its properties. It was brought back:\n"+found.todo.String()
	return nil
}

// strays says which groups the plan would make though one of their name is there: a stranger
// took its tags away.
func (a *acting) strays(ctx context.Context, found deviation) []string {
	var texts []string
	for _, step := range found.todo.Steps {
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
				holder, step.Group.Tier, strings.Join(a.edge.Owner.TagTexts(step.Group, found.observed.State.NextEpoch(a.asked.target.PhysicalID)), " "))
			if step.Group.GroupName != "" {
				text += " (with sgchain:adopted it is released at its end and not deleted; leave that out only if the chain made it)"
			}
			texts = append(texts, text)
		}
	}
	return texts
}
