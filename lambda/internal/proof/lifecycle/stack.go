package lifecycle

import (
	"context"
	"fmt"
	"maps"
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
	// RollbackShowsTags is whose tags the stack shows while an Update is rolled back: "old", or "new" until it is done.
	RollbackShowsTags string `json:",omitempty"`
}

// Function is the Lambda function under test: it serves one delivery of an event.
type Function func(ctx context.Context, delivery Delivery) error

// Delivery is one invocation: an event, and the function's ways out.
type Delivery struct {
	Event          []byte
	EC2            *world.Client
	CloudFormation Status
	Mail           *Mail
	// Repairs says that the function may repair, Moves that it serves MovedFrom.
	Repairs, Moves bool
}

// CloudFormation plays one stack with one chain, and another stack to which that may move.
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
	// Repairs lets the function repair, which an action asks for, Movable serve MovedFrom.
	Repairs, Movable bool
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
	// Freed reports whether a text names a group that the chain released.
	Freed func(text string) bool
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

	*shared
	here Place // that operations are about; Home where it is not set
}

// shared is what operations have in common that go on side by side.
type shared struct {
	mu       sync.Mutex
	stacks   map[string]*record // by ID
	sites    map[Place]*site
	main     Place // that dependents use; Home where it is not set
	requests map[string]*request
	// encodings are properties that were sent.
	encodings []encoding
	serial    int
	running   sync.WaitGroup
	members   []Member
	// abandoned says that CloudFormation gave up a resource whose Delete failed three
	// times, and knows nothing of it any more.
	abandoned bool
	pure      Place             // of a chain that takes groups over: nothing but their tags is written for it
	overlaps  bool              // two operations go on at once
	refused   bool              // an answer said that a group has not room for the rules
	crowded   bool              // the same for tags
	shown     map[string]string // the stack's tags in the last rollback
}

// StackID and LogicalID are the place of the one chain, as long as it does not move.
const (
	StackID     = "arn:aws:cloudformation:us-east-1:123456789012:stack/Shop/6b1e1c10-0000-11ee-8c99-0242ac120002"
	LogicalID   = "Chain"
	FunctionARN = "arn:aws:lambda:us-east-1:123456789012:function:Provider"
	resourceOf  = "Custom::SecurityGroupChain"
)

// record is what CloudFormation knows of a stack.
type record struct {
	status    string
	updated   time.Time
	resources map[string]resource // by logical ID; a map is never changed
	tags      map[string]string   // the stack's

	past []reading
}

type resource struct {
	status, id string
	changed    time.Time
}

// reading is the record at a moment, for readers that are behind.
type reading struct {
	at        time.Time
	status    string
	update    time.Time
	resources map[string]resource
	tags      map[string]string
}

// Member is a network interface of somebody who lives in a tier.
type Member struct{ Interface, Tier, Group string }

// set changes what is recorded. An empty resource status leaves it as it is.
func (c *CloudFormation) set(stack, resourceStatus, id string) {
	c.mu.Lock()
	place := c.place()
	record := c.stackOf(place.StackID)
	record.status = stack
	record.show(place.LogicalID, resourceStatus, id)
	record.past = append(record.past, reading{at: time.Now(), status: record.status, update: record.updated, tags: record.tags, resources: record.resources})
	c.mu.Unlock()
	c.step("stack %s, resource%s %s %s", stack, place.suffix(), resourceStatus, id)
}

// show changes what is recorded of a resource.
func (r *record) show(logicalID, status, id string) {
	was := r.resources[logicalID]
	if status == "" || (status != absent && was.status == status && was.id == id) {
		return
	}
	all := maps.Clone(r.resources)
	if all == nil {
		all = map[string]resource{}
	}
	if all[logicalID] = (resource{status: status, id: id, changed: time.Now()}); status == absent {
		delete(all, logicalID)
	}
	r.resources = all
}

// absent is the status of a resource that the stack does not list.
const absent = "ABSENT"

func (c *CloudFormation) begin() {
	c.mu.Lock()
	c.stackOf(c.place().StackID).updated = time.Now()
	c.mu.Unlock()
	c.set("UPDATE_IN_PROGRESS", "", "")
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
	return c.recorded(c.place()).id
}

// StackStatus is the stack's status.
func (c *CloudFormation) StackStatus() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stackOf(c.place().StackID).status
}

// GroupIDs are the groups of the tiers as they were answered last to those who use them.
func (c *CloudFormation) GroupIDs() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.siteOf(c.mainPlace()).tiers
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

// read shows a stack, by its ID or its name; one without a status is not there.
func (s Status) read(stack string) (id string, now reading, err error) {
	if s.client.IsCut() {
		return "", reading{}, world.ErrCut
	}
	if s.denied {
		return "", reading{}, world.NewError("AccessDenied", "User: arn:aws:sts::123456789012:assumed-role/Provider/Provider is not authorized to perform: cloudformation:DescribeStackResource")
	}
	s.cf.mu.Lock()
	defer s.cf.mu.Unlock()
	id, past := s.cf.find(stack)
	then := time.Now().Add(-s.behind)
	for _, one := range slices.Backward(past) {
		if !one.at.After(then) {
			return id, one, nil
		}
	}
	if len(past) > 0 {
		return id, past[0], nil
	}
	return id, reading{}, nil
}

// DescribeStacks shows a stack.
func (s Status) DescribeStacks(ctx context.Context, in *cloudformation.DescribeStacksInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	id, now, err := s.read(aws.ToString(in.StackName))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, err
	case now.status == "":
		return nil, world.NewError("ValidationError", "Stack with id "+aws.ToString(in.StackName)+" does not exist")
	}
	one := types.Stack{StackId: aws.String(id), StackName: aws.String(stackName(id)), StackStatus: types.StackStatus(now.status), CreationTime: aws.Time(time.Unix(946684800, 0).UTC())}
	for key, value := range now.tags {
		one.Tags = append(one.Tags, types.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	if !now.update.IsZero() {
		one.LastUpdatedTime = aws.Time(now.update)
	}
	return &cloudformation.DescribeStacksOutput{Stacks: []types.Stack{one}}, nil
}

// DescribeStackResource shows a resource of a stack.
func (s Status) DescribeStackResource(ctx context.Context, in *cloudformation.DescribeStackResourceInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStackResourceOutput, error) {
	id, now, err := s.read(aws.ToString(in.StackName))
	one := now.resources[aws.ToString(in.LogicalResourceId)]
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, err
	case one.status == "":
		return nil, world.NewError("ValidationError", "Resource "+aws.ToString(in.LogicalResourceId)+" does not exist for stack "+aws.ToString(in.StackName))
	}
	detail := &types.StackResourceDetail{
		StackId: aws.String(id), StackName: aws.String(stackName(id)), LogicalResourceId: in.LogicalResourceId,
		ResourceStatus: types.ResourceStatus(one.status), ResourceType: aws.String(resourceOf), LastUpdatedTimestamp: aws.Time(one.changed),
	}
	if one.id != "" {
		detail.PhysicalResourceId = aws.String(one.id)
	}
	return &cloudformation.DescribeStackResourceOutput{StackResourceDetail: detail}, nil
}

// background is the context of what CloudFormation does by itself.
func (c *CloudFormation) background() context.Context {
	return context.Background() //nolint:forbidigo // nobody waits for it
}
