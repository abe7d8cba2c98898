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

// origin is the chain whose groups a Create takes over, as CloudFormation shows it. The zero origin
// means no move.
type origin struct {
	owner   sg.Owner
	reading fence.Reading
}

// exists reports whether the Create takes groups over.
func (o origin) exists() bool { return o.owner != (sg.Owner{}) }

// isThere reports whether the chain is in its stack: see [fence.Reading.Exists].
func (o origin) isThere() bool { return o.reading.Exists() }

// origin returns the chain whose groups a Create takes over. A name of a stack that does not exist
// means no move: a template with MovedFrom can be deployed to an empty account.
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
		return origin{}, &takingError{from, "is this chain itself", "Nothing was changed. Name the chain that has the security groups, or remove MovedFrom."}
	case !strings.HasPrefix(found.owner.Resource.StackID, "arn:"):
		r.log.Warn("no stack has the name in MovedFrom: no groups are taken over", slog.String("stack", from.Stack))
		return origin{}, nil
	}
	return found, nil
}

// readOrigin reads the status of the chain that the groups are, or were, moved from.
func (r *run) readOrigin(ctx context.Context, place chain.Resource, from chain.Origin) (fence.Reading, error) {
	reading, err := fence.Reader{API: r.CloudFormation, Resource: place}.Read(ctx)
	if err != nil {
		return reading, &originError{from, err}
	}
	return reading, nil
}

// fresh reads the chain's status again if the run has waited: no write may rest on a reading of
// that age.
func (r *run) fresh(ctx context.Context, spec chain.Spec, found origin) (origin, error) {
	if !found.exists() || time.Since(found.reading.At) < fence.ValidFor {
		return found, nil
	}
	return r.origin(ctx, spec)
}

// busy returns an error if the chain's groups cannot be taken over now. The argument now is the
// reading of the run's own stack.
func (o origin) busy(from chain.Origin, own chain.Resource, now fence.Reading) error {
	refused := func(why, todo string) error { return &takingError{from, why, todo} }
	switch reading := o.reading; {
	case !o.isThere():
		return nil
	case o.owner.Resource.StackID != own.StackID && reading.StackInProgress():
		return refused("is in a stack with status "+reading.Stack, "Nothing was changed. Wait until that operation ends, then deploy again.")
	case reading.IsInProgress():
		return refused("has status "+reading.Resource, "Nothing was changed. Remove it from its template or wait until its operation ends, then deploy again.")
	case o.owner.Resource.StackID == own.StackID && reading.Changed.After(now.Updated):
		return refused("is still in this template and was updated in this operation", "Nothing was changed. Remove it from the template in the update that adds this chain.")
	}
	return nil
}

// take turns a Create into a move if the other chain's groups can be taken over now.
func (r *run) take(target sg.Target, found origin, from chain.Origin, now fence.Reading, observed sg.Observed) (sg.Target, error) {
	target, err := r.taking(target, found, from, observed)
	if err == nil && target.Change.From != (chain.Former{}) {
		err = r.judge(func(now fence.Reading) error { return found.busy(from, protocol.Resource(r.event), now) })(now)
	}
	return target, err
}

// taking is take without the check of the other chain's status.
func (r *run) taking(target sg.Target, found origin, from chain.Origin, observed sg.Observed) (sg.Target, error) {
	if !found.exists() {
		return target, nil
	}
	if lacking := found.lacking(observed); len(lacking) > 0 {
		return target, &takingError{from, "has security groups that this chain lacks: " + strings.Join(lacking, ", "), "Nothing was changed. Give this chain tiers with the same Name, GroupName, Description and VPC, or remove MovedFrom to create new groups."}
	}
	if !isMove(observed.State) {
		if found.isThere() {
			return target, &takingError{from, "exists, but EC2 shows no security groups of it for these tiers", "Nothing was changed. Check whether they lost their sgchain tags, or remove MovedFrom to create new groups."}
		}
		return target, nil
	}
	target.Change, target.Confirm = target.Change.Moving(r.place(found)), r.confirm(found, from)
	return target, nil
}

