// Package fence prevents a run from writing after CloudFormation has moved on.
//
// Events are repeated, delayed and concurrent: an Update that was cancelled still runs
// while its rollback starts. So every run reads the status of its stack and of its
// resource, and renews that [Reading] while it writes. A [Lease] starts no write, and
// leaves none in flight, on a reading that is too old.
//
// Pure functions of the readings, [Over] and [Judge], decide whether a request is over.
package fence

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

// API lists the calls that this package makes, with the SDK's own signatures.
type API interface {
	DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error)
	DescribeStackResource(context.Context, *cloudformation.DescribeStackResourceInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStackResourceOutput, error)
}
