package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/fence"
	"sgchain/lambda/internal/sg"
	"sgchain/lambda/plan"
)

// planning is the action plan on its way.
type planning struct {
	*acting

	reading  fence.Reading
	observed sg.Observed
	refusals []refusal
}

// refusal is what an Update would fail with.
type refusal struct {
	tier string
	err  error
}

// serve says what an Update to the properties would do now and in its cleanup, or all that it
// would be refused for.
func (p *planning) serve(ctx context.Context, refused error) error {
	p.refuse("", refused)
	p.looked.target = p.asked.target
	p.looked.target.Quota = plan.Quota{Rules: p.asked.spec.RuleQuota} // unless the look-ups complete it
	if err := p.look(ctx); err != nil {
		return err
	}
	p.looked.target.Change.Old = plan.AsBuilt(p.observed.State).Releasing(p.asked.spec.ReleaseTiers)
	p.looked.target.Change.StackTags = p.asked.spec.StackTags(p.reading.Tags)
	if err := p.takeOver(ctx); err != nil {
		return err
	}
	todo, made, err := p.edge.Plan(ctx, p.asked.query, p.looked.target, p.observed)
	if err != nil && !p.isRefusal(err) {
		return err
	}
	if err != nil {
		todo = p.unfit(ctx, err)
	}
	if err := p.lookAhead(ctx, todo); err != nil {
		return err
	}
	p.compare()
	if len(p.refusals) > 0 {
		p.report.Result, p.report.Text = chain.ResultRefused, p.refusedText()
		return nil
	}
	p.report.Warnings = slices.Concat(p.report.Warnings, made, strangeTags(p.looked.target, p.observed))
	p.describe(p.observed, todo)
	p.report.Result, p.report.Text = chain.ResultPlan, p.text(todo)
	return nil
}

// takeOver looks once more where the chain is still to be made, as the Create would that takes over the groups of another one.
func (p *planning) takeOver(ctx context.Context) error {
	if p.reading.Resource != "" || len(p.observed.State.Groups) > 0 {
		return nil
	}
	from, err := p.origin(ctx, p.asked.spec)
	if p.refuse("", err); !from.exists() {
		return nil
	}
	p.asked.query.From = from.owner
	if p.reading, p.observed, err = p.lookOnce(ctx, view{query: p.asked.query}, sg.Observed{}); err != nil {
		return err
	}
	p.looked.target, err = p.taking(p.looked.target, from, p.asked.spec.MovedFrom, p.observed)
	p.refuse("", err)
	return nil
}

// look reads the chain. What keeps the way there from being planned does not keep the rest of
// it from being looked at.
func (p *planning) look(ctx context.Context) error {
	var unknown error
	resolve := func(ctx context.Context) error {
		err := p.resolve(ctx)
		if p.isRefusal(err) {
			unknown = err
			return nil
		}
		return err
	}
	reading, observed, err := p.lookOnce(ctx, view{query: p.asked.query, beside: resolve}, sg.Observed{})
	if adoption, ok := errors.AsType[*sg.AdoptionError](err); ok {
		p.refuse(adoption.Tier, err)
		p.asked.query.Adoptable = nil
		reading, observed, err = p.lookOnce(ctx, view{query: p.asked.query}, sg.Observed{})
	}
	p.reading, p.observed = reading, observed
	for _, one := range leaves(unknown) {
		p.refuse("", one)
	}
	return err
}

// unfit notes why the edge has no plan, in every group where it would have none, and returns
// the plan that it would have otherwise.
func (p *planning) unfit(ctx context.Context, err error) plan.Plan {
	goal := p.looked.target.Goal(p.observed.State)
	todo := plan.Diff(p.observed.State, goal)
	conflicts := todo.NameConflicts(p.observed.State)
	for _, conflict := range conflicts {
		p.refuse(conflict.Wanted.Tier, &sg.RenameError{NameConflict: conflict})
	}
	if _, isRename := errors.AsType[*sg.RenameError](err); !isRename {
		p.refuse("", err)
	}
	isNew := func(chain.Identity) bool { return false }
	for _, identity := range goal.Identities() {
		own := plan.Plan{Steps: slices.DeleteFunc(slices.Clone(todo.Steps), func(step plan.Step) bool { return step.Group != identity })}
		_, _, err := own.Fit(p.observed.State, goal, p.looked.target.Quota, isNew, func() error { return context.Cause(ctx) })
		if err != nil && p.isRefusal(err) {
			p.refuse(identity.Tier, err)
		}
	}
	return todo
}

// lookAhead finds out what EC2 would refuse: names that are taken, and a VPC that is not there.
func (p *planning) lookAhead(ctx context.Context, todo plan.Plan) error {
	conflicts := todo.NameConflicts(p.observed.State)
	var wanted []chain.Identity
	for _, step := range todo.Steps {
		isRefused := slices.ContainsFunc(conflicts, func(one plan.NameConflict) bool { return one.Wanted == step.Group }) ||
			slices.ContainsFunc(p.refusals, func(one refusal) bool {
				adoption, ok := errors.AsType[*sg.AdoptionError](one.err)
				return ok && adoption.Tier == step.Group.Tier
			})
		if step.Action == plan.CreateGroup && !isRefused {
			wanted = append(wanted, step.Group)
		}
	}
	obstacles, err := p.edge.LookAhead(ctx, wanted, p.asked.query.Built, p.observed.State.NextEpoch(p.looked.target.PhysicalID))
	for _, one := range obstacles {
		p.refuse(one.Group.Tier, one.Err)
	}
	return err
}

