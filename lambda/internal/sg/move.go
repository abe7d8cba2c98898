package sg

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/task"
	"sgchain/lambda/plan"
)

// moving splits the steps of a phase into those that move groups and others. Moves are one call
// for all groups that get the same tags.
func moving(phase []plan.Step) (moves, others []plan.Step) {
	for _, step := range phase {
		if step.Action == plan.MoveGroup {
			moves = append(moves, step)
		} else {
			others = append(others, step)
		}
	}
	return moves, others
}

// moved returns the IDs of groups that belong to another chain, or did.
func (o Observed) moved() []string {
	var ids []string
	for _, group := range o.State.Groups {
		if _, isMoved := group.Tags[chain.TagMovedFrom]; isMoved || group.Movable {
			ids = append(ids, o.GroupIDs[group.Identity])
		}
	}
	return ids
}

// move makes groups of another chain the run's own, with one call for all that get the same
// tags. Two chains may take over the same chain at once, and a run may be late. So, as for an
// adoption, the observation is at most adoptWithin old when the call ends, and the run
// observes again adoptSettle later. The chain whose tags the groups have then owns them.
func (a *application) move(ctx context.Context, steps []plan.Step) error {
	bounded, cancel := context.WithDeadlineCause(ctx, a.observedAt.Add(adoptWithin), adoptionLapsed{})
	defer cancel()
	a.mu.Lock()
	for _, step := range steps {
		a.moved = append(a.moved, step.Group)
	}
	a.confirmed, a.adoptedAt = false, a.observedAt.Add(adoptWithin)
	a.mu.Unlock()
	err := a.moveRules(bounded, steps)
	if err == nil {
		err = a.retag(bounded, steps)
	}
	if err != nil {
		return a.unlessStale(errors.Join(context.Cause(bounded), err))
	}
	if err := task.Sleep(ctx, adoptSettle); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.confirmed = true // by the observation that follows
	return nil
}

// moveRules tags the rules of another provider's groups with this provider's tags. Within a
// provider, rules keep the tags of the place where they were created: nothing depends on them
// once the group was moved.
func (a *application) moveRules(ctx context.Context, steps []plan.Step) error {
	if a.from.Provider == "" {
		return nil
	}
	var ids []string
	for _, step := range steps {
		ids = append(ids, a.groupID(step.Group))
	}
	return a.tagRules(ctx, ids, a.Owner)
}

// tagRules sets an owner's tags on the rules of groups. It skips rules that already have them,
// because the role does not allow retagging those when a run is repeated.
func (a *application) tagRules(ctx context.Context, groupIDs []string, owner Owner) error {
	listed, err := a.listRules(ctx, groupIDs, nil, groupIDs)
	if err != nil {
		return err
	}
	var rules []string
	for _, group := range listed {
		for _, rule := range group {
			if rule.ours && rule.provider != owner.Provider {
				rules = append(rules, rule.id)
			}
		}
	}
	slices.Sort(rules)
	for resources := range slices.Chunk(rules, maxTagged) {
		if err := a.tag(ctx, resources, owner.ruleTags(), "tagging rules"); err != nil {
			return err
		}
	}
	return nil
}

// returnGroups returns groups to the chain from which they were moved. It removes the marks last:
// a run removes them if it finds a group marked with its own place.
func (a *application) returnGroups(ctx context.Context, steps []plan.Step) error {
	same := map[chain.Former][]string{}
	for _, step := range steps {
		from, isMoved := a.formerly[step.Group]
		if !isMoved {
			return errStaleView // no tag says whose it was
		}
		same[from] = append(same[from], a.groupID(step.Group))
	}
	for from, ids := range same {
		owner := OwnerOf(from, a.Owner.Provider)
		if from.Provider != "" {
			if err := a.tagRules(ctx, ids, owner); err != nil {
				return err
			}
		}
		// The name may have been generated in an earlier place. The mark identifies the group then.
		tags := append(owner.ruleTags(), tag(chain.TagChain, from.Epoch.String()), tag(chain.TagMovedFrom, chain.MovedForGood))
		if err := a.tag(ctx, ids, tags, "returning security groups"); err != nil {
			return err
		}
		if from.Provider != "" {
			continue // the role no longer allows changing their tags
		}
		if err := a.untag(ctx, ids, []string{chain.TagMovedFromStack}, "returning security groups"); err != nil {
			return err
		}
	}
	return nil
}

// OwnerOf returns the owner of the groups that were moved from a place. Provider is their
// current one.
func OwnerOf(from chain.Former, provider string) Owner {
	owner := Owner{Provider: from.Provider, Resource: from.Resource}
	if owner.Provider == "" {
		owner.Provider = provider
	}
	return owner
}

// hasMoved reports whether this run moved a group here and still has it. The lock is held.
func (a *application) hasMoved(group chain.Group) bool {
	_, isMoved := chain.FormerOf(group.Tags)
	return isMoved && !group.Movable && slices.Contains(a.moved, group.Identity)
}

