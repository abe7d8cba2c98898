package provider_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/proof/world"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/provider"
	"sgchain/lambda/internal/sg"
)

const (
	stackID     = "arn:aws:cloudformation:us-east-1:123456789012:stack/Shop/6b1e1c10-0000-11ee-8c99-0242ac120002"
	functionARN = "arn:aws:lambda:us-east-1:123456789012:function:Provider"
	vpcID       = "vpc-0123456789abcdef0"
	signature   = "5ecre7"
	latency     = 100 * time.Millisecond
)

// Another stack, by its name and its ID.
const (
	otherName    = "Front"
	stackOfOther = "arn:aws:cloudformation:us-east-1:123456789012:stack/Front/7c1e1c10-0000-11ee-8c99-0242ac120002"
)

// stack is CloudFormation's record of one stack with one chain, as the fence reads it.
type stack struct {
	mu         sync.Mutex
	status     string
	updated    time.Time
	resource   string // status; empty if the stack has no such resource
	kind       string
	physicalID string
	changed    time.Time
	err        error
	reads      int
	gone       string // a stack that does not exist
	hidden     string // a stack that must not be read
	tags       map[string]string
	// others has the statuses of further stacks, by their ID, and of further resources.
	others map[string]string
	root   string // the stack that this one is nested in
	// othersChanged is when those changed. othersID is the physical ID of those resources.
	othersChanged time.Time
	othersID      string
	script        []func(*stack) // changes before the following reads
}

func (s *stack) set(status, resource, physicalID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.resource, s.physicalID = status, resource, physicalID
	s.changed = time.Now()
}

// notFound is CloudFormation's error for what it does not know.
func notFound(what string) error {
	return world.NewError("ValidationError", what+" does not exist")
}

func (s *stack) DescribeStacks(ctx context.Context, in *cloudformation.DescribeStacksInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	noteStatus("DescribeStacks", aws.ToString(in.StackName))
	if len(s.script) > 0 {
		s.script[0](s)
		s.script = s.script[1:]
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case s.err != nil:
		return nil, s.err
	case s.hidden != "" && aws.ToString(in.StackName) == s.hidden:
		return nil, world.NewError("AccessDenied", "User: arn:aws:sts::123456789012:assumed-role/Provider/Provider is not authorized to perform: cloudformation:DescribeStacks")
	case s.status == "" || (s.gone != "" && aws.ToString(in.StackName) == s.gone):
		return nil, notFound("Stack with id " + aws.ToString(in.StackName))
	}
	one := types.Stack{StackId: in.StackName, StackStatus: types.StackStatus(cmp.Or(s.others[aws.ToString(in.StackName)], s.status))}
	if s.root != "" {
		one.RootId = aws.String(s.root)
	}
	if aws.ToString(in.StackName) == otherName {
		one.StackId = aws.String(stackOfOther)
	}
	for key, value := range s.tags {
		one.Tags = append(one.Tags, types.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	if !s.updated.IsZero() {
		one.LastUpdatedTime = aws.Time(s.updated)
	}
	return &cloudformation.DescribeStacksOutput{Stacks: []types.Stack{one}}, nil
}

func (s *stack) DescribeStackResource(_ context.Context, in *cloudformation.DescribeStackResourceInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStackResourceOutput, error) {
	noteStatus("DescribeStackResource", aws.ToString(in.StackName))
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return nil, s.err
	}
	status, id, changed := s.resource, s.physicalID, s.changed
	if other, isOther := s.others[aws.ToString(in.LogicalResourceId)]; isOther {
		status, id, changed = other, s.othersID, s.othersChanged
	}
	if status == "" {
		return nil, notFound("Resource " + aws.ToString(in.LogicalResourceId))
	}
	return &cloudformation.DescribeStackResourceOutput{StackResourceDetail: &types.StackResourceDetail{
		ResourceStatus: types.ResourceStatus(status), ResourceType: aws.String(s.kind),
		PhysicalResourceId: aws.String(id), LastUpdatedTimestamp: aws.Time(changed),
	}}, nil
}

// noteStatus records a call of the handler to CloudFormation.
func noteStatus(operation, name string) {
	on := "foreign"
	if strings.HasPrefix(name, "arn:aws:cloudformation:us-east-1:123456789012:stack/") {
		on = "own"
	}
	note(call{Operation: operation, On: on})
}

// mailbox is CloudFormation's bucket.
type mailbox struct {
	mu      sync.Mutex
	answers []cfn.Response
	bodies  [][]byte
	refuse  error
	status  int
}

func (m *mailbox) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		return nil, m.refuse
	}
	status := m.status
	if status == 0 {
		status = http.StatusOK
		var answer cfn.Response
		if err := json.Unmarshal(body, &answer); err != nil {
			return nil, err
		}
		m.answers, m.bodies = append(m.answers, answer), append(m.bodies, body)
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Request: request}, nil
}

// rig is a handler between a world, a stack and a mailbox.
type rig struct {
	t       testing.TB
	world   *world.World
	ec2     *world.Client // the handler's client
	stack   *stack
	mail    *mailbox
	log     strings.Builder
	logMu   sync.Mutex
	handler *provider.Handler
	serial  int

	stackID, logicalID string
}

func (r *rig) Write(p []byte) (int, error) {
	r.logMu.Lock()
	defer r.logMu.Unlock()
	return r.log.Write(p)
}

func (r *rig) logged() string {
	r.logMu.Lock()
	defer r.logMu.Unlock()
	return r.log.String()
}

