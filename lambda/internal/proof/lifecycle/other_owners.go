package lifecycle

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// addOtherOwners adds groups that the chain does not own: one without tags, and one of another
// chain of the same provider.
func (p *player) addOtherOwners() {
	c := p.cf.World.Client("another owner")
	ctx := p.cf.background()
	for name, stackID := range map[string]string{"another owner": "", "of another chain": strings.Replace(StackID, "Shop", "Other", 1)} {
		in := &ec2.CreateSecurityGroupInput{GroupName: aws.String(name), Description: aws.String(name), VpcId: aws.String(VPC)}
		if stackID != "" {
			in.TagSpecifications = []types.TagSpecification{{ResourceType: types.ResourceTypeSecurityGroup, Tags: []types.Tag{
				{Key: aws.String("sgchain:stack-id"), Value: aws.String(stackID)},
				{Key: aws.String("sgchain:logical-id"), Value: aws.String(LogicalID)},
				{Key: aws.String("sgchain:tier"), Value: aws.String("A")},
				{Key: aws.String("sgchain:chain"), Value: aws.String("1:sgchain-0")},
			}}}
		}
		if _, err := c.CreateSecurityGroup(ctx, in); err != nil {
			panic(err) // the world is empty and the group is well formed
		}
	}
	p.before = p.otherOwners()
}

// otherOwners prints the groups without the chain's tags, except those of out-of-band changes.
func (p *player) otherOwners() string {
	var all []string
	for _, block := range strings.SplitAfter(p.cf.World.String(), "\n") {
		if !strings.HasPrefix(block, " ") && !strings.HasPrefix(block, "interface ") {
			all = append(all, "")
		}
		if len(all) > 0 {
			all[len(all)-1] += block
		}
	}
	return strings.Join(slices.DeleteFunc(all, func(block string) bool {
		return isOfChain(block) || strings.HasPrefix(block, "by-hand-") || strings.HasPrefix(block, groupName("")) || isGenerated(block) || strings.Contains(block, " of account ")
	}), "")
}

// isOfChain reports whether a printed group, or any group of a printed world, is the chain's.
func isOfChain(text string) bool {
	return strings.Contains(text, tagStackID+"="+StackID) || strings.Contains(text, ":stack/"+otherStack+"/")
}

// checkNothingLeft compares the world after the stack's deletion with the world before.
func (p *player) checkNothingLeft() {
	p.watch.count(Crash)
	text := p.cf.World.String()
	switch {
	case isOfChain(text) && !p.cf.abandoned && (p.chain != nil || !p.watch.GroupRemoved()):
		p.watch.violate(Crash, "groups of the chain remain after the deletion of its stack")
	case strings.Contains(p.cf.World.String(), "sgchain:adopted") && !p.cf.abandoned:
		p.watch.violate(Adoption, "an adopted group was not released")
	case p.otherOwners() != p.before:
		p.watch.violate(HandsOff, "a group of another owner has changed")
	default:
		p.watch.checkReleasesAtEnd(p.cf.abandoned)
	}
}
