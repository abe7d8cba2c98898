package sg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/task"
	"sgchain/lambda/plan"
)

// moving splits the steps of a phase into those that move groups, which are one call for all that get the same tags, and others.
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

// moved lists the IDs of groups that belong to another chain, or did.
func (o Observed) moved() []string {
	var ids []string
	for _, group := range o.State.Groups {
		if _, isMoved := group.Tags[chain.TagMovedFrom]; isMoved || group.Movable {
			ids = append(ids, o.GroupIDs[group.Identity])
		}
	}
	return ids
}

// move makes groups of another chain the run's own: a call for all that get the same tags. Two chains may take over the same one, and a
// run may be late: as for an adoption, the look that the move is made by is not older than adoptWithin at the end of the call, and the
// run looks again adoptSettle later. Whose tags are there then has the groups.
func (a *application) move(ctx context.Context, steps []plan.Step) error {
	bounded, cancel := context.WithDeadlineCause(ctx, a.looked.Add(adoptWithin), adoptionLapsed{})
	defer cancel()
	a.mu.Lock()
	for _, step := range steps {
		a.moved = append(a.moved, step.Group)
	}
	a.confirmed, a.adoptedAt = false, a.looked.Add(adoptWithin)
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
	a.confirmed = true // by the look that follows
	return nil
}

// moveRules gives the rules of groups of another provider the tags of this one. Within a provider they keep the place where they were
// made: nothing is judged by that once their group was moved.
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

// tagRules gives the rules of groups the tags of an owner. The role takes no rule from the owner that it has already, so that a run which
// is made again leaves those alone.
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
		if err := a.tag(ctx, resources, owner.ruleTags(), "tagging rules of"); err != nil {
			return err
		}
	}
	return nil
}