// newRig returns a rig. Under a virtual clock every EC2 call takes the same time, so that elapsed
// time counts dependent rounds.
func newRig(tb testing.TB) *rig {
	tb.Helper()
	r := &rig{t: tb, world: &world.World{}, stack: &stack{kind: chain.ResourceType}, mail: &mailbox{}, stackID: stackID, logicalID: "Chain"}
	r.world.AddVPC(vpcID)
	r.world.After = noteCall
	r.ec2 = r.world.Client("handler")
	log := slog.New(slog.NewJSONHandler(r, nil))
	r.handler = &provider.Handler{
		EC2: r.ec2, CloudFormation: r.stack, Provider: ownProvider, Limiter: &sg.Limiter{}, Log: log,
		Responder: protocol.Responder{Region: "us-east-1", Suffix: "amazonaws.com", Client: &http.Client{Transport: r.mail}, Log: log},
		LogPlace:  "CloudWatch log group /aws/lambda/Provider, stream 1",
	}
	return r
}

type properties = map[string]any

// props returns the properties of a chain in the usual VPC.
func props(tiers ...any) properties {
	p := properties{"VpcId": vpcID, "ServiceToken": functionARN, "ServiceTimeout": "1020"}
	if len(tiers) > 0 {
		p["Tiers"] = tiers
	}
	return p
}

func (r *rig) event(kind cfn.RequestType, physicalID string, now, old properties) protocol.Event {
	r.serial++
	return protocol.Event{
		RequestType: kind, RequestID: fmt.Sprintf("request-%d", r.serial), ResourceType: chain.ResourceType,
		ResponseURL: "https://cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com/answer?X-Amz-Date=" +
			time.Now().UTC().Format("20060102T150405Z") + "&X-Amz-Signature=" + signature,
		PhysicalResourceID: physicalID, LogicalResourceID: r.logicalID, StackID: r.stackID, ResourceProperties: now, OldResourceProperties: old,
	}
}

// deliver delivers an event as Lambda does, and returns the answer, or an empty one.
func (r *rig) deliver(event protocol.Event) cfn.Response {
	answer, err := r.deliverIn(10*time.Minute, event)
	if err != nil {
		r.t.Logf("handler: %v", err)
	}
	return answer
}

func (r *rig) deliverIn(limit time.Duration, event protocol.Event) (cfn.Response, error) {
	raw, err := json.Marshal(event)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.deliverRaw(limit, event, raw)
}

// deliverRaw delivers an event whose JSON differs from the handler's encoding.
func (r *rig) deliverRaw(limit time.Duration, event protocol.Event, raw []byte) (cfn.Response, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.t.Context()), limit)
	defer cancel()
	r.mail.mu.Lock()
	before := len(r.mail.answers)
	r.mail.mu.Unlock()
	err := r.handler.Handle(ctx, functionARN, raw)
	r.mail.mu.Lock()
	defer r.mail.mu.Unlock()
	for _, answer := range r.mail.answers[before:] { // others may share the handler
		if answer.RequestID == event.RequestID && answer.StackID == event.StackID && answer.LogicalResourceID == event.LogicalResourceID {
			return answer, err
		}
	}
	return cfn.Response{}, err
}

// create simulates rows 1 and 2: a Create, and its end.
func (r *rig) create(now properties) cfn.Response {
	r.stack.set("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
	answer := r.deliver(r.event(cfn.RequestCreate, "", now, nil))
	if answer.Status == cfn.StatusSuccess {
		r.stack.set("CREATE_COMPLETE", "CREATE_COMPLETE", answer.PhysicalResourceID)
	}
	return answer
}

// update simulates an Update up to its answer.
func (r *rig) update(physicalID string, now, old properties) cfn.Response {
	r.stack.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", physicalID)
	r.stack.updated = time.Now()
	answer := r.deliver(r.event(cfn.RequestUpdate, physicalID, now, old))
	if answer.Status == cfn.StatusSuccess {
		r.stack.set("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", answer.PhysicalResourceID)
	}
	return answer
}

// rollback simulates the Update that undoes another one.
func (r *rig) rollback(physicalID string, now, old properties) cfn.Response {
	r.stack.set("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS", physicalID)
	answer := r.deliver(r.event(cfn.RequestUpdate, physicalID, now, old))
	if answer.Status == cfn.StatusSuccess {
		r.stack.set("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_COMPLETE", answer.PhysicalResourceID)
	}
	return answer
}

// cleanup simulates the Delete of a replaced physical ID.
func (r *rig) cleanup(status, physicalID, recorded string, now properties) cfn.Response {
	r.stack.set(status, "UPDATE_COMPLETE", recorded)
	return r.deliver(r.event(cfn.RequestDelete, physicalID, now, nil))
}

// destroy simulates the Delete of a stack.
func (r *rig) destroy(physicalID string, now properties) cfn.Response {
	r.stack.set("DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", physicalID)
	return r.deliver(r.event(cfn.RequestDelete, physicalID, now, nil))
}

func (r *rig) succeeds(answer cfn.Response) cfn.Response {
	r.t.Helper()
	if answer.Status != cfn.StatusSuccess {
		r.t.Fatalf("answered %s: %s\n%s", answer.Status, answer.Reason, r.logged())
	}
	return answer
}

func (r *rig) fails(answer cfn.Response, words ...string) cfn.Response {
	r.t.Helper()
	if answer.Status != cfn.StatusFailed {
		r.t.Fatalf("answered %q, want FAILED", answer.Status)
	}
	for _, word := range words {
		if !strings.Contains(answer.Reason, word) {
			r.t.Errorf("reason %q lacks %q", answer.Reason, word)
		}
	}
	return answer
}

// forget resets the count of calls.
func (r *rig) forget() {
	r.world.Forget()
	r.ec2.Forget()
}

// attach adds a network interface with groups, or removes it.
func (r *rig) attach(id, description string, groups ...string) {
	r.t.Helper()
	if err := r.world.Attach(id, description, groups...); err != nil {
		r.t.Error(err)
	}
}