// refuse notes what an Update would be refused for, once.
func (p *planning) refuse(tier string, err error) {
	isSame := func(other refusal) bool { return other.err.Error() == err.Error() }
	if err == nil || slices.ContainsFunc(p.refusals, isSame) {
		return
	}
	p.refusals = append(p.refusals, refusal{tier: tierOf(err, tier), err: err})
}

// isRefusal reports whether an error is about the change that is asked for, and not about the
// look at it.
func (p *planning) isRefusal(err error) bool {
	for _, one := range leaves(err) {
		switch one.(type) { //nolint:errorlint // the tree is walked already
		case *chain.UnknownPeerError, *plan.OwnGroupError, *plan.QuotaError, *plan.TagRoomError, *sg.RenameError, *sg.MoveError, *sg.MoveRoomError, *sg.MovedAwayError:
		default:
			return false
		}
	}
	return err != nil
}

// leaves returns the errors that were joined.
func leaves(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, one := range joined.Unwrap() {
		all = append(all, leaves(one)...)
	}
	return all
}

// tierOf returns the tier that an error is about.
func tierOf(err error, known string) string {
	if known != "" {
		return known
	}
	if peer, ok := errors.AsType[*chain.UnknownPeerError](err); ok {
		return peer.Tier
	}
	if own, ok := errors.AsType[*plan.OwnGroupError](err); ok {
		return own.Tier
	}
	if tight, ok := errors.AsType[*plan.QuotaError](err); ok {
		return tight.Group.Tier
	}
	if full, ok := errors.AsType[*plan.TagRoomError](err); ok {
		return full.Group.Tier
	}
	return ""
}

// compare puts into the report what becomes of every group, and what the cleanup does.
func (p *planning) compare() {
	report := p.report
	report.CurrentID = p.reading.PhysicalID
	report.Replaces = report.CurrentID != "" && report.CurrentID != report.PhysicalID
	report.Groups = p.groups(p.observed)
	report.Cleanup = p.changes(p.observed, plan.Cleanup(p.looked.target.Change, p.looked.target.Goal(p.observed.State)), changeBytes)
	for _, one := range p.refusals {
		report.Refused = append(report.Refused, refusals(one)...)
	}
}

func refusals(one refusal) []Refusal {
	guarded, ok := errors.AsType[*chain.GuardrailError](one.err)
	if !ok {
		return []Refusal{{Tier: one.tier, Reason: one.err.Error(), Remedy: remedy(one.err)}}
	}
	all := make([]Refusal, 0, len(guarded.Findings))
	for _, finding := range guarded.Findings {
		all = append(all, Refusal{Tier: finding.Tier, Reason: finding.Path + ": " + finding.String(), Remedy: finding.Remedy + " " + guarded.Remedy()})
	}
	return all
}

// refusedText says all that an Update would be refused for.
func (p *planning) refusedText() string {
	if len(p.refusals) == 1 {
		return "An update to these properties would be refused: " + p.reason(p.refusals[0].err).String() + "\n"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "An update to these properties would be refused, for %d reasons:\n", len(p.refusals))
	for _, one := range p.refusals {
		reason := p.reason(one.err)
		reason.Log = ""
		text.WriteString("- " + reason.String() + "\n")
	}
	return plan.Cut(text.String(), reportBytes)
}

// text says what an Update does now, what follows in its cleanup, and what becomes of groups.
func (p *planning) text(todo plan.Plan) string {
	if todo.Empty() && !p.report.Replaces {
		return "An update to these properties would change nothing.\n"
	}
	var text strings.Builder
	text.WriteString("An update to these properties would do:\n" + plan.Cut(todo.String(), reportBytes/2))
	if cleanup := plan.Cleanup(p.looked.target.Change, p.looked.target.Goal(p.observed.State)); !cleanup.Empty() {
		text.WriteString("Its cleanup, once every consumer has moved, would do:\n" + plan.Cut(cleanup.String(), reportBytes/4))
	}
	text.WriteString("The groups:\n")
	for _, fate := range plan.Fates(p.looked.target.Change, p.observed.State) {
		text.WriteString("  " + fate.Text(p.observed.GroupIDs[fate.Identity]) + "\n")
	}
	switch {
	case p.report.Replaces:
		fmt.Fprintf(&text, "The physical ID changes from %s to %s: consumers have to read the chain by Fn::GetAtt, not by Ref.\n", p.report.CurrentID, p.report.PhysicalID)
	case p.report.CurrentID != "":
		text.WriteString("The physical ID stays.\n")
	}
	return text.String()
}

// strangeTags says which tags the groups have that the properties do not ask for: whether the
// properties of before did, so that an update takes them away, is not known here.
func strangeTags(target sg.Target, observed sg.Observed) []string {
	var texts []string
	for _, wanted := range target.Change.New.Groups {
		was, _ := observed.State.Find(wanted.Identity)
		var keys []string
		for _, key := range slices.Sorted(maps.Keys(was.Tags)) {
			_, isWanted := wanted.Tags[key]
			_, isOfStack := target.Change.StackTags[key]
			if !isWanted && !isOfStack && !chain.IsOfStack(was.Tags, key) && !chain.IsMark(key) {
				keys = append(keys, key)
			}
		}
		if len(keys) > 0 {
			texts = append(texts, fmt.Sprintf("security group %s (tier %s) has tags that the properties lack: %s; an update takes away those that the properties of before had",
				observed.GroupIDs[wanted.Identity], wanted.Tier, strings.Join(keys, ", ")))
		}
	}
	return texts
}