// checkOnlyMoves refuses a move that would also change the chain: a rollback could not restore it.
func (a *application) checkOnlyMoves(target Target, todo plan.Plan, goal chain.State) error {
	if target.Change.From == (chain.Former{}) {
		return nil
	}
	for _, group := range goal.Groups {
		if count := group.TagCount(); count > chain.MaxGroupTags {
			return &MoveRoomError{From: target.Change.From.Resource, Group: group.Identity, Count: count}
		}
	}
	if todo.Beyond().Empty() {
		return nil
	}
	return &MoveError{From: target.Change.From.Resource, Rest: todo.Beyond()}
}

// checkNotMoved refuses to change a chain whose groups another chain took over: it would create
// them or others again.
func (a *application) checkNotMoved(ctx context.Context, change plan.Change, observed Observed, wrote bool) error {
	had := change.Old
	if change.Rollback {
		had = change.New
	}
	missing := slices.DeleteFunc(had.Identities(), observed.State.Has)
	if !a.query.MayBeMoved || len(missing) == 0 || change.From != (chain.Former{}) {
		return nil
	}
	groups, err := a.movedAway(ctx)
	if err != nil {
		return err
	}
	away := &MovedAwayError{LogicalID: a.Owner.Resource.LogicalID, GroupIDs: map[chain.Identity]string{}, Wrote: wrote}
	for _, group := range groups {
		identity := a.Owner.identity(group, a.query.Identities)
		if !slices.Contains(missing, identity) {
			continue // of an earlier chain in this place
		}
		away.To = chain.Resource{StackID: valueOf(group.Tags, chain.TagStackID), LogicalID: valueOf(group.Tags, chain.TagLogicalID)}
		away.GroupIDs[identity] = aws.ToString(group.GroupId)
	}
	if len(away.GroupIDs) == 0 {
		return nil
	}
	return away
}

// movedAway returns the groups that another chain took over.
func (e *Edge) movedAway(ctx context.Context) ([]types.SecurityGroup, error) {
	groups, err := e.describe(ctx, filter("tag:"+chain.TagMovedFromStack, e.Owner.Resource.StackID))
	if err != nil {
		return nil, &CallError{Doing: "describing security groups that were moved from chain (" + e.Owner.Resource.LogicalID + ")", Err: err}
	}
	return slices.DeleteFunc(groups, func(group types.SecurityGroup) bool { return !e.isFrom(group) }), nil
}

// isFrom reports whether another chain took over a group from this one.
func (e *Edge) isFrom(group types.SecurityGroup) bool {
	from, _ := chain.FormerOf(tagMap(group.Tags))
	return from.Resource == e.Owner.Resource
}

// NewestMovedAway returns the newest epoch from before the move of the groups that another chain took
// over.
func (e *Edge) NewestMovedAway(ctx context.Context) (chain.Epoch, error) {
	groups, err := e.movedAway(ctx)
	var newest chain.Epoch
	for _, group := range groups {
		if from, _ := chain.FormerOf(tagMap(group.Tags)); from.Epoch.Generation > newest.Generation {
			newest = from.Epoch
		}
	}
	return newest, err
}

// MoveError is a chain that differs from the one that takes it over.
type MoveError struct {
	From chain.Resource
	Rest plan.Plan
}

func (e *MoveError) Error() string {
	return "taking over chain (" + e.From.LogicalID + "): the two chains differ. Besides the move, this would change: " + oneLine(e.Rest)
}

// Remedy returns what to do.
func (e *MoveError) Remedy() string {
	return "A move changes only the owner. Use the other chain's properties, or update the other chain first. Make other changes afterwards."
}

// MoveRoomError is a group that has no room for the tags that mark a move.
type MoveRoomError struct {
	From  chain.Resource
	Group chain.Identity
	Count int // of tags that it would have
}

func (e *MoveRoomError) Error() string {
	return fmt.Sprintf("taking over chain (%s): security group %s would have %d tags, with those that record the move, and EC2 allows %d", e.From.LogicalID, e.Group, e.Count, chain.MaxGroupTags)
}

// Remedy returns what to do.
func (e *MoveRoomError) Remedy() string {
	return "Remove tags from the other chain in an update of its own, or from the group. Then move."
}

// MovedAwayError is a chain whose groups another one took over.
type MovedAwayError struct {
	LogicalID string
	To        chain.Resource
	// GroupIDs are the groups that it had.
	GroupIDs map[chain.Identity]string
	Wrote    bool // whether the run had already changed something
}

func (e *MovedAwayError) Error() string {
	var ids []string
	for _, id := range e.GroupIDs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return "updating chain (" + e.LogicalID + "): its security groups (" + capped(ids) + ") were moved to the chain " + e.To.LogicalID + " of stack " + e.To.StackID
}

// Remedy returns what to do.
func (e *MovedAwayError) Remedy() string {
	const remedy = "Remove this chain from its template: the other one has its groups."
	if e.Wrote {
		return remedy
	}
	return "Nothing was changed. " + remedy
}
