package sg

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Groups returns the groups of any owner that match all filters, each once. EC2 treats * and ?
// in the values of filters as wildcards. Groups checks IDs, names and VPCs exactly, and the
// caller must check everything else.
func (e *Edge) Groups(ctx context.Context, filters ...types.Filter) ([]types.SecurityGroup, error) {
	return e.describe(ctx, filters...)
}
