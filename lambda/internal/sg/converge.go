package sg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/task"
	"sgchain/lambda/plan"
)

const (
	// readPatience is how long a read may lag behind what this run has written
	// before that is written again.
	readPatience = 20 * time.Second
	// undoPatience is how long a failed run tries to remove what it created. What
	// is left is found by its tags when CloudFormation rolls back.
	undoPatience = 30 * time.Second
	// maxRounds is how often a chain is planned anew while others change it.
	maxRounds = 8
)

// DriftError is a chain that did not become what it should be: the plan is what
// is still to be done.
type DriftError struct {
	LogicalID string
	Rest      plan.Plan
}

func (e *DriftError) Error() string {
	lines := strings.FieldsFunc(e.Rest.String(), func(r rune) bool { return r == '\n' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return "verifying chain (" + e.LogicalID + "): still to do: " + strings.Join(lines, "; ")
}

// Remedy is one sentence of what to do.
func (e *DriftError) Remedy() string {
	return "Look for whoever else changes these security groups (CloudTrail shows it), stop it, and try again."
}

// LaggingError is a chain whose groups EC2 does not show in full.
type LaggingError struct{ LogicalID string }

func (e *LaggingError) Error() string {
	return "describing security groups of chain (" + e.LogicalID + "): EC2 goes on leaving out some of them"
}

// Remedy is one sentence of what to do.
func (e *LaggingError) Remedy() string {
	return "Try again; if it stays so, look whether somebody removed the sgchain tags of a group."
}

// NameTakenError is a group that cannot be created because of its name.
type NameTakenError struct{ Name, VPCID, Holder string }

func (e *NameTakenError) Error() string {
	text := "creating security group (" + e.Name + "): the name is taken in VPC " + e.VPCID
	if e.Holder != "" {
		text += " by " + e.Holder
	}
	return text
}

// Remedy is one sentence of what to do.
func (e *NameTakenError) Remedy() string {
	return "Choose another GroupName, leave GroupName out to have one generated, or delete the other group."
}

func nameTaken(holder types.SecurityGroup) error {
	id, tags := aws.ToString(holder.GroupId), tagMap(holder.Tags)
	whose := id
	switch stack := tags["aws:cloudformation:stack-id"]; {
	case tags[tagStackID] != "":
		whose += fmt.Sprintf(" of the chain %s, tier %s, in stack %s", tags[tagLogicalID], tags[tagTier], tags[tagStackID])
	case stack != "":
		whose += " of stack " + stack
	}
	return &NameTakenError{Name: aws.ToString(holder.GroupName), VPCID: aws.ToString(holder.VpcId), Holder: whose}
}

// RenameError is a change of a group that EC2 cannot make while the group's name
// stays the same.
type RenameError struct{ plan.NameConflict }

func (e *RenameError) Error() string {
	change := fmt.Sprintf("its Description changed from %q to %q", e.Holder.Description, e.Wanted.Description)
	switch {
	case e.Wanted.Tier != e.Holder.Tier:
		change = fmt.Sprintf("its tier changed from %s to %s", e.Holder.Tier, e.Wanted.Tier)
	case e.Wanted.Description == e.Holder.Description:
		change = fmt.Sprintf("its GroupName changed from %s to %s in nothing but the letter case", e.Holder.GroupName, e.Wanted.GroupName)
	}
	return fmt.Sprintf("replacing security group (%s): %s, which needs a new group, and the name cannot be had twice in VPC %s", e.Holder.GroupName, change, e.Wanted.VPCID)
}

// Remedy is one sentence of what to do.
func (e *RenameError) Remedy() string {
	return "Change the GroupName as well, leave it out to have one generated, or take the other change back."
}

// Want is what a chain should become.
type Want struct {
	Chains plan.Chains
	// PhysicalID is what the live groups are to belong to.
	PhysicalID string
	Quota      plan.Quota
	// Unserved is, for people, what the chain asks for and nothing comes of.
	Unserved []string
}

// Goal is what must hold at the end, as far as an observation tells. The tag is worked
// out from each observation anew: one that left out the newest group would otherwise
// give this chain too low a generation for good.
func (w Want) Goal(observed chain.State) chain.State {
	return plan.Goal(w.Chains, observed, observed.NextTag(w.PhysicalID))
}

// Plan is what is to be done to bring the chain to the goal, in its order, and what of that
// is unusual. The error is what would have it refused.
func (e *Edge) Plan(ctx context.Context, want Want, observed Observed) (plan.Plan, []string, error) {
	return newApplication(e, observed).plan(ctx, &want, observed, false)
}

// Result is a chain that has become what it should be.
type Result struct {
	Observed Observed
	// Wrote says whether anything had to be changed.
	Wrote bool
	// Warnings is what had to be done out of the usual order.
	Warnings []string
}

// Converge brings the chain to the goal and verifies it by observing again, until
// nothing differs. When it fails, it first removes the groups that it created
// itself, unless the gate is shut.
func (e *Edge) Converge(ctx context.Context, want Want, observed Observed) (Result, error) {
	run := newApplication(e, observed)
	run.old = want.Chains.Old
	result, err := run.converge(ctx, want, observed)
	if err == nil {
		return result, nil
	}
	if undo := run.undo(ctx); undo != nil {
		e.Log.Warn("undo failed; the groups are found by their tags later", slog.String("error", undo.Error()))
	}
	return Result{}, err
}

func (a *application) converge(ctx context.Context, want Want, observed Observed) (Result, error) {
	a.isBack = want.Chains.Back
	a.retires = func(identity chain.Identity) bool { return want.Chains.Standing(identity) == plan.Retired }
	lag := lagging{}
	var result Result
	var refused refusal // the last plan that EC2 did not take
	for round := 0; ; {
		todo, made, err := a.plan(ctx, &want, observed, result.Wrote)
		if err != nil {
			return Result{}, err
		}
		if todo.Empty() {
			isSettled, now, err := a.settleAdoptions(ctx, observed)
			if err != nil {
				return Result{}, err
			}
			if observed = now; !isSettled {
				continue
			}
			result.Observed = observed
			result.Warnings = append(result.Warnings, a.back.said...)
			return result, nil
		}
		overlooked, err := a.overlooks(ctx, todo)
		if err != nil {
			return Result{}, err
		}
		same := refused.isOf(todo)
		isHopeless := same && !lag.lasts(refused.patience)
		switch {
		case isHopeless && !overlooked:
			return Result{}, refused.cause
		case (overlooked || a.repeats(todo)) && lag.patient():
			if err = lag.wait(ctx); err != nil {
				return Result{}, errors.Join(&DriftError{LogicalID: a.Owner.Resource.LogicalID, Rest: todo}, err)
			}
		case overlooked:
			return Result{}, &LaggingError{LogicalID: a.Owner.Resource.LogicalID}
		case round >= maxRounds:
			return Result{}, &DriftError{LogicalID: a.Owner.Resource.LogicalID, Rest: todo}
		default:
			if !same {
				round++
				lag = lagging{}
			}
			a.logPlan(ctx, want, observed, round, todo)
			result.Wrote = true
			result.Warnings = append(result.Warnings, made...)
			if refused, err = a.applyUnlessStale(ctx, todo, &lag); err != nil {
				return Result{}, err
			}
		}
		if observed, err = a.observeAgain(ctx); err != nil {
			return Result{}, err
		}
	}
}

// plan works out what is to be done, and refuses what cannot be. Made is what had to be
// put in an unusual order.
func (a *application) plan(ctx context.Context, want *Want, observed Observed, wrote bool) (todo plan.Plan, made []string, err error) {
	goal := want.Goal(observed.State)
	if err = plan.OwnGroups(want.Chains, observed.GroupIDs); err != nil {
		return plan.Plan{}, nil, err
	}
	todo = plan.Diff(observed.State, goal)
	if conflicts := todo.NameConflicts(observed.State); len(conflicts) > 0 {
		return plan.Plan{}, nil, &RenameError{NameConflict: conflicts[0]}
	}
	// Lists that neither chain names may weigh in a group that was left behind or edited.
	if strange := todo.UnknownLists(observed.State, want.Quota); len(strange) > 0 {
		found, err := a.lookUpLists(ctx, listIDFilter, strange)
		if err != nil && !want.Chains.Back {
			return plan.Plan{}, nil, err
		}
		for _, id := range strange { // one that is gone weighs as little as a rule
			found = append(found, chain.PrefixList{ID: id})
		}
		want.Quota.Lists = slices.Concat(want.Quota.Lists, found)
	}
	todo, made, err = a.fit(ctx, want, todo, observed.State, goal)
	if tight, ok := errors.AsType[*plan.QuotaError](err); ok {
		tight.Wrote = wrote
	}
	return todo, made, err
}

// made says whether this run created a group: nobody lives there yet.
func (a *application) made(identity chain.Identity) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Contains(a.created, identity)
}

// logPlan puts a plan into the log, with what follows it in the cleanup.
func (a *application) logPlan(ctx context.Context, want Want, observed Observed, round int, todo plan.Plan) {
	if !a.Log.Enabled(ctx, slog.LevelInfo) {
		return // what follows costs more than the line
	}
	fields := []any{slog.Int("round", round), slog.Any("plan", Logged(todo.String, plan.LogBytes))}
	if cleanup := plan.Cleanup(want.Chains, want.Goal(observed.State)); !cleanup.Empty() {
		fields = append(fields, slog.Any("cleanup", Logged(cleanup.String, plan.LogBytes/2)))
	}
	a.Log.Info("plan", append(fields, slog.String("groups", plan.FateList(want.Chains, observed.State)))...)
}

// refusal is a plan that EC2 did not take, because it is not as the plan took it to be.
type refusal struct {
	plan     string
	cause    error
	patience time.Duration // how long the plan is tried again
}

// isOf reports whether it is this plan that was refused.
func (r refusal) isOf(todo plan.Plan) bool { return r.plan != "" && todo.String() == r.plan }

// applyUnlessStale applies a plan. Where EC2 does not take it, it waits a little: the
// observation behind the plan lags, or EC2 does not know a young group everywhere.
func (a *application) applyUnlessStale(ctx context.Context, todo plan.Plan, lag *lagging) (refusal, error) {
	err := a.apply(ctx, todo)
	if !errors.Is(err, errStaleView) {
		return refusal{}, err
	}
	a.Log.Info("observing again", slog.String("because", err.Error()))
	refused := refusal{plan: todo.String(), cause: err, patience: readPatience}
	if call, ok := errors.AsType[*CallError](err); ok {
		refused.cause = call
	}
	if peers, ok := errors.AsType[*PeerError](err); ok {
		refused.cause, refused.patience = peers, peerPatience
	}
	return refused, lag.wait(ctx)
}

// observeAgain observes what the run has done.
func (a *application) observeAgain(ctx context.Context) (Observed, error) {
	a.mu.Lock()
	known := Observed{GroupIDs: maps.Clone(a.groupIDs)}.without(a.vanished)
	a.mu.Unlock()
	observed, err := a.ObserveAgain(ctx, known)
	if err != nil {
		return Observed{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.groupIDs, a.vanished = maps.Clone(observed.GroupIDs), nil
	return observed, nil
}

// overlooks says whether the plan would revoke a rule that names a group of this
// chain, one that the read behind it did not show: by its ID EC2 does. Without such
// a rule it makes no call. Groups of another account are none of the chain's.
func (a *application) overlooks(ctx context.Context, todo plan.Plan) (bool, error) {
	var ids []string
	for _, step := range todo.Steps {
		for _, rule := range step.Rules {
			if step.Action == plan.RevokeRules && rule.Peer.Kind == chain.PeerGroup && rule.Peer.Account == "" {
				ids = append(ids, rule.Peer.ID)
			}
		}
	}
	if len(ids) == 0 {
		return false, nil
	}
	groups, err := a.describe(ctx, filter(groupIDFilter, ids...))
	if err != nil {
		return false, &CallError{Doing: "describing security groups (" + capped(ids) + ")", Err: err}
	}
	return slices.ContainsFunc(groups, a.Owner.owns), nil
}

// repeats says whether the plan has a change that this run has made already: the
// read behind it lags, or somebody else changed it back.
func (a *application) repeats(todo plan.Plan) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(todo.Steps, func(step plan.Step) bool {
		return slices.ContainsFunc(changes(step), func(change change) bool { return a.applied[change] })
	})
}

// undo removes the groups that this run created, gives back those that it adopted, and
// nothing else: a failed Update leaves the groups that were there before. Nobody lives in
// these by the chain's doing, because no answer named them.
func (a *application) undo(ctx context.Context) error {
	if len(a.created)+len(a.likely)+len(a.adopted) == 0 {
		return nil
	}
	mine := func(state chain.State) [][]chain.Identity {
		var mine []chain.Identity
		for _, group := range state.Groups {
			// One that can still be adopted was not adopted after all.
			if a.isOwn(group) || (slices.Contains(a.adopted, group.Identity) && group.Adoption != chain.Adoptable) {
				mine = append(mine, group.Identity)
			}
		}
		return [][]chain.Identity{mine}
	}
	a.Log.Info("undo", slog.Int("groups", len(a.created)+len(a.likely)), slog.Int("adopted", len(a.adopted)))
	a.Wants.Adoptable = nil // what stands in the way of an adoption must not in the way of this
	bounded, cancel := context.WithTimeout(ctx, undoPatience)
	defer cancel()
	lag := lagging{}
	observed, err := a.observeAgain(bounded)
	for err == nil && a.hides(observed) && lag.patient() {
		if err = lag.wait(bounded); err == nil {
			observed, err = a.observeAgain(bounded)
		}
	}
	if err != nil {
		return err
	}
	return a.Remove(bounded, observed, Removal{Doomed: mine, Back: true})
}

// hides says whether a read lacks a rule that this run gave to a group that it adopted: it
// lags, and giving the group back by it would leave the rule behind.
func (a *application) hides(observed Observed) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for change := range a.applied {
		group, found := observed.State.Find(change.group)
		isThere := func(rule chain.Rule) bool { return rule.Key() == change.rule.Key() }
		if found && change.action == plan.AuthorizeRules && slices.Contains(a.adopted, change.group) && !slices.ContainsFunc(group.Rules, isThere) {
			return true
		}
	}
	return false
}

// lagging waits for reads to catch up, longer each time.
type lagging struct {
	since time.Time
	task.Backoff
}

func (l *lagging) patient() bool { return l.lasts(readPatience) }

// lasts reports whether the waiting has taken less than a patience so far.
func (l *lagging) lasts(patience time.Duration) bool {
	l.begin()
	return time.Since(l.since) < patience
}

func (l *lagging) begin() {
	if l.since.IsZero() {
		l.since = time.Now()
		l.Backoff = task.Backoff{Next: 200 * time.Millisecond, Last: 5 * time.Second}
	}
}

func (l *lagging) wait(ctx context.Context) error {
	l.begin()
	return l.Backoff.Wait(ctx)
}
