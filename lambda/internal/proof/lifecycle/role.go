package lifecycle

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/internal/proof/world"
)

// Provider is the value of sgchain:provider in the tags of simulated chains.
const Provider = "arn:provider"

const (
	tagProvider  = "sgchain:provider"
	tagStackID   = "sgchain:stack-id"
	tagLogicalID = "sgchain:logical-id"
	tagAdopted   = "sgchain:adopted"
)

// MovingRole is Role with the permission to move: MoveOwnGroup allows the provider to give its
// groups to another of its chains.
func MovingRole(provider string) world.Role {
	role := Role(provider)
	return func(operation string, input any, resourceID string, tags map[string]string) bool {
		if in, isTags := input.(*ec2.CreateTagsInput); isTags && tags[tagProvider] == provider && slices.ContainsFunc(in.Tags, func(tag types.Tag) bool {
			return aws.ToString(tag.Key) == tagProvider && aws.ToString(tag.Value) == provider
		}) {
			return true
		}
		return role(operation, input, resourceID, tags)
	}
}

// role returns the role of the function under test.
func (c *CloudFormation) role() world.Role {
	if c.Movable {
		return MovingRole(Provider)
	}
	return Role(Provider)
}

// Role simulates the statements of the provider's template, including adoption, as far as they
// depend on the tags of the written resource. That matters if two runs release a group, or if the
// SDK repeats a release whose answer was lost.
func Role(provider string) world.Role {
	return func(_ string, input any, resourceID string, tags map[string]string) bool {
		_, isAdopted := tags[tagAdopted]
		isOwn := tags[tagProvider] == provider
		switch in := input.(type) {
		case *ec2.DeleteSecurityGroupInput: // DeleteOwnGroup
			return isOwn && !isAdopted
		case *ec2.CreateTagsInput:
			place := slices.IndexFunc(in.Tags, func(tag types.Tag) bool { return aws.ToString(tag.Key) == tagProvider })
			if place < 0 { // RetagOwnGroup
				return isOwn && !slices.ContainsFunc(in.Tags, isIdentity)
			}
			_, isTaken := tags[tagProvider] // AdoptGroup, AdoptOwnGroup
			return aws.ToString(in.Tags[place].Value) == provider && (isOwn || !isTaken) &&
				slices.ContainsFunc(in.Tags, func(tag types.Tag) bool { return aws.ToString(tag.Key) == tagAdopted })
		case *ec2.DeleteTagsInput:
			releases := slices.ContainsFunc(in.Tags, func(tag types.Tag) bool { return aws.ToString(tag.Key) == tagProvider })
			if releases { // ReleaseAdopted, ReleaseOwnRule
				return isOwn && (isAdopted || strings.HasPrefix(resourceID, "sgr-"))
			}
			return isOwn && len(in.Tags) > 0 && !slices.ContainsFunc(in.Tags, isOwnership) // UntagOwnGroup
		default: // ChangeOwnGroup
			return isOwn
		}
	}
}

// isIdentity reports whether a tag is one that a group gets only when it is created or adopted.
func isIdentity(tag types.Tag) bool {
	return slices.Contains([]string{tagProvider, tagStackID, tagLogicalID, "sgchain:tier"}, aws.ToString(tag.Key))
}

func isOwnership(tag types.Tag) bool {
	return isIdentity(tag) || slices.Contains([]string{tagAdopted, "sgchain:chain"}, aws.ToString(tag.Key))
}
