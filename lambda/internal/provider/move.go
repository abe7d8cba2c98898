package provider

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/fence"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/sg"
)

// origin is the chain whose groups a Create takes over, as CloudFormation shows it. The zero origin is none.
type origin struct {
	owner   sg.Owner
	reading fence.Reading
}

// exists reports whether there is one.
func (o origin) exists() bool { return o.owner != (sg.Owner{}) }

// isThere reports whether the chain is in its stack: see [fence.Reading.IsThere].
func (o origin) isThere() bool { return o.reading.IsThere() }

// origin finds out whose groups a Create takes over. A stack of a name that is not there has none: a template that says where it was
// moved from may be deployed afresh.
func (r *run) origin(ctx context.Context, spec chain.Spec) (origin, error) {
	from := spec.MovedFrom
	if from == (chain.Origin{}) {
		return origin{}, nil
	}
	if !r.Moves {
		return origin{}, movesOffError{}
	}
	own := protocol.Resource(r.event)
	place := chain.Resource{StackID: cmp.Or(from.Stack, own.StackID), LogicalID: from.LogicalID}
	reading, err := r.readOrigin(ctx, place, from)
	if err != nil {
		return origin{}, err
	}
	place.StackID = cmp.Or(reading.StackID, place.StackID)
	found := origin{owner: sg.OwnerOf(chain.Former{Resource: place, Provider: from.Provider}, r.Provider), reading: reading}
	switch {
	case found.owner.Resource == own:
		return origin{}, &takingError{from, "is this chain itself", "Name the chain that has the groups, or leave MovedFrom out."}
	case !strings.HasPrefix(found.owner.Resource.StackID, "arn:"):
		r.log.Warn("no stack has the name in MovedFrom: nothing is taken over", slog.String("stack", from.Stack))
		return origin{}, nil
	}
	return found, nil
}

// readOrigin reads the status of a chain whose groups are taken over, or were.
func (r *run) readOrigin(ctx context.Context, place chain.Resource, from chain.Origin) (fence.Reading, error) {
	reading, err := fence.Reader{API: r.CloudFormation, Resource: place}.Read(ctx)
	if err != nil {
		return reading, &originError{from, err}
	}
	return reading, nil
}

// fresh looks at the chain again where the run has waited: no write may rest on a reading of that age.
func (r *run) fresh(ctx context.Context, spec chain.Spec, found origin) (origin, error) {
	if !found.exists() || time.Since(found.reading.At) < fence.ValidFor {
		return found, nil
	}
	return r.origin(ctx, spec)
}

// busy says why the groups of the chain cannot be taken over now; nil where they can. Now is the reading of the run's own stack.
func (o origin) busy(from chain.Origin, own chain.Resource, now fence.Reading) error {
	refused := func(why, todo string) error { return &takingError{from, why, todo} }
	switch reading := o.reading; {
	case !o.isThere():
		return nil
	case o.owner.Resource.StackID != own.StackID && reading.StackInProgress():
		return refused("is in a stack that is "+reading.Stack, "Wait until that operation has ended, and deploy again.")
	case reading.IsInProgress():
		return refused("is "+reading.Resource, "Take it out of its template, or wait until its operation has ended, and deploy again.")
	case o.owner.Resource.StackID == own.StackID && reading.Changed.After(now.Updated):
		return refused("is still in this template, and was changed in this operation", "Take it out of the template in the update that adds this chain.")
	}
	return nil
}

// take turns a Create into one that takes the groups of another chain over, where that chain may be taken over now.
func (r *run) take(target sg.Target, found origin, from chain.Origin, now fence.Reading, observed sg.Observed) (sg.Target, error) {
	target, err := r.taking(target, found, from, observed)
	if err == nil && target.Change.From != (chain.Former{}) {
		err = r.judge(func(now fence.Reading) error { return found.busy(from, protocol.Resource(r.event), now) })(now)
	}
	return target, err
}