// giveBack makes groups those of the chain again from which they were moved. The marks go last: a run that finds a group that bears its
// own place takes them away.
func (a *application) giveBack(ctx context.Context, steps []plan.Step) error {
	same := map[chain.Former][]string{}
	for _, step := range steps {
		from, isMoved := a.formerly[step.Group]
		if !isMoved {
			return errStaleView // nothing says whose it was
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
		// The name may be that of a place before: then the chain knows it by the mark.
		tags := append(owner.ruleTags(), tag(chain.TagChain, from.Epoch.String()), tag(chain.TagMovedFrom, chain.MovedForGood))
		if err := a.tag(ctx, ids, tags, "giving back"); err != nil {
			return err
		}
		if from.Provider != "" {
			continue // no right reaches them any more
		}
		if err := a.untag(ctx, ids, []string{chain.TagMovedFromStack}, "giving back"); err != nil {
			return err
		}
	}
	return nil
}

// OwnerOf returns who had the groups that were moved from a place. Provider is whose they are now.
func OwnerOf(from chain.Former, provider string) Owner {
	owner := Owner{Provider: from.Provider, Resource: from.Resource}
	if owner.Provider == "" {
		owner.Provider = provider
	}
	return owner
}

// hasMoved reports whether a group is one that this run took over, and still has. The lock is held.
func (a *application) hasMoved(group chain.Group) bool {
	_, isMoved := chain.FormerOf(group.Tags)
	return isMoved && !group.Movable && slices.Contains(a.moved, group.Identity)
}

// onlyMoves refuses to take over a chain that has to be changed for it: who takes the move back could not restore it.
func (a *application) onlyMoves(target Target, todo plan.Plan, goal chain.State) error {
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

// notMoved refuses to change a chain whose groups another chain took over, whether it would make them anew or others in their place.
func (a *application) notMoved(ctx context.Context, change plan.Change, observed Observed, wrote bool) error {
	had := change.Old
	if change.Rollback {
		had = change.New
	}
	missing := slices.DeleteFunc(had.Identities(), observed.State.Has)
	if !a.query.MayBeMoved || len(missing) == 0 || change.From != (chain.Former{}) {
		return nil
	}
	groups, err := a.away(ctx)
	if err != nil {
		return err
	}
	away := &MovedAwayError{LogicalID: a.Owner.Resource.LogicalID, GroupIDs: map[chain.Identity]string{}, Wrote: wrote}
	for _, group := range groups {
		identity := a.Owner.identity(group, a.query.Identities)
		if !slices.Contains(missing, identity) {
			continue // of a chain that was here before
		}
		away.To = chain.Resource{StackID: valueOf(group.Tags, chain.TagStackID), LogicalID: valueOf(group.Tags, chain.TagLogicalID)}
		away.GroupIDs[identity] = aws.ToString(group.GroupId)
	}
	if len(away.GroupIDs) == 0 {
		return nil
	}
	return away
}

// away returns the groups that another chain took over.
func (e *Edge) away(ctx context.Context) ([]types.SecurityGroup, error) {
	groups, err := e.describe(ctx, filter("tag:"+chain.TagMovedFromStack, e.Owner.Resource.StackID))
	if err != nil {
		return nil, &CallError{Doing: "describing security groups that were moved from chain (" + e.Owner.Resource.LogicalID + ")", Err: err}
	}
	return slices.DeleteFunc(groups, func(group types.SecurityGroup) bool { return !e.isFrom(group) }), nil
}

// isFrom reports whether a group is one that another chain took over from this one.
func (e *Edge) isFrom(group types.SecurityGroup) bool {
	from, _ := chain.FormerOf(tagMap(group.Tags))
	return from.Resource == e.Owner.Resource
}

// NewestAway returns the newest epoch that groups had which another chain took over.
func (e *Edge) NewestAway(ctx context.Context) (chain.Epoch, error) {
	groups, err := e.away(ctx)
	var newest chain.Epoch
	for _, group := range groups {
		if from, _ := chain.FormerOf(tagMap(group.Tags)); from.Epoch.Generation > newest.Generation {
			newest = from.Epoch
		}
	}
	return newest, err
}

// MoveError is a chain that cannot be taken over as it is.
type MoveError struct {
	From chain.Resource
	Rest plan.Plan
}

func (e *MoveError) Error() string {
	return "taking over chain (" + e.From.LogicalID + "): it is not what this chain is to be; to do beside the move: " + strings.Join(lines(e.Rest), "; ")
}

// Remedy is one sentence of what to do.
func (e *MoveError) Remedy() string {
	return "A move changes nothing but whose the groups are. Give this chain the properties that the other one has, or update the other one first; then move; then change."
}

// MoveRoomError is a group that has not room for the marks of a move.
type MoveRoomError struct {
	From  chain.Resource
	Group chain.Identity
	Count int // of tags that it would have
}

func (e *MoveRoomError) Error() string {
	return fmt.Sprintf("taking over chain (%s): security group %s would have %d tags with those that say where it was, and EC2 takes %d", e.From.LogicalID, e.Group, e.Count, chain.MaxGroupTags)
}

// Remedy is one sentence of what to do.
func (e *MoveRoomError) Remedy() string {
	return "Give the other chain fewer tags first, in an update of its own, or take tags off the group; then move."
}

// MovedAwayError is a chain whose groups another one took over.
type MovedAwayError struct {
	LogicalID string
	To        chain.Resource
	// GroupIDs are the groups that it had.
	GroupIDs map[chain.Identity]string
	Wrote    bool // whether the run had changed something by then
}

func (e *MovedAwayError) Error() string {
	var ids []string
	for _, id := range e.GroupIDs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return "updating chain (" + e.LogicalID + "): its security groups (" + capped(ids) + ") were moved to the chain " + e.To.LogicalID + " of stack " + e.To.StackID
}

// Remedy is one sentence of what to do.
func (e *MovedAwayError) Remedy() string {
	const remedy = "Remove this chain from its template: the other one has its groups."
	if e.Wrote {
		return remedy
	}
	return "Nothing was changed. " + remedy
}
