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

// confirmAfter is how long a check waits before it reads its findings again. Reads lag, and a false
// report of drift would cost the trust in all others. A repair waits as long as an earlier run may
// still write.
const confirmAfter = 5 * time.Second

// Invoke serves an invocation by CloudFormation, or an action. Only an action has a report. The
// error is for Lambda.
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

// act serves an action and logs its result.
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
		logFailure(log, reason, err)
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

// acting is a running action.
type acting struct {
	*run

	action protocol.Action
	report *Report
	asked  intent
	looked *lookedUp
}

// serve runs the action.
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
	spec, err := chain.Parse(a.event.ResourceProperties, math.MaxInt) // an action returns no attributes
	if err != nil {
		return &inputError{err}
	}
	isPlan := a.action.Action == chain.ActionPlan
	findings, refused := a.checkGuardrails(spec, a.action.Action == chain.ActionCheck)
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
	// What the last operation adopted keeps all its rules until the next one, and only an operation
	// adopts.
	a.asked.target.Change.Old, a.asked.target.Change.Rollback = change.New, true
	a.asked.query.Adoptable = nil
	a.looked = &lookedUp{run: a.run, asked: a.asked}
	return a.check(ctx)
}

// check finds how the chain deviates from its properties and, for a repair, undoes it.
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
	if busy, ok := errors.AsType[*fence.BusyError](err); ok {
		a.report.standBack(busy)
		return nil
	}
	if err != nil {
		return err
	}
	a.describe(found.observed, found.todo)
	untagged := a.untagged(ctx, found)
	a.report.Warnings = append(a.report.Warnings, untagged...)
	switch {
	case found.todo.Empty():
		a.report.Result, a.report.Text = chain.ResultInSync, "The chain matches its properties.\n"
		return nil
	case a.action.Action == chain.ActionCheck:
		a.report.Result, a.report.Text = chain.ResultDrift, "The chain differs from its properties. A repair would do:\n"+found.todo.String()
		return nil
	case len(untagged) > 0:
		return &untaggedError{untagged}
	default:
		return a.repair(ctx, found)
	}
}

// resolve looks up what only EC2 knows. It returns an error for peers that do not exist.
func (a *acting) resolve(ctx context.Context) error {
	if a.looked.ask(ctx); a.looked.failed != nil {
		return a.looked.failed
	}
	a.looked.complete()
	return a.looked.problem()
}

// deviation is the observed chain, and the plan that would restore its properties.
type deviation struct {
	reading  fence.Reading
	observed sg.Observed
	todo     plan.Plan
}

// deviation reads the chain and, at the same time, what its properties name.
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

// repair restores the chain's properties, until the stack begins an operation.
func (a *acting) repair(ctx context.Context, found deviation) error {
	lease := fence.Hold(ctx, found.reading, a.reader.Read, a.judge(func(now fence.Reading) error {
		return fence.StillIdle(a.asked.target.PhysicalID, found.reading, now)
	}), a.log)
	defer lease.Release()
	result, err := a.edge.Converge(ctx, lease, a.asked.query, a.looked.target, found.observed)
	if busy, ok := errors.AsType[*fence.BusyError](err); ok {
		a.report.standBack(busy)
		a.report.Text = fmt.Sprintf("The repair stopped after %d calls that changed something: %v. The operation does the rest.\n", a.edge.Writes(), busy)
		return nil
	}
	if err != nil {
		return err
	}
	for identity, id := range result.Observed.GroupIDs {
		if !found.observed.State.Has(identity) {
			a.report.Warnings = append(a.report.Warnings, fmt.Sprintf("security group %s (tier %s) was created again. The stack's outputs and their consumers still have the ID of the deleted one. Update the stack with another Revision", id, identity.Tier))
		}
	}
	a.report.Warnings = append(a.report.Warnings, result.Warnings...)
	a.report.Result, a.report.Text = chain.ResultRepaired, "The chain differed from its properties. The repair did:\n"+found.todo.String()
	return nil
}

// untagged returns a warning for each group that has the name of one that the plan would create:
// another principal removed its tags. With sgchain:adopted the group would be released in the end, and
// not deleted.
func (a *acting) untagged(ctx context.Context, found deviation) []string {
	var texts []string
	for _, step := range found.todo.Steps {
		if step.Action != plan.CreateGroup {
			continue
		}
		holder, err := a.edge.Holder(ctx, step.Group)
		if err != nil {
			a.log.Warn("finding a security group by its name failed", slog.String("error", err.Error()))
			continue
		}
		if holder != "" {
			text := fmt.Sprintf("security group %s has the name of tier %s but lacks the chain's tags. If it is the chain's, restore them (aws ec2 create-tags --resources %s --tags %s)",
				holder, step.Group.Tier, holder, strings.Join(a.edge.Owner.TagTexts(step.Group, found.observed.State.NextEpoch(a.asked.target.PhysicalID)), " "))
			if step.Group.GroupName != "" {
				text += ". Omit sgchain:adopted only if the chain created it (adopted groups are released). Otherwise, change the GroupName"
			}
			texts = append(texts, text)
		}
	}
	return texts
}
