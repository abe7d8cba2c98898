package sg

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
)

// Obstacle is a reason why a group cannot be created.
type Obstacle struct {
	Group chain.Identity
	Err   error
}

// Obstacles returns what would prevent groups from being created: a missing VPC, or groups
// that have their names. Plans use it; a run gets these errors from EC2.
//
// EC2 ignores the letter case of names when it creates a group, and filters do not (API
// reference, CreateSecurityGroup, and chef-provisioning-aws issue 452). So it reads all groups
// of the VPC. The new groups would get the tag epoch; built are the groups that the chain has had.
func (e *Edge) Obstacles(ctx context.Context, wanted, built []chain.Identity, epoch chain.Epoch) ([]Obstacle, error) {
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
		if _, exists := found.VPCs[identity.VPCID]; !exists {
			obstacles = append(obstacles, Obstacle{Group: identity, Err: &NoVPCError{identity.VPCID}})
			continue
		}
		name := identity.EC2Name(e.Owner.Resource)
		for _, group := range groups {
			if aws.ToString(group.VpcId) == identity.VPCID && strings.EqualFold(aws.ToString(group.GroupName), name) {
				obstacles = append(obstacles, Obstacle{Group: identity, Err: e.holderError(group, identity, epoch, built)})
			}
		}
	}
	return obstacles, nil
}
