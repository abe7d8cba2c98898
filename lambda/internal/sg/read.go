package sg

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Groups reads the groups of anybody that match all filters, page by page, each once. EC2 takes * and ? in the values of filters for
// wildcards, so the caller holds what comes against what it asked for; IDs, names and VPCs are held against it here.
func (e *Edge) Groups(ctx context.Context, filters ...types.Filter) ([]types.SecurityGroup, error) {
	return e.describe(ctx, filters...)
}
