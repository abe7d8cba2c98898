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

// Habits selects CloudFormation's behavior where its documentation leaves it open.
type Habits struct {
	// CleanupShows is what the record shows during the cleanup of a replaced ID. "new" is the new
	// ID in a COMPLETE status, "old" the old ID being deleted.
	CleanupShows string
	// RemovedShows is what the record shows during the cleanup of a removed resource: "deleting" or
	// "absent".
	RemovedShows string
	// RollbackCarries is the ID in the Update of a rollback after a replacement: "new" or "old".
	RollbackCarries string
	// GoneShows is how a deleted stack is described: "deleted" or "absent".
	GoneShows string
	// Undated leaves the date out of the ResponseURL.
	Undated bool
	// InventsAlways gives an invented ID to the Delete that undoes a successful Create.
	InventsAlways bool
	// CleanupBrings is whose properties the Delete of a replaced ID has: "old" or "new".
	CleanupBrings string
	// CreatesFirst sends the new Create of a resource that stayed CREATE_FAILED before the Delete
	// of the failed one.
	CreatesFirst bool
	// RollbackShowsTags is whose tags the stack shows during the rollback of an Update: "old", or
	// "new" until it is done.
	RollbackShowsTags string `json:",omitempty"`
}

// Function is the Lambda function under test. It serves one delivery of an event.
type Function func(ctx context.Context, delivery Delivery) error

// Delivery is one invocation: an event, and the function's connections.
type Delivery struct {
	Event          []byte
	EC2            *world.Client
	CloudFormation Status
	Bucket         *Bucket
	// Repairs allows the function to repair, Moves allows MovedFrom.
	Repairs, Moves bool
}

// CloudFormation simulates a stack with one chain, and another stack that the chain may move to.
type CloudFormation struct {
	World    *world.World
	Function Function
	Habits   Habits
	// Limit is the function's timeout, and Patience CloudFormation's.
	Limit, Patience time.Duration
	// RetryAfter is when Lambda retries an event whose run failed. Moves is how long one dependent
	// takes to move, Rests how long people pause between two operations. Waits limits all delays.
	RetryAfter          []time.Duration
	Moves, Rests, Waits time.Duration
	// Repairs allows the function to repair if an action requests it. Movable allows MovedFrom.
	Repairs, Movable bool
	// ResponseBase is the URL for answers; empty means that of the real bucket.
	ResponseBase string
	// OnStep receives what happens, for stories. OnRow receives the row of the lifecycle table that
	// is being played.
	OnStep func(text string)
	// Telling adds every call to the story.
	Telling bool
	OnRow   func(row string)
	// OnRun receives the number of EC2 calls of a run.
	OnRun func(calls int)
	// OnChange makes an out-of-band change that is part of a fault.
	OnChange func(world.OutOfBandChange)
	// OnNamesake gives a name to another prefix list, or frees it again.
	OnNamesake func()
	// OnLeftOut is called if a rollback reports that it left rules out.
	OnLeftOut func()
	// NamesReleased reports whether a text names a group that the chain released.
	NamesReleased func(text string) bool
	// OnOwner removes a group of another account as its owner does.
	OnOwner func(pick int)
	// Excused reports whether an answered group may be gone because of an out-of-band change.
	Excused func() bool
	// OnMove is called after dependents have moved.
	OnMove func()
	// OnViolation receives a broken promise towards CloudFormation.
	OnViolation func(promise, text string)
	// OnAnswer is called for every answer.
	OnAnswer func()

	*shared
	here Place // the place that operations are about; Home if empty
}

// shared is the state that concurrent operations share.
type shared struct {
	mu          sync.Mutex
	stacks      map[string]*record // by ID
	deployments map[Place]*deployment
	main        Place // the place that dependents use; Home if empty
	requests    map[string]*request
	// encodings caches the JSON of sent properties.
	encodings []encoding
	serial    int
	running   sync.WaitGroup
	members   []Member
	// abandoned means that CloudFormation gave up a resource whose Delete failed three times, and
	// has forgotten it.
	abandoned   bool
	onlyTags    Place             // the place of a chain that takes groups over: its runs may write nothing but tags
	overlaps    bool              // two operations are in progress
	refused     bool              // an answer reported that a group has no room for the rules
	tagsRefused bool              // the same for tags
	shown       map[string]string // the stack's tags as shown in the last rollback
}

// StackID and LogicalID are the chain's place until it moves.
const (
	StackID     = "arn:aws:cloudformation:us-east-1:123456789012:stack/Shop/6b1e1c10-0000-11ee-8c99-0242ac120002"
	LogicalID   = "Chain"
	FunctionARN = "arn:aws:lambda:us-east-1:123456789012:function:Provider"
	resourceOf  = "Custom::SecurityGroupChain"
)

// record is what CloudFormation records of a stack.
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

// reading is the record at one moment, for delayed readers.
type reading struct {
	at        time.Time
	status    string
	update    time.Time
	resources map[string]resource
	tags      map[string]string
}

// Member is a dependent of a tier: its network interface and group.
type Member struct{ Interface, Tier, Group string }

// set changes the record. An empty resource status leaves the resource as it is.
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

// show changes the record of a resource.
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
	// Without a story, only events have a listener.
	if c.OnStep != nil && (c.Telling || strings.HasPrefix(format, "event ")) {
		c.OnStep(fmt.Sprintf(format, args...))
	}
}

// ID returns the recorded physical ID.
func (c *CloudFormation) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recorded(c.place()).id
}

// StackStatus returns the stack's status.
func (c *CloudFormation) StackStatus() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stackOf(c.place().StackID).status
}

// GroupIDs returns the tiers' groups of the last answer to the dependents.
func (c *CloudFormation) GroupIDs() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deploymentOf(c.mainPlace()).tiers
}

// Members returns the chain's dependents and their current groups.
func (c *CloudFormation) Members() []Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.members)
}

// Status is one invocation's access to the stack: the two describe calls.
type Status struct {
	cf *CloudFormation
	// denied refuses the calls, behind delays what they show.
	denied bool
	behind time.Duration
	client *world.Client
}

// read returns a stack by its ID or its name. A stack without a status does not exist.
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

// DescribeStacks describes a stack.
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

// DescribeStackResource describes a resource of a stack.
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

// background returns the context of what CloudFormation does on its own.
func (c *CloudFormation) background() context.Context {
	return context.Background() //nolint:forbidigo // no caller waits for it
}
