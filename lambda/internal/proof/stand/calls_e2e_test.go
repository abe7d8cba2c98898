//go:build e2e

package stand_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/clients"
	"sgchain/lambda/internal/proof/stand"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/provider"
	"sgchain/lambda/internal/sg"
)

// counter is a transport that counts EC2 actions.
type counter struct {
	mu      sync.Mutex
	actions []string
}

func (c *counter) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	action, _, _ := strings.Cut(strings.TrimPrefix(string(body), "Action="), "&")
	if !strings.Contains(action, "Stack") { // the fence makes CloudFormation's calls
		c.mu.Lock()
		c.actions = append(c.actions, action)
		c.mu.Unlock()
	}
	return http.DefaultTransport.RoundTrip(request)
}

func (c *counter) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	actions := c.actions
	c.actions = nil
	slices.Sort(actions)
	return actions
}

// TestCallsOnTheWire counts the requests that the real SDK client sends for the default chain. The
// in-process tests count calls of methods, and the SDK could still retry or add requests.
func TestCallsOnTheWire(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	emulator, err := stand.Start(ctx, filepath.Join(repository(t), "build", "tools", "venv"), folder(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := emulator.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}()
	vpc, err := emulator.EC2().CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.9.0.0/16")})
	if err != nil {
		t.Fatal(err)
	}
	var answer cfn.Response
	mailbox := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		answer = cfn.Response{}
		if err := json.NewDecoder(request.Body).Decode(&answer); err != nil {
			t.Error(err)
		}
	}))
	defer mailbox.Close()

	wire := &counter{}
	environment := map[string]string{
		"AWS_REGION": stand.Region, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": emulator.Endpoint(),
	}
	built, err := clients.New(func(name string) string { return environment[name] }, wire)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	handler := &provider.Handler{
		EC2: built.EC2, CloudFormation: built.CloudFormation, Provider: "arn:provider", Limiter: &sg.Limiter{}, Log: log,
		Responder:     protocol.Responder{Region: stand.Region, Emulator: mailbox.URL, Client: protocol.NewClient(), Log: log},
		FenceOnlyLogs: true, // MiniStack does not have this stack
	}
	deliver := func(kind cfn.RequestType, physicalID string) []string {
		t.Helper()
		properties := map[string]any{"VpcId": aws.ToString(vpc.Vpc.VpcId)}
		raw, err := json.Marshal(cfn.Event{
			RequestType: kind, RequestID: "1", ResponseURL: mailbox.URL + "/answer", ResourceType: chain.ResourceType,
			StackID: "arn:aws:cloudformation:us-east-1:000000000000:stack/Calls/1", LogicalResourceID: "Chain",
			PhysicalResourceID: physicalID, ResourceProperties: properties, OldResourceProperties: properties,
		})
		if err != nil {
			t.Fatal(err)
		}
		within, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if err := handler.Handle(within, "arn:aws:lambda:us-east-1:000000000000:function:Calls", raw); err != nil {
			t.Fatal(err)
		}
		if answer.Status != cfn.StatusSuccess {
			t.Fatalf("%s answered %s: %s", kind, answer.Status, answer.Reason)
		}
		return wire.take()
	}
	for _, step := range []struct {
		kind cfn.RequestType
		want []string
	}{
		{cfn.RequestCreate, []string{
			"AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupIngress", "CreateSecurityGroup", "CreateSecurityGroup",
			"DescribeSecurityGroups", "DescribeSecurityGroups",
		}},
		{cfn.RequestUpdate, []string{"DescribeSecurityGroups"}},
		{cfn.RequestDelete, []string{"DeleteSecurityGroup", "DeleteSecurityGroup", "DescribeNetworkInterfaces", "DescribeSecurityGroups"}},
	} {
		physicalID := ""
		if step.kind != cfn.RequestCreate {
			physicalID = answer.PhysicalResourceID
		}
		if got := deliver(step.kind, physicalID); !slices.Equal(got, step.want) {
			t.Errorf("%s of the default chain calls %v, want %v", step.kind, got, step.want)
		}
	}
}
