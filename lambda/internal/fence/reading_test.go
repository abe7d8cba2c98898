package fence_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/fence"
)

type apiError struct{ code, message string }

func (e apiError) Error() string        { return e.code + ": " + e.message }
func (e apiError) ErrorCode() string    { return e.code }
func (e apiError) ErrorMessage() string { return e.message }

// cloudFormation answers as a test specifies.
type cloudFormation struct {
	stacks              []types.Stack
	detail              *types.StackResourceDetail
	stackErr, detailErr error
}

func (c cloudFormation) DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	return &cloudformation.DescribeStacksOutput{Stacks: c.stacks}, c.stackErr
}

func (c cloudFormation) DescribeStackResource(context.Context, *cloudformation.DescribeStackResourceInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStackResourceOutput, error) {
	if c.detail == nil && c.detailErr == nil {
		panic("planted")
	}
	return &cloudformation.DescribeStackResourceOutput{StackResourceDetail: c.detail}, c.detailErr
}

func TestRead(t *testing.T) {
	t.Parallel()
	stack := []types.Stack{{StackStatus: types.StackStatusUpdateInProgress, LastUpdatedTime: aws.Time(noon)}}
	detail := &types.StackResourceDetail{
		ResourceStatus: types.ResourceStatusUpdateInProgress, ResourceType: aws.String(chain.ResourceType),
		PhysicalResourceId: aws.String(x), LastUpdatedTimestamp: aws.Time(noon.Add(time.Second)),
	}
	noResource := apiError{"ValidationError", "Resource Chain does not exist for stack Shop"}
	for _, test := range []struct {
		name string
		api  cloudFormation
		want string // the reading as text, or a part of the error
		ok   bool
	}{
		{"both", cloudFormation{stacks: stack, detail: detail}, "the stack is UPDATE_IN_PROGRESS, the resource is UPDATE_IN_PROGRESS as " + x, true},
		{"no resource yet", cloudFormation{stacks: stack, detailErr: noResource}, "the stack is UPDATE_IN_PROGRESS, it has no such resource", true},
		{"no resource, as MiniStack reports it", cloudFormation{stacks: stack, detailErr: apiError{"ValidationError", "Resource [Chain] does not exist in stack [Shop]"}}, "it has no such resource", true},
		{"no stack", cloudFormation{stackErr: apiError{"ValidationError", "Stack with id Shop does not exist"}, detailErr: apiError{"ValidationError", "Stack 'Shop' does not exist"}}, "the stack does not exist, it has no such resource", true},
		{"denied", cloudFormation{stackErr: apiError{"AccessDenied", "not authorized"}, detail: detail}, "describing stack (s): AccessDenied", false},
		{"resource denied", cloudFormation{stacks: stack, detailErr: apiError{"AccessDenied", "not authorized"}}, "describing stack resource (Chain): AccessDenied", false},
		{"another validation error", cloudFormation{stacks: stack, detailErr: apiError{"ValidationError", "1 validation error detected"}}, "1 validation error", false},
		{"an empty answer", cloudFormation{detail: detail}, "with 0 stacks", false},
		{"a panic", cloudFormation{stacks: stack}, "panicked: planted", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := fence.Reader{API: test.api, Resource: chain.Resource{StackID: "s", LogicalID: "Chain"}}.Read(t.Context())
			switch {
			case test.ok && (err != nil || !strings.Contains(got.String(), test.want)):
				t.Errorf("got %s, %v, want %s", got, err, test.want)
			case !test.ok && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	got, err := fence.Reader{API: cloudFormation{stacks: stack, detail: detail}}.Read(t.Context())
	if err != nil || !got.Updated.Equal(noon) || !got.Changed.Equal(noon.Add(time.Second)) || got.ResourceType != chain.ResourceType || time.Since(got.At) > time.Minute {
		t.Errorf("got %+v, %v", got, err)
	}
}