// taking is take whenever it will be.
func (r *run) taking(target sg.Target, found origin, from chain.Origin, observed sg.Observed) (sg.Target, error) {
	if !found.exists() {
		return target, nil
	}
	if lacking := found.lacking(observed); len(lacking) > 0 {
		return target, &takingError{from, "has the security groups " + strings.Join(lacking, ", ") + ", and this chain has none of that tier, name, description and VPC", "Nothing was changed. Give this chain what the other one has, or leave MovedFrom out to have groups made anew."}
	}
	if !isMove(observed.State) {
		if found.isThere() {
			return target, &takingError{from, "is there, and EC2 shows none of its security groups for these tiers", "Nothing was changed. Look whether they lost their sgchain tags, or leave MovedFrom out to have groups made anew."}
		}
		return target, nil
	}
	target.Change, target.Confirm = target.Change.Moving(r.place(found)), r.confirm(found, from)
	return target, nil
}

// lacking names the groups of the chain that the new one does not have. What the chain itself left behind stays with it: that is not of the
// physical ID that is recorded, or that its other groups have.
func (o origin) lacking(observed sg.Observed) []string {
	var texts []string
	for _, group := range observed.Beside {
		isOfChain := !slices.ContainsFunc(observed.State.Groups, func(other chain.Group) bool { return other.Movable })
		for _, other := range observed.State.Groups {
			isOfChain = isOfChain || (other.Movable && other.Epoch == group.Epoch)
		}
		if o.isThere() && chain.IsPhysicalID(o.reading.PhysicalID) {
			isOfChain = group.Epoch.PhysicalID == o.reading.PhysicalID
		}
		if isOfChain {
			texts = append(texts, group.Identity.String())
		}
	}
	slices.Sort(texts)
	return texts
}

// place is the chain as the marks of its groups name it.
func (r *run) place(found origin) chain.Former {
	place := chain.Former{Resource: found.owner.Resource, Gone: !found.isThere()}
	if found.owner.Provider != r.Provider {
		place.Provider = found.owner.Provider
	}
	return place
}

// confirm looks at the chain once more at the end: an operation of its own that began meanwhile may have changed its groups. A Delete has
// not: it waits until the move is done. It follows the answer of another run of the same request.
func (r *run) confirm(found origin, from chain.Origin) func(context.Context) error {
	return func(ctx context.Context) error {
		now, err := r.readOrigin(ctx, found.owner.Resource, from)
		if err != nil {
			return err
		}
		if found.isThere() && now.IsThere() && !now.IsLeaving() && !now.Changed.Equal(found.reading.Changed) {
			return &takingError{from, "was changed while its groups were taken over", "The groups are given back, by this run or by the Delete that follows. Take that chain out of its template, and deploy again."}
		}
		return nil
	}
}

// isMove reports whether a Create takes groups over, or a run before it did.
func isMove(seen chain.State) bool {
	for _, group := range seen.Groups {
		if _, isMoved := chain.FormerOf(group.Tags); isMoved || group.Movable {
			return true
		}
	}
	return false
}

// former is the place from which the groups of a chain were moved; ok is false where there is none, or they were moved for good.
func former(seen chain.State) (from chain.Former, ok bool) {
	for _, group := range seen.Groups {
		if from, ok = chain.FormerOf(group.Tags); ok && !group.Movable {
			return from, true
		}
	}
	return chain.Former{}, false
}

// settles reports whether the chain is gone from which the groups were moved. Where it is not, or that cannot be told, the warning says so:
// the marks stay.
func (r *run) settles(ctx context.Context, seen chain.State) (isGone bool, warnings []string) {
	from, isMoved := former(seen)
	if !isMoved || r.event.RequestType != cfn.RequestUpdate { // the old chain goes once the new one is made
		return false, nil
	}
	reading, err := r.readOrigin(ctx, from.Resource, from.Origin())
	switch {
	case err != nil:
		return false, []string{"the move of the security groups is not settled: " + err.Error() + ". " + remedy(err)}
	case !reading.IsThere() || isAnother(reading, from):
		return true, nil
	default:
		return false, []string{fmt.Sprintf("the chain %s, from which the security groups were moved, is still in the template of stack %s: remove it there", from.LogicalID, from.StackID)}
	}
}

