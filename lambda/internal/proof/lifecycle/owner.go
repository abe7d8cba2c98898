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
	case r == nil:
		return isOurs(owner.StackID)
	case owner == r.place:
		return true
	case !isOurs(owner.StackID):
		return false
	}
	in, isTags := call.Input.(*ec2.CreateTagsInput)
	return r.moves && isTags && slices.ContainsFunc(in.Tags, func(tag types.Tag) bool { return aws.ToString(tag.Key) == tagMovedFrom })
}

// requestOf is the request for which a call was made, if it was made for one.
func (c *CloudFormation) requestOf(call world.Call) *request {
	id, _, _ := strings.Cut(call.Client, " run ")
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests[id]
}

const tagMovedFrom = "sgchain:moved-from"
