package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"sgchain/lambda/internal/proof/world"
)

// Habits are what CloudFormation may do where its documentation does not say.
type Habits struct {
	// CleanupShows is what is recorded of the resource while a replaced ID is
	// cleaned up: "new" for the new ID at rest, "old" for the old ID being deleted.
	CleanupShows string
	// RemovedShows is the same while a removed resource is cleaned up: "deleting" or
	// "absent".
	RemovedShows string
	// RollbackCarries is the ID that the Update of a rollback carries after a
	// replacement: "new" or "old".
	RollbackCarries string
	// GoneShows is how a deleted stack is described: "deleted" or "absent".
	GoneShows string
	// Undated leaves the date out of the ResponseURL.
	Undated bool
	// InventsAlways gives the Delete of a Create that succeeded and is undone an
	// invented ID.
	InventsAlways bool
	// CleanupBrings is whose properties the Delete of a replaced ID carries: "old" or
	// "new".
	CleanupBrings string
	// CreatesFirst sends the new Create of a resource that stayed CREATE_FAILED
	// before the Delete of the failed one.
	CreatesFirst bool
}

// Function is the Lambda function under test: it serves one delivery of an event.
type Function func(ctx context.Context, delivery Delivery) error

// Delivery is one invocation: an event, and the function's ways out.
type Delivery struct {
	Event          []byte
	EC2            *world.Client
	CloudFormation Status
	Mail           *Mail
	// Repairs says that the function may repair.
	Repairs bool
}

// CloudFormation plays one stack with one chain.
type CloudFormation struct {
	World    *world.World
	Function Function
	Habits   Habits
	// Limit is the function's timeout, and Patience CloudFormation's.
	Limit, Patience time.Duration
	// RetryAfter is when Lambda runs an event again whose run failed, Moves how long
	// one dependent takes to move, Rests how long people take between two operations.
	// Waits bounds what comes late.
	RetryAfter          []time.Duration
	Moves, Rests, Waits time.Duration
	// Repairs lets the function repair, which an action asks for.
	Repairs bool
	// ResponseBase is where answers go, if not to the real bucket's name.
	ResponseBase string
	// OnStep is told what happens, for stories; OnRow which row of the table of
	// lifecycles is played.
	OnStep func(text string)
	// Telling asks for every call to be told as well.
	Telling bool
	OnRow   func(row string)
	// OnRun is told how many calls of EC2 a run made.
	OnRun func(calls int)
	// OnHand lets a stranger act who comes with a fault.
	OnHand func(world.Hand)
	// OnNamesake lets another prefix list take a name, or give it back.
	OnNamesake func()
	// OnLeftOut is told that a way back left rules out, and said so.
	OnLeftOut func()
	// OnOwner lets the owner of a foreign group remove it.
	OnOwner func(pick int)
	// Excused says whether a group that was answered may be gone: a stranger acted.
	Excused func() bool
	// OnMove is called after dependents have moved.
	OnMove func()
	// OnViolation is told of a broken promise towards CloudFormation.
	OnViolation func(promise, text string)
	// OnAnswer is called for every answer.
	OnAnswer func()

	mu       sync.Mutex
	stack    record
	requests map[string]*request
	// encodings are properties that were sent.
	encodings []encoding
	serial    int
	running   sync.WaitGroup
	members   []Member
	failedID  string // of a Create that stayed CREATE_FAILED
	// abandoned says that CloudFormation gave up a resource whose Delete failed three
	// times, and knows nothing of it any more.
	abandoned bool
	skipped   bool // the resource in a rollback that could not be done
	refused   bool // an answer said that a group has not room for the rules
}

// StackID and LogicalID are the place of the one chain.
const (
	StackID     = "arn:aws:cloudformation:us-east-1:123456789012:stack/Shop/6b1e1c10-0000-11ee-8c99-0242ac120002"
	LogicalID   = "Chain"
	FunctionARN = "arn:aws:lambda:us-east-1:123456789012:function:Provider"
	resourceOf  = "Custom::SecurityGroupChain"
)

// record is what CloudFormation knows of the stack.
type record struct {
	status   string
	updated  time.Time
	resource resource
	// properties and answer belong to the last state that was reached.
	properties map[string]any
	tiers      map[string]string // group IDs as they were answered

	past []reading
}

type resource struct {
	status, id string
	changed    time.Time
}

// reading is the record at a moment, for readers that are behind.
type reading struct {
	at     time.Time
	status string
	update time.Time
	resource
}

// Member is a network interface of somebody who lives in a tier.
type Member struct{ Interface, Tier, Group string }

