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

// planning is a running plan action.
type planning struct {
	*acting

	reading  fence.Reading
	observed sg.Observed
	refusals []refusal
}

// refusal is an error with which an Update would fail.
type refusal struct {
	tier string
	err  error
}

// serve reports what an Update to the properties and its cleanup would do now, or everything that
// it would be refused for.
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
	p.report.Warnings = slices.Concat(p.report.Warnings, made, extraTags(p.looked.target, p.observed))
	p.describe(p.observed, todo)
	p.report.Result, p.report.Text = chain.ResultPlan, p.text(todo)
	return nil
}

// takeOver reads again if the chain does not exist yet, as a Create would that takes over the
// groups of another one.
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

// look reads the chain. What prevents a plan does not stop the rest from being read.
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

// unfit records why there is no plan, for each group that has none, and returns the plan without
// these checks.
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

// lookAhead finds what EC2 would refuse: names that are taken, and a VPC that does not exist.
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
	obstacles, err := p.edge.Obstacles(ctx, wanted, p.asked.query.Built, p.observed.State.NextEpoch(p.looked.target.PhysicalID))
	for _, one := range obstacles {
		p.refuse(one.Group.Tier, one.Err)
	}
	return err
}

// refuse records an error with which an Update would fail, once.
func (p *planning) refuse(tier string, err error) {
	isSame := func(other refusal) bool { return other.err.Error() == err.Error() }
	if err == nil || slices.ContainsFunc(p.refusals, isSame) {
		return
	}
	p.refusals = append(p.refusals, refusal{tier: tierOf(err, tier), err: err})
}

// isRefusal reports whether an error is about the change itself, and not about reading.
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

// compare adds the fate of every group and the cleanup to the report.
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

// refusedText lists everything that an Update would be refused for.
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

// text describes what an Update does now, what its cleanup does, and the fate of each group.
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
		fmt.Fprintf(&text, "The physical ID changes from %s to %s: consumers must use Fn::GetAtt, not Ref.\n", p.report.CurrentID, p.report.PhysicalID)
	case p.report.CurrentID != "":
		text.WriteString("The physical ID stays.\n")
	}
	return text.String()
}

// extraTags returns a warning for tags that the properties lack. An update removes those that the
// previous properties had, which are unknown here.
func extraTags(target sg.Target, observed sg.Observed) []string {
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
			texts = append(texts, fmt.Sprintf("security group %s (tier %s) has tags that the properties lack: %s. An update removes those that were in the previous properties",
				observed.GroupIDs[wanted.Identity], wanted.Tier, strings.Join(keys, ", ")))
		}
	}
	return texts
}
