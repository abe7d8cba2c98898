package fence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/task"
)

// Reading is the state of a stack and one of its resources in CloudFormation at a
// moment.
type Reading struct {
	// At is the time before the reading: the state is at least as new.
	At time.Time
	// Stack is the stack's status, and StackID its ID. Both are empty if the stack does not exist.
	Stack, StackID string
	// RootID is the ID of the root stack if this stack is nested.
	RootID string
	// Updated is when the stack's last update began, or zero if there was none.
	Updated time.Time
	// Tags are the stack's tags.
	Tags map[string]string
	// Resource is the resource's status, or empty if the stack has no such
	// resource.
	Resource string
	// ResourceType and PhysicalID are the recorded ones of the resource.
	ResourceType, PhysicalID string
	// Changed is when the resource's status last changed.
	Changed time.Time
}

// String formats the reading for messages.
func (r Reading) String() string {
	stack, resource := "the stack does not exist", "it has no such resource"
	if r.Stack != "" {
		stack = "the stack is " + r.Stack
	}
	if r.Resource != "" {
		resource = "the resource is " + r.Resource
	}
	if r.Resource != "" && r.PhysicalID != "" {
		resource += " as " + r.PhysicalID
	}
	return stack + ", " + resource
}

const (
	// deleted is the status of a deleted stack or resource, as long as CloudFormation shows it.
	deleted = "DELETE_COMPLETE"
	// skipped is the status of a retained resource.
	skipped = "DELETE_SKIPPED"
)

// Reader reads the state of one resource.
type Reader struct {
	API      API
	Resource chain.Resource
}

// Read reads the stack and the resource concurrently.
func (r Reader) Read(ctx context.Context) (Reading, error) {
	reading := Reading{At: time.Now()}
	done := make(chan error, 1)
	go func() { done <- task.Run(func() error { return r.readResource(ctx, &reading) }) }()
	stack, err := r.readStack(ctx)
	if err := errors.Join(err, <-done); err != nil {
		return Reading{}, err
	}
	reading.RootID = aws.ToString(stack.RootId)
	reading.Stack, reading.StackID, reading.Updated = string(stack.StackStatus), aws.ToString(stack.StackId), aws.ToTime(stack.LastUpdatedTime)
	reading.Tags = make(map[string]string, len(stack.Tags))
	for _, tag := range stack.Tags {
		reading.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return reading, nil
}

// Exists reports whether the stack has the resource and is not being deleted. A resource that is itself being deleted still exists; see
// [Reading.IsLeaving].
func (r Reading) Exists() bool {
	return r.Stack != "" && !isDelete(r.Stack) && r.Resource != "" && r.Resource != deleted && r.Resource != skipped
}

// IsLeaving reports whether the resource is being deleted.
func (r Reading) IsLeaving() bool { return isDelete(r.Resource) }

// IsInProgress reports whether an operation of the resource is in progress.
func (r Reading) IsInProgress() bool { return strings.HasSuffix(r.Resource, inProgress) }

// StackInProgress reports whether an operation of the stack is in progress.
func (r Reading) StackInProgress() bool { return strings.HasSuffix(r.Stack, inProgress) }

// readStack returns the stack, or the zero Stack if it does not exist.
func (r Reader) readStack(ctx context.Context) (types.Stack, error) {
	output, err := r.API.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String(r.Resource.StackID)})
	switch {
	case isAbsent(err):
		return types.Stack{}, nil
	case err != nil:
		return types.Stack{}, fmt.Errorf("describing stack (%s): %w", r.Resource.StackID, err)
	case len(output.Stacks) != 1:
		return types.Stack{}, fmt.Errorf("describing stack (%s): CloudFormation answered with %d stacks", r.Resource.StackID, len(output.Stacks))
	}
	return output.Stacks[0], nil
}

// IsGone reports whether a stack no longer exists or no longer has a resource. A group that was
// removed from a template with DeletionPolicy Retain keeps the tags of CloudFormation. While
// another stack is changing, a resource that it may be removing counts as existing.
func (r Reader) IsGone(ctx context.Context, resource chain.Resource) (bool, error) {
	other := Reader{API: r.API, Resource: resource}
	stack, err := other.readStack(ctx)
	status := string(stack.StackStatus)
	switch {
	case err != nil:
		return false, err
	case status == "" || status == deleted:
		return true, nil
	case resource.LogicalID == "" || (strings.HasSuffix(status, inProgress) && resource.StackID != r.Resource.StackID):
		return false, nil
	}
	var reading Reading
	err = other.readResource(ctx, &reading)
	return err == nil && (reading.Resource == "" || reading.Resource == deleted || reading.Resource == skipped), err
}

func (r Reader) readResource(ctx context.Context, reading *Reading) error {
	output, err := r.API.DescribeStackResource(ctx, &cloudformation.DescribeStackResourceInput{
		StackName: aws.String(r.Resource.StackID), LogicalResourceId: aws.String(r.Resource.LogicalID),
	})
	switch {
	case isAbsent(err):
		return nil
	case err != nil:
		return fmt.Errorf("describing stack resource (%s): %w", r.Resource.LogicalID, err)
	case output.StackResourceDetail == nil:
		return fmt.Errorf("describing stack resource (%s): CloudFormation answered without it", r.Resource.LogicalID)
	}
	detail := output.StackResourceDetail
	reading.Resource = string(detail.ResourceStatus)
	reading.ResourceType = aws.ToString(detail.ResourceType)
	reading.PhysicalID = aws.ToString(detail.PhysicalResourceId)
	reading.Changed = aws.ToTime(detail.LastUpdatedTimestamp)
	return nil
}

// isAbsent reports whether CloudFormation knows no such stack or resource. The error code
// for that also means other mistakes ("ValidationError"), so the text decides. It is "Stack
// with id X does not exist" or "Resource Y does not exist for stack X".
func isAbsent(err error) bool {
	var api interface {
		ErrorCode() string
		ErrorMessage() string
	}
	return errors.As(err, &api) && api.ErrorCode() == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist")
}
