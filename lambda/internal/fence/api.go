// Package fence keeps a run from writing once CloudFormation has moved on.
//
// Events repeat, arrive late and overlap: an Update that was cancelled still runs
// while its rollback starts. So every run reads the state of its stack and of its
// resource, renews that [Reading] while it writes, and sends no write, and leaves
// none in flight, on a reading that is too old: a [Lease]. Whether a request is
// over is decided by pure functions of the readings, [Over] and [Judge].
package fence

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

// API is the calls that this package makes, with the SDK's own signatures.
type API interface {
	DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error)
	DescribeStackResource(context.Context, *cloudformation.DescribeStackResourceInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStackResourceOutput, error)
}
