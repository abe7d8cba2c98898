package lifecycle

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/internal/proof/world"
)

// owns reports whether a write is to a group of the place for which it is made, or takes the group
// over from another place of the chain.
func (w *Watch) owns(call world.Call, tags map[string]string) bool {
	owner := placeOf(tags)
	r := w.cf.requestOf(call)
	switch {
	case r == nil, w.cf.overlaps: // of two runs at once the later one sees the other's writes seconds later
		return isOurs(owner.StackID)
	case owner == r.place:
		return true
	case !isOurs(owner.StackID):
		return false
	}
	switch in := call.Input.(type) {
	case *ec2.CreateTagsInput:
		// One that is given back may be so twice, by runs of which one does not see the other's writes.
		return slices.ContainsFunc(in.Tags, isMark) && (r.moves || placeOf(tagMap(in.Tags)) == owner)
	case *ec2.DeleteTagsInput: // given back a moment ago
		return len(in.Tags) > 0 && !slices.ContainsFunc(in.Tags, func(tag types.Tag) bool { return !isMark(tag) })
	default:
		return false
	}
}

// isMark reports whether a tag is one of those that say where a group was moved from.
func isMark(tag types.Tag) bool { return strings.HasPrefix(aws.ToString(tag.Key), tagMovedFrom) }

// requestOf is the request for which a call was made, if it was made for one.
func (c *CloudFormation) requestOf(call world.Call) *request {
	id, _, _ := strings.Cut(call.Client, " run ")
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests[id]
}

const tagMovedFrom = "sgchain:moved-from"

// onlyTags holds a run that takes over the groups of another chain, or gives them back, against
// the promise that nothing but tags is written for it.
func (w *Watch) onlyTags(call world.Call) {
	r := w.cf.requestOf(call)
	if r == nil || !r.pure {
		return
	}
	w.count(Moving)
	if call.Operation != "CreateTags" && call.Operation != "DeleteTags" && !w.Robbed() {
		w.violate(Moving, call.String()+": a move that is more than tags")
	}
}

func tagMap(tags []types.Tag) map[string]string {
	all := map[string]string{}
	for _, tag := range tags {
		all[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return all
}
