package inventory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/describe"
	"sgchain/lambda/internal/proof/world"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/provider"
	"sgchain/lambda/internal/sg"
	"sgchain/lambda/inventory"
)

const (
	vpcID     = "vpc-0123456789abcdef0"
	peerVPC   = "vpc-0fedcba9876543210"
	region    = "us-east-1"
	stackID   = "arn:aws:cloudformation:us-east-1:123456789012:stack/Shop/6b1e1c10-0000-11ee-8c99-0242ac120002"
	providerA = "arn:aws:cloudformation:us-east-1:123456789012:stack/Provider/1"
)

// account is a simulated account with the provider in it.
type account struct {
	t       testing.TB
	world   *world.World
	handler *provider.Handler
	status  string // of the stack
	// physicalID is the recorded ID of the current chain, logicalID its logical ID.
	physicalID, logicalID string
	answer                cfn.Response
	serial                int
}

func newAccount(tb testing.TB, options ...world.VPCOption) *account {
	tb.Helper()
	a := &account{t: tb, world: &world.World{}, logicalID: "Chain"}
	a.world.AddVPC(vpcID, options...)
	a.world.AddVPC(peerVPC)
	a.world.Peer(vpcID, peerVPC)
	log := slog.New(slog.DiscardHandler)
	a.handler = &provider.Handler{
		EC2: a.world.Client("handler"), CloudFormation: a, Provider: providerA, Limiter: &sg.Limiter{}, Log: log,
		Responder: protocol.Responder{Region: region, Suffix: "amazonaws.com", Client: &http.Client{Transport: a}, Log: log},
	}
	return a
}

func (a *account) DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	return &cloudformation.DescribeStacksOutput{Stacks: []cfntypes.Stack{{StackStatus: cfntypes.StackStatus(a.status)}}}, nil
}

func (a *account) DescribeStackResource(context.Context, *cloudformation.DescribeStackResourceInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStackResourceOutput, error) {
	return &cloudformation.DescribeStackResourceOutput{StackResourceDetail: &cfntypes.StackResourceDetail{
		ResourceStatus: cfntypes.ResourceStatus(a.status), ResourceType: aws.String(chain.ResourceType),
		PhysicalResourceId: aws.String(a.physicalID), LastUpdatedTimestamp: aws.Time(time.Now()),
	}}, nil
}

// RoundTrip receives responses as CloudFormation's bucket does.
func (a *account) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	a.answer = cfn.Response{}
	if err := json.Unmarshal(body, &a.answer); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: request}, nil
}

// deploy has the provider create the chain, or update it if old is set.
func (a *account) deploy(now, old map[string]any) cfn.Response {
	a.serial++
	event := protocol.Event{
		RequestType: cfn.RequestCreate, RequestID: fmt.Sprint("request-", a.serial), ResourceType: chain.ResourceType,
		ResponseURL: "https://cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com/answer?X-Amz-Date=" +
			time.Now().UTC().Format("20060102T150405Z") + "&X-Amz-Signature=5ecre7",
		PhysicalResourceID: a.physicalID, LogicalResourceID: a.logicalID, StackID: stackID, ResourceProperties: now, OldResourceProperties: old,
	}
	a.status = "CREATE_IN_PROGRESS"
	if old != nil {
		event.RequestType, a.status = cfn.RequestUpdate, "UPDATE_IN_PROGRESS"
	}
	raw, err := json.Marshal(event)
	if err != nil {
		a.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(a.t.Context(), 10*time.Minute)
	defer cancel()
	if err := a.handler.Handle(ctx, "arn:aws:lambda:us-east-1:123456789012:function:Provider", raw); err != nil {
		a.t.Logf("handler: %v", err)
	}
	a.physicalID = a.answer.PhysicalResourceID
	return a.answer
}

// writes lists the provider's writes since calls were last forgotten.
func (a *account) writes() []world.Call {
	return slices.DeleteFunc(a.world.Calls(), func(call world.Call) bool { return call.Client != "handler" || !call.Write })
}

// disown removes the ownership tags from all groups and rules, so that they have another owner again.
func (a *account) disown() {
	client := a.world.Client("somebody")
	for _, id := range a.world.Groups() {
		resources := []string{id}
		for rule := range a.world.RuleTags(id) {
			resources = append(resources, rule)
		}
		var tags []types.Tag
		for _, key := range []string{chain.TagProvider, chain.TagStackID, chain.TagLogicalID, chain.TagTier, chain.TagChain, chain.TagAdopted} {
			tags = append(tags, types.Tag{Key: aws.String(key)})
		}
		for _, resource := range resources {
			if !strings.HasPrefix(resource, "sg") {
				continue
			}
			if _, err := client.DeleteTags(a.t.Context(), &ec2.DeleteTagsInput{Resources: []string{resource}, Tags: tags}); err != nil {
				a.t.Fatal(err)
			}
		}
	}
}

// read reads the groups of the VPC.
func (a *account) read() inventory.Inventory {
	read, err := inventory.Read(a.t.Context(), a.world.Client("reader"), inventory.Selection{VPCID: vpcID, Region: region})
	if err != nil {
		a.t.Fatal(err)
	}
	return read
}

// groupsOf converts groups to those of package describe.
func groupsOf(read inventory.Inventory) []describe.Group {
	var groups []describe.Group
	for _, group := range read.Groups {
		groups = append(groups, describe.Group(group))
	}
	return groups
}

// imported describes the groups in one chain.
func imported(read inventory.Inventory) (describe.Chain, describe.Proof, error) {
	tiers, _ := describe.Choose(groupsOf(read), describe.Options{Account: read.Found.Account})
	chains, err := describe.Chains(tiers, read.Found)
	if err != nil {
		return describe.Chain{}, describe.Proof{}, err
	}
	if len(chains) != 1 {
		return describe.Chain{}, describe.Proof{}, fmt.Errorf("%d chains", len(chains))
	}
	return chains[0], chains[0].Prove(tiers, read.Found), nil
}

func text(properties map[string]any) string {
	text, err := json.MarshalIndent(properties, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
