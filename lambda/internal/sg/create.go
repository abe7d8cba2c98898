package sg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/task"
	"sgchain/lambda/plan"
)

// freshGroupPatience is how long a new group may be unknown to other calls. "Eventual
// consistency in the Amazon EC2 API" (EC2 developer guide) has this very example.
const freshGroupPatience = 30 * time.Second

// createGroup creates a group with its ownership tags in one call, so that the chain's
// groups always have them. CreateSecurityGroup has no client token: if an answer is lost
// and the SDK retries, EC2 reports the chain's own group as a duplicate. So createGroup
// looks up a duplicate, and uses it if it has exactly the chain's tags.
func (a *application) createGroup(ctx context.Context, step plan.Step) error {
	name := step.Group.EC2Name(a.Owner.Resource)
	var id string
	counted, tries := withAttempts(ctx)
	err := a.write(counted, opCreateSecurityGroup, func(ctx context.Context) error {
		output, err := a.API.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
			GroupName: aws.String(name), Description: aws.String(step.Group.Description), VpcId: aws.String(step.Group.VPCID),
			TagSpecifications: specification(types.ResourceTypeSecurityGroup, a.Owner.groupTags(step)),
		})
		if err == nil {
			id = aws.ToString(output.GroupId)
		}
		return err
	})
	isSure, isLikely := err == nil, mayHaveEffect(err)
	if hasCode(err, codeGroupDuplicate) {
		isLikely = tries.lost.Load()
		id, err = a.findDuplicate(ctx, step, name)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.noteCreated(step.Group, step.Epoch, isSure, isLikely)
	if err != nil {
		_, isTaken := errors.AsType[*NameTakenError](err)
		if _, hasLost := errors.AsType[*LostTagsError](err); isTaken || hasLost {
			return err
		}
		err = &CallError{Doing: "creating security group (" + name + ")", Err: err}
		if isLapsed(err) {
			return fmt.Errorf("%w: %w", errStaleView, err)
		}
		return err
	}
	a.groupIDs[step.Group] = id
	return nil
}

// findDuplicate looks up the group with a name that EC2 reports as a duplicate. It returns
// the ID if the group is the chain's.
func (a *application) findDuplicate(ctx context.Context, step plan.Step, name string) (string, error) {
	wanted := step.Group
	wait := task.Backoff{Next: 300 * time.Millisecond, Last: 5 * time.Second}
	patience, cancel := context.WithTimeoutCause(ctx, freshGroupPatience, &NameTakenError{Name: name, VPCID: wanted.VPCID})
	defer cancel()
	for {
		holders, err := a.describe(ctx, filter("vpc-id", wanted.VPCID), filter("group-name", name))
		if err == nil && len(holders) == 0 { // filters are case-sensitive, names are not
			holders, err = a.describe(ctx, filter("vpc-id", wanted.VPCID))
		}
		if err != nil {
			return "", err
		}
		for _, holder := range holders {
			if aws.ToString(holder.VpcId) != wanted.VPCID || !strings.EqualFold(aws.ToString(holder.GroupName), name) {
				continue
			}
			if a.Owner.owns(holder) && tagMap(holder.Tags)[chain.TagTier] == wanted.Tier &&
				aws.ToString(holder.GroupName) == name && aws.ToString(holder.Description) == wanted.Description {
				return aws.ToString(holder.GroupId), nil
			}
			return "", a.holderError(holder, wanted, step.Epoch, a.query.Built)
		}
		// EC2 knows the name and does not show the group yet.
		if err := wait.Wait(patience); err != nil {
			return "", err
		}
	}
}

// noteCreated records a group that this run created, or may have created. Without a clear
// answer, a group counts only if it has the tag that this run writes and the old chain lacks
// it. A group of an earlier run that a lagging read did not show must not be deleted. The
// lock is held.
func (a *application) noteCreated(identity chain.Identity, tag chain.Epoch, isSure, isLikely bool) {
	switch {
	case isSure:
		a.created = append(a.created, identity)
	case isLikely && !a.old.Has(identity):
		a.likely[identity] = tag
	}
}

// isOwn reports whether this run created a group, or most likely did. The lock is held.
func (a *application) isOwn(group chain.Group) bool {
	tag, likely := a.likely[group.Identity]
	return slices.Contains(a.created, group.Identity) || (likely && tag == group.Epoch)
}
