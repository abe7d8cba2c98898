package sg

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
)

// LostTagsError is a group that has the name of one that is to be created, and most likely is
// the chain's: somebody took its tags away.
type LostTagsError struct {
	GroupID, Tier string
	Tags          []string // as the AWS CLI takes them
	MayBeAdopted  bool
	Wrote         bool // whether the run had changed something by then
}

func (e *LostTagsError) Error() string {
	return fmt.Sprintf("creating security group of tier %s: %s has its name and lacks tags that make it the chain's", e.Tier, e.GroupID)
}

// Remedy is what to do.
func (e *LostTagsError) Remedy() string {
	text := fmt.Sprintf("If it is the chain's, give it the tags back (aws ec2 create-tags --resources %s --tags %s); otherwise choose another GroupName.",
		e.GroupID, strings.Join(e.Tags, " "))
	if e.MayBeAdopted {
		text += " Leave out sgchain:adopted only if the chain made the group: with it the group is released at its end, and not deleted."
	}
	if !e.Wrote {
		text = "Nothing was changed. " + text
	}
	return text
}

// inTheWay says whose a group is that has the name of one that is to be created, which would
// carry the tag.
func (e *Edge) inTheWay(holder types.SecurityGroup, wanted chain.Identity, tag chain.Tag) error {
	if e.mayBeOurs(holder, wanted, tag) {
		return &LostTagsError{
			GroupID: aws.ToString(holder.GroupId), Tier: wanted.Tier, Tags: e.Owner.TagTexts(wanted, tag), MayBeAdopted: wanted.GroupName != "", Wrote: e.Writes() > 0,
		}
	}
	err := nameTaken(holder)
	if taken, ok := errors.AsType[*NameTakenError](err); ok && wanted.GroupName != "" {
		taken.Name = wanted.GroupName // the holder's may be in another letter case
	}
	return err
}

// mayBeOurs reports whether there is a sign that the chain made or adopted a group which lacks
// one of its tags. A generated name is one, since a hash of the chain is in it; so is that the
// chain had the group until now, and the physical ID in its tag. Of the other tags of ownership
// one has to be left, and none may say something else.
func (e *Edge) mayBeOurs(holder types.SecurityGroup, wanted chain.Identity, tag chain.Tag) bool {
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
	hasID := chain.ParseTag(tags[tagChain]).PhysicalID == tag.PhysicalID
	isKnown := slices.Contains(e.Wants.Built, wanted) && aws.ToString(holder.Description) == wanted.Description && left >= 0
	return wanted.GroupName == "" || hasID || left > 0 || isKnown
}

func (e *Edge) tierTag(wanted chain.Identity) types.Tag { return tag(tagTier, wanted.Tier) }
