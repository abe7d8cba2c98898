package lifecycle

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// strangers puts groups into the world that are none of ours: one without tags, and
// one of another chain of the same provider.
func (p *player) strangers() {
	c := p.cf.World.Client("stranger")
	ctx := p.cf.background()
	for name, stack := range map[string]string{"stranger": "", "of another chain": strings.Replace(StackID, "Shop", "Other", 1)} {
		in := &ec2.CreateSecurityGroupInput{GroupName: aws.String(name), Description: aws.String(name), VpcId: aws.String(VPC)}
		if stack != "" {
			in.TagSpecifications = []types.TagSpecification{{ResourceType: types.ResourceTypeSecurityGroup, Tags: []types.Tag{
				{Key: aws.String("sgchain:stack-id"), Value: aws.String(stack)},
				{Key: aws.String("sgchain:logical-id"), Value: aws.String(LogicalID)},
				{Key: aws.String("sgchain:tier"), Value: aws.String("A")},
				{Key: aws.String("sgchain:chain"), Value: aws.String("1:sgchain-0")},
			}}}
		}
		if _, err := c.CreateSecurityGroup(ctx, in); err != nil {
			panic(err) // the world is empty and the group is well formed
		}
	}
	p.before = p.foreign()
}

// foreign prints the groups that lack our tags, but for those that hands made.
func (p *player) foreign() string {
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

// isOfChain reports whether a printed group, or one of a printed world, is the chain's.
func isOfChain(text string) bool {
	return strings.Contains(text, tagStackID+"="+StackID) || strings.Contains(text, ":stack/"+otherStack+"/")
}

// nothingLeft holds the world after the end against what it was before.
func (p *player) nothingLeft() {
	p.watch.count(Crash)
	text := p.cf.World.String()
	switch {
	case isOfChain(text) && !p.cf.abandoned && (p.chain != nil || !p.watch.Robbed()):
		p.watch.violate(Crash, "groups are left behind")
	case strings.Contains(p.cf.World.String(), "sgchain:adopted") && !p.cf.abandoned:
		p.watch.violate(Adoption, "a group that somebody made by hand is not released")
	case p.foreign() != p.before:
		p.watch.violate(HandsOff, "a stranger's group has changed")
	default:
		p.watch.ends(p.cf.abandoned)
	}
}
