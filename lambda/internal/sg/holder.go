package sg

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
)

// holderError returns the error for a group that has the name of a wanted one. It names the
// group's owner. The wanted group would get the tag epoch; built are the groups that the chain
// has had.
func (e *Edge) holderError(holder types.SecurityGroup, wanted chain.Identity, epoch chain.Epoch, built []chain.Identity) error {
	if valueOf(holder.Tags, chain.TagMovedFrom) != "" && !e.Owner.owns(holder) {
		taken := e.nameTaken(holder)
		taken.Moved = true
		return taken
	}
	if e.mayBeOurs(holder, wanted, epoch, built) {
		return &LostTagsError{
			GroupID: aws.ToString(holder.GroupId), Tier: wanted.Tier, Tags: e.Owner.TagTexts(wanted, epoch), MayBeAdopted: wanted.GroupName != "", Wrote: e.Writes() > 0,
		}
	}
	taken := e.nameTaken(holder)
	if wanted.GroupName != "" {
		taken.Name = wanted.GroupName // the holder's may be in another letter case
	}
	return taken
}

func (e *Edge) nameTaken(holder types.SecurityGroup) *NameTakenError {
	id, tags := aws.ToString(holder.GroupId), tagMap(holder.Tags)
	whose := id
	switch stack := tags["aws:cloudformation:stack-id"]; {
	case tags[chain.TagStackID] != "":
		whose += fmt.Sprintf(" of the chain %s, tier %s, in stack %s", tags[chain.TagLogicalID], tags[chain.TagTier], tags[chain.TagStackID])
	case stack != "":
		whose += " of stack " + stack
	}
	taken := &NameTakenError{Name: aws.ToString(holder.GroupName), VPCID: aws.ToString(holder.VpcId), Holder: whose}
	if own := e.Owner.Resource; tags[chain.TagStackID] == own.StackID && tags[chain.TagLogicalID] != own.LogicalID {
		taken.Before = tags[chain.TagLogicalID]
	}
	return taken
}

// mayBeOurs reports whether a group that lacks some of the chain's tags is probably the chain's.
// A generated name shows that, because it has a hash of the chain. So does the physical ID in
// the tag, or that the chain has had the group. Otherwise the group must have one of the other
// ownership tags, and none with another value.
func (e *Edge) mayBeOurs(holder types.SecurityGroup, wanted chain.Identity, epoch chain.Epoch, built []chain.Identity) bool {
	tags := tagMap(holder.Tags)
	left := 0
	for _, own := range append(e.Owner.ruleTags(), e.tierTag(wanted)) {
		switch value, has := tags[aws.ToString(own.Key)]; {
		case has && value != aws.ToString(own.Value):
			left -= len(ownership())
		case has:
			left++
		}
	}
	hasID := chain.ParseEpoch(tags[chain.TagChain]).PhysicalID == epoch.PhysicalID
	isKnown := slices.Contains(built, wanted) && aws.ToString(holder.Description) == wanted.Description && left >= 0
	return wanted.GroupName == "" || hasID || left > 0 || isKnown
}

func (e *Edge) tierTag(wanted chain.Identity) types.Tag { return tag(chain.TagTier, wanted.Tier) }

// Holder returns the ID of another owner's group that has the name of an identity. It is empty
// if no such group exists.
func (e *Edge) Holder(ctx context.Context, identity chain.Identity) (string, error) {
	name := identity.EC2Name(e.Owner.Resource)
	groups, err := e.describe(ctx, filter("vpc-id", identity.VPCID), filter("group-name", name))
	if err != nil {
		return "", &CallError{Doing: "describing security groups (" + name + ")", Err: err}
	}
	for _, group := range groups {
		if aws.ToString(group.VpcId) == identity.VPCID && strings.EqualFold(aws.ToString(group.GroupName), name) && !e.Owner.owns(group) {
			return aws.ToString(group.GroupId), nil
		}
	}
	return "", nil
}
