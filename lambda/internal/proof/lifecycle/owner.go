package lifecycle

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/internal/proof/world"
)

// owns reports whether a write is to a group of the request's own place, or takes the group over
// from another place of the chain.
func (w *Watch) owns(call world.Call, tags map[string]string) bool {
	owner := placeOf(tags)
	r := w.cf.requestOf(call)
	switch {
	case r == nil, w.cf.overlaps: // of two concurrent runs, the later one sees the other's writes seconds late
		return isOurs(owner.StackID)
	case owner == r.place:
		return true
	case !isOurs(owner.StackID):
		return false
	}
	switch in := call.Input.(type) {
	case *ec2.CreateTagsInput:
		// Two runs may both return a group, because one does not see the other's writes.
		return slices.ContainsFunc(in.Tags, isMark) && (r.moves || placeOf(tagMap(in.Tags)) == owner)
	case *ec2.DeleteTagsInput: // returned a moment ago
		return len(in.Tags) > 0 && !slices.ContainsFunc(in.Tags, func(tag types.Tag) bool { return !isMark(tag) })
	default:
		return false
	}
}

// isMark reports whether a tag is one of those that record where a group was moved from.
func isMark(tag types.Tag) bool { return strings.HasPrefix(aws.ToString(tag.Key), tagMovedFrom) }

// requestOf returns the request that a call was made for, or nil.
func (c *CloudFormation) requestOf(call world.Call) *request {
	id, _, _ := strings.Cut(call.Client, " run ")
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests[id]
}

const tagMovedFrom = "sgchain:moved-from"

// checkOnlyTags checks that a run which takes over the groups of another chain, or returns them,
// writes nothing but tags.
func (w *Watch) checkOnlyTags(call world.Call) {
	r := w.cf.requestOf(call)
	if r == nil || !r.onlyTags {
		return
	}
	w.count(Moving)
	if call.Operation != "CreateTags" && call.Operation != "DeleteTags" && !w.GroupRemoved() {
		w.violate(Moving, call.String()+": a move wrote more than tags")
	}
}

func tagMap(tags []types.Tag) map[string]string {
	all := map[string]string{}
	for _, tag := range tags {
		all[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return all
}