// lacking names the groups of the chain that the new one does not have. Orphaned groups stay with
// that chain. They are not of the recorded physical ID, or not of the one that its other groups
// have.
func (o origin) lacking(observed sg.Observed) []string {
	var texts []string
	for _, group := range observed.Outside {
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

// place returns the chain as the tags of a move name it.
func (r *run) place(found origin) chain.Former {
	place := chain.Former{Resource: found.owner.Resource, Gone: !found.isThere()}
	if found.owner.Provider != r.Provider {
		place.Provider = found.owner.Provider
	}
	return place
}

// confirm returns a check for the end of the move: an operation of the other chain that began
// meanwhile may have changed its groups. A Delete has not: it waits until the move is done. It
// follows the answer of another run of the same request.
func (r *run) confirm(found origin, from chain.Origin) func(context.Context) error {
	return func(ctx context.Context) error {
		now, err := r.readOrigin(ctx, found.owner.Resource, from)
		if err != nil {
			return err
		}
		if found.isThere() && now.Exists() && !now.IsLeaving() && !now.Changed.Equal(found.reading.Changed) {
			return &takingError{from, "was updated during the move", "This run or the Delete that follows returns its security groups. Remove that chain from its template, then deploy again."}
		}
		return nil
	}
}

// isMove reports whether a Create takes groups over, or an earlier run of it did.
func isMove(seen chain.State) bool {
	for _, group := range seen.Groups {
		if _, isMoved := chain.FormerOf(group.Tags); isMoved || group.Movable {
			return true
		}
	}
	return false
}

// former returns the chain from which the groups were moved. It returns false if none was moved, or
// if the move is settled.
func former(seen chain.State) (from chain.Former, ok bool) {
	for _, group := range seen.Groups {
		if from, ok = chain.FormerOf(group.Tags); ok && !group.Movable {
			return from, true
		}
	}
	return chain.Former{}, false
}

// settles reports whether the chain from which the groups were moved is gone. If it is not, or its
// status cannot be read, the groups keep their tags of the move and settles returns a warning.
func (r *run) settles(ctx context.Context, seen chain.State) (isGone bool, warnings []string) {
	from, isMoved := former(seen)
	if !isMoved || r.event.RequestType != cfn.RequestUpdate { // CloudFormation deletes the old chain after it created the new one
		return false, nil
	}
	reading, err := r.readOrigin(ctx, from.Resource, from.Origin())
	switch {
	case err != nil:
		return false, []string{"the move of the security groups is not complete: " + err.Error() + ". " + remedy(err)}
	case !reading.Exists() || isAnother(reading, from):
		return true, nil
	default:
		return false, []string{fmt.Sprintf("chain %s, from which the security groups were moved, is still in the template of stack %s. Remove it there", from.LogicalID, from.StackID)}
	}
}

// groupsToReturn returns the groups of a final Delete that return to the chain from which they were
// moved.
func (r *run) groupsToReturn(ctx context.Context, now fence.Reading, observed sg.Observed) ([]chain.Identity, error) {
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
	if isLeft := reading.Exists() && !reading.IsLeaving(); !isLeft && !isUndone {
		return nil, nil
	}
	seen, err := r.edge.ObserveAgain(ctx, sg.Query{From: sg.OwnerOf(from, r.Provider)}, observed)
	if err != nil {
		return nil, err
	}
	// Another run may have returned the groups of the earlier read. Returning them twice is
	// harmless, but a read that lags would delete them.
	seen.State.Groups = append(seen.State.Groups, observed.State.Groups...)
	back := returned(seen.State, from, reading.PhysicalID)
	r.log.Info("returning groups", slog.String("to", from.LogicalID), slog.String("stack", from.StackID), slog.Int("groups", len(back)))
	return back, nil
}

// isUndone reports whether a move of retained groups is rolled back. Either this stack does so, or
// its root stack, which deletes a nested stack that it created.
func (r *run) isUndone(ctx context.Context, from chain.Former, now fence.Reading) (bool, error) {
	if !from.Gone || isRollback(now) || now.RootID == "" {
		return from.Gone && isRollback(now), nil
	}
	root, err := r.readOrigin(ctx, chain.Resource{StackID: now.RootID, LogicalID: from.LogicalID}, from.Origin())
	return isRollback(root), err
}

// isAnother reports whether the resource is a chain that was created again after the groups of the
// earlier one were moved.
func isAnother(reading fence.Reading, from chain.Former) bool {
	return chain.IsPhysicalID(reading.PhysicalID) && reading.PhysicalID != from.Epoch.PhysicalID
}

// returned lists the groups that return to the chain from which they were moved. It lists none if
// that chain has groups of its own under the recorded physical ID. Its orphaned groups from before
// the move have another ID, and groups that were already returned have a tag.
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

// movedAway returns the attributes for a rollback of a chain whose groups now belong to another
// one. They stay there.
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

// movesOffError is returned for a move that the provider does not allow.
type movesOffError struct{}

func (movesOffError) Error() string { return "reading MovedFrom: the provider does not allow moves" }

func (movesOffError) Remedy() string {
	return "Nothing was changed. Deploy the provider with AllowMoves, or remove MovedFrom."
}

// originError is returned if the status of the chain in MovedFrom cannot be read.
type originError struct {
	from chain.Origin
	err  error
}

func (e *originError) Error() string {
	return "reading the status of chain (" + e.from.String() + "): " + e.err.Error()
}
func (e *originError) Unwrap() error { return e.err }
func (e *originError) Remedy() string {
	return "Allow the function's role cloudformation:DescribeStacks and cloudformation:DescribeStackResource on that stack, as AllowMoves does, then deploy again."
}

// takingError is returned if a chain's groups cannot be taken over now.
type takingError struct {
	from      chain.Origin
	why, todo string
}

func (e *takingError) Error() string {
	return "taking over chain (" + e.from.String() + "): it " + e.why
}
func (e *takingError) Remedy() string { return e.todo }
