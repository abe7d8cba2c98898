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
)

// Obstacle is what keeps a group from being created.
type Obstacle struct {
	Group chain.Identity
	Err   error
}

// NoVPCError is a VPC that is not there.
type NoVPCError struct{ VPCID string }

func (e *NoVPCError) Error() string {
	return "looking up VPC (" + e.VPCID + "): there is none in this account and Region"
}

// Remedy is one sentence of what to do.
func (e *NoVPCError) Remedy() string {
	return "Nothing was changed. Set VpcId to a VPC of this account and Region."
}

// LostTagsError is a group that has the name of one that is to be created, and most likely is
// the chain's: somebody took its tags away.
type LostTagsError struct {
	GroupID, Tier string
	Tags          []string // as the AWS CLI takes them
	MayBeAdopted  bool
}

func (e *LostTagsError) Error() string {
	return fmt.Sprintf("creating security group of tier %s: %s has its name and lacks tags that make it the chain's", e.Tier, e.GroupID)
}

// Remedy is one sentence of what to do.
func (e *LostTagsError) Remedy() string {
	text := fmt.Sprintf("Nothing was changed. If it is the chain's, give it the tags back (aws ec2 create-tags --resources %s --tags %s); otherwise choose another GroupName.",
		e.GroupID, strings.Join(e.Tags, " "))
	if e.MayBeAdopted {
		text += " Leave out sgchain:adopted only if the chain made the group: with it the group is released at its end, and not deleted."
	}
	return text
}

// LookAhead returns what would keep groups from being created: a VPC that is not there, and
// groups that have their names. It is for plans; a run learns it from EC2. EC2 takes names in
// another letter case for the same and tells them apart in filters, so all groups of the VPC
// are read (CreateSecurityGroup: "You can't have two security groups for the same VPC with the
// same name"). The tag is what the groups would carry.
func (e *Edge) LookAhead(ctx context.Context, wanted []chain.Identity, tag chain.Tag) ([]Obstacle, error) {
	var vpcs []string
	for _, identity := range wanted {
		vpcs = append(vpcs, identity.VPCID)
	}
	if slices.Sort(vpcs); len(vpcs) == 0 {
		return nil, nil
	}
	vpcs = slices.Compact(vpcs)
	var groups []types.SecurityGroup
	var found chain.Found
	err := parallel([]func() error{
		func() (err error) {
			if groups, err = e.describe(ctx, filter("vpc-id", vpcs...)); err != nil {
				err = &CallError{Doing: "describing security groups of VPC (" + strings.Join(vpcs, ", ") + ")", Err: err}
			}
			return err
		},
		func() (err error) {
			found, err = e.LookUp(ctx, chain.LookUps{VPCIDs: vpcs})
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	var obstacles []Obstacle
	for _, identity := range wanted {
		if _, isThere := found.VPCs[identity.VPCID]; !isThere {
			obstacles = append(obstacles, Obstacle{Group: identity, Err: &NoVPCError{identity.VPCID}})
			continue
		}
		name := identity.EC2Name(e.Owner.Resource)
		for _, group := range groups {
			if aws.ToString(group.VpcId) == identity.VPCID && strings.EqualFold(aws.ToString(group.GroupName), name) {
				obstacles = append(obstacles, Obstacle{Group: identity, Err: e.inTheWay(group, identity, tag)})
			}
		}
	}
	return obstacles, nil
}

// inTheWay says whose a group is that has the name of another one.
func (e *Edge) inTheWay(holder types.SecurityGroup, wanted chain.Identity, tag chain.Tag) error {
	tags := tagMap(holder.Tags)
	isOurs := wanted.GroupName == "" || (tags[tagStackID] == e.Owner.Resource.StackID && tags[tagLogicalID] == "") ||
		(tags[tagStackID] == "" && tags[tagLogicalID] == e.Owner.Resource.LogicalID) ||
		(tags[tagStackID] == e.Owner.Resource.StackID && tags[tagLogicalID] == e.Owner.Resource.LogicalID)
	if isOurs {
		return &LostTagsError{GroupID: aws.ToString(holder.GroupId), Tier: wanted.Tier, Tags: e.Owner.TagTexts(wanted, tag), MayBeAdopted: wanted.GroupName != ""}
	}
	err := nameTaken(holder)
	if taken, ok := errors.AsType[*NameTakenError](err); ok {
		taken.Name = wanted.GroupName // the holder's may be in another letter case
	}
	return err
}