// giveBack looks at the chain from which the groups of a Delete for good were moved, and returns those of them that are given back.
func (r *run) giveBack(ctx context.Context, now fence.Reading, observed sg.Observed) ([]chain.Identity, error) {
	from, isMoved := former(observed.State)
	if !isMoved {
		return nil, nil
	}
	reading, err := r.readOrigin(ctx, from.Resource, from.Origin())
	if err != nil {
		return nil, err
	}
	isUndone, err := r.isUndone(ctx, from, now)
	if err != nil {
		return nil, err
	}
	if isLeft := reading.IsThere() && !reading.IsLeaving(); !isLeft && !isUndone {
		return nil, nil
	}
	seen, err := r.edge.ObserveAgain(ctx, sg.Query{From: sg.OwnerOf(from, r.Provider)}, observed)
	if err != nil {
		return nil, err
	}
	// What an earlier look shows may be given back by now, by another run: once more does no harm, and a look that lags would have it deleted.
	seen.State.Groups = append(seen.State.Groups, observed.State.Groups...)
	back := returned(seen.State, from, reading.PhysicalID)
	r.log.Info("give back", slog.String("to", from.LogicalID), slog.String("stack", from.StackID), slog.Int("groups", len(back)))
	return back, nil
}

// isUndone reports whether a move of groups that had been kept is taken back: by the stack, or by the stack at whose root it is nested, which
// deletes one that it had made.
func (r *run) isUndone(ctx context.Context, from chain.Former, now fence.Reading) (bool, error) {
	if !from.Gone || isBack(now) || now.RootID == "" {
		return from.Gone && isBack(now), nil
	}
	root, err := r.readOrigin(ctx, chain.Resource{StackID: now.RootID, LogicalID: from.LogicalID}, from.Origin())
	return isBack(root), err
}

// isAnother reports whether the resource is a chain that was made anew since the groups of the one before it were moved.
func isAnother(reading fence.Reading, from chain.Former) bool {
	return chain.IsPhysicalID(reading.PhysicalID) && reading.PhysicalID != from.Epoch.PhysicalID
}

// returned lists the groups that go back to the chain that they were moved from: none where that has groups of its own by now, under the
// physical ID that is recorded. What it left behind before the move has another one, and what was given back already has a mark.
func returned(seen chain.State, from chain.Former, recorded string) []chain.Identity {
	var all []chain.Identity
	for _, group := range seen.Groups {
		place, isMoved := chain.FormerOf(group.Tags)
		switch {
		case group.Movable && group.Epoch.PhysicalID == recorded && group.Tags[chain.TagMovedFrom] == "":
			return nil
		case isMoved && !group.Movable && place.Resource == from.Resource:
			all = append(all, group.Identity)
		}
	}
	return all
}

// movedAway is the answer of a way back of a chain whose groups are another one's by now: it stays so.
func (r *run) movedAway(spec chain.Spec, observed sg.Observed, away *sg.MovedAwayError) map[string]string {
	warning := away.Error() + ". " + away.Remedy()
	r.log.Warn("warning", slog.String("text", warning))
	answer := chain.Answer{Spec: spec, GroupIDs: map[string]string{}, RuleCount: observed.State.RuleCount(), Warnings: []string{warning}}
	for _, identity := range spec.Identities() {
		id := observed.GroupIDs[identity]
		if id == "" {
			id = away.GroupIDs[identity]
		}
		answer.GroupIDs[identity.Tier] = id
	}
	return answer.Attributes(r.room())
}

// movesOffError is a move where none is allowed.
type movesOffError struct{}

func (movesOffError) Error() string { return "reading MovedFrom: the provider does not allow moves" }

func (movesOffError) Remedy() string {
	return "Nothing was changed. Deploy the provider with AllowMoves, or leave MovedFrom out."
}

// originError is a chain in MovedFrom whose status cannot be read.
type originError struct {
	from chain.Origin
	err  error
}

func (e *originError) Error() string {
	return "reading the status of chain (" + e.from.String() + "): " + e.err.Error()
}
func (e *originError) Unwrap() error { return e.err }
func (e *originError) Remedy() string {
	return "The function's role needs cloudformation:DescribeStacks and cloudformation:DescribeStackResource on that stack, which a provider with AllowMoves has; then deploy again."
}

// takingError is a chain that cannot be taken over now.
type takingError struct {
	from      chain.Origin
	why, todo string
}

func (e *takingError) Error() string {
	return "taking over chain (" + e.from.String() + "): it " + e.why
}
func (e *takingError) Remedy() string { return e.todo }