// set changes what is recorded. An empty resource status leaves it as it is.
func (c *CloudFormation) set(stack, resourceStatus, id string) {
	c.mu.Lock()
	c.stack.status = stack
	if resourceStatus != "" && (c.stack.resource.status != resourceStatus || c.stack.resource.id != id) {
		c.stack.resource = resource{status: resourceStatus, id: id, changed: time.Now()}
	}
	if resourceStatus == absent {
		c.stack.resource = resource{}
	}
	c.stack.past = append(c.stack.past, reading{at: time.Now(), status: c.stack.status, update: c.stack.updated, resource: c.stack.resource})
	c.mu.Unlock()
	c.step("stack %s, resource %s %s", stack, resourceStatus, id)
}

// absent is the status of a resource that the stack does not list.
const absent = "ABSENT"

func (c *CloudFormation) begin(stack string) {
	c.mu.Lock()
	c.stack.updated = time.Now()
	c.mu.Unlock()
	c.set(stack, "", "")
}

func (c *CloudFormation) step(format string, args ...any) {
	// Without a story, events are all that is listened to.
	if c.OnStep != nil && (c.Telling || strings.HasPrefix(format, "event ")) {
		c.OnStep(fmt.Sprintf(format, args...))
	}
}

// ID is the physical ID that is recorded.
func (c *CloudFormation) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stack.resource.id
}

// StackStatus is the stack's status.
func (c *CloudFormation) StackStatus() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stack.status
}

// GroupIDs are the groups of the tiers as they were answered last.
func (c *CloudFormation) GroupIDs() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stack.tiers
}

// Members are the dependents of the chain: who lives in which group now.
func (c *CloudFormation) Members() []Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.members)
}

// Status is how one invocation sees the stack: the two describe calls.
type Status struct {
	cf *CloudFormation
	// denied refuses, and behind delays, what is read.
	denied bool
	behind time.Duration
	client *world.Client
}

func (s Status) read() (reading, error) {
	if s.client.IsCut() {
		return reading{}, world.ErrCut
	}
	if s.denied {
		return reading{}, world.NewError("AccessDenied", "User: arn:aws:sts::123456789012:assumed-role/Provider/Provider is not authorized to perform: cloudformation:DescribeStackResource")
	}
	s.cf.mu.Lock()
	defer s.cf.mu.Unlock()
	then := time.Now().Add(-s.behind)
	for _, one := range slices.Backward(s.cf.stack.past) {
		if !one.at.After(then) {
			return one, nil
		}
	}
	return s.cf.stack.past[0], nil
}

// DescribeStacks shows the stack.
func (s Status) DescribeStacks(ctx context.Context, in *cloudformation.DescribeStacksInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	now, err := s.read()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, err
	case now.status == "" || aws.ToString(in.StackName) != StackID:
		return nil, world.NewError("ValidationError", "Stack with id "+aws.ToString(in.StackName)+" does not exist")
	}
	one := types.Stack{StackId: aws.String(StackID), StackName: aws.String("Shop"), StackStatus: types.StackStatus(now.status), CreationTime: aws.Time(time.Unix(946684800, 0).UTC())}
	if !now.update.IsZero() {
		one.LastUpdatedTime = aws.Time(now.update)
	}
	return &cloudformation.DescribeStacksOutput{Stacks: []types.Stack{one}}, nil
}

// DescribeStackResource shows the chain's resource.
func (s Status) DescribeStackResource(ctx context.Context, in *cloudformation.DescribeStackResourceInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStackResourceOutput, error) {
	now, err := s.read()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, err
	case now.resource.status == "" || aws.ToString(in.LogicalResourceId) != LogicalID:
		return nil, world.NewError("ValidationError", "Resource "+aws.ToString(in.LogicalResourceId)+" does not exist for stack "+StackID)
	}
	detail := &types.StackResourceDetail{
		StackId: aws.String(StackID), StackName: aws.String("Shop"), LogicalResourceId: aws.String(LogicalID),
		ResourceStatus: types.ResourceStatus(now.resource.status), ResourceType: aws.String(resourceOf), LastUpdatedTimestamp: aws.Time(now.changed),
	}
	if now.id != "" {
		detail.PhysicalResourceId = aws.String(now.id)
	}
	return &cloudformation.DescribeStackResourceOutput{StackResourceDetail: detail}, nil
}

// background is the context of what CloudFormation does by itself.
func (c *CloudFormation) background() context.Context {
	return context.Background() //nolint:forbidigo // nobody waits for it
}
