package stand

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/smithy-go"
)

// Account is one account in one Region: a MiniStack's, or a real one.
type Account struct {
	Region string
	// BaseEndpoint is the endpoint of every call. If empty, each service has its own.
	BaseEndpoint string
	Credentials  aws.CredentialsProvider
	// Interval is the time between two polls.
	Interval time.Duration
}

// emulated returns the account of a MiniStack, which checks no signature.
func emulated(endpoint string) Account {
	return Account{
		Region: Region, BaseEndpoint: endpoint, Interval: pollInterval,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	}
}

// CloudFormation returns a client of the account's CloudFormation.
func (a *Account) CloudFormation() *cloudformation.Client {
	return cloudformation.New(cloudformation.Options{Region: a.Region, Credentials: a.Credentials, BaseEndpoint: a.endpoint()})
}

// EC2 returns a client of the account's EC2.
func (a *Account) EC2() *ec2.Client {
	return ec2.New(ec2.Options{Region: a.Region, Credentials: a.Credentials, BaseEndpoint: a.endpoint()})
}

func (a *Account) endpoint() *string {
	if a.BaseEndpoint == "" {
		return nil
	}
	return aws.String(a.BaseEndpoint)
}

// Stack returns the current stack with a name or ARN, or nil if it does not exist.
func (a *Account) Stack(ctx context.Context, name string) (*cfntypes.Stack, error) {
	out, err := a.CloudFormation().DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if api, refused := errors.AsType[smithy.APIError](err); refused && api.ErrorCode() == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist") {
		return nil, nil //nolint:nilnil // a missing stack is no failure
	}
	if err != nil {
		return nil, fmt.Errorf("describing stack (%s): %w", name, err)
	}
	if len(out.Stacks) != 1 {
		return nil, fmt.Errorf("describing stack (%s): %d stacks", name, len(out.Stacks))
	}
	if out.Stacks[0].StackStatus == cfntypes.StackStatusDeleteComplete {
		return nil, nil //nolint:nilnil // the same
	}
	return &out.Stacks[0], nil
}

// Settle waits until no operation of the stack is in progress, and returns it as Stack does.
func (a *Account) Settle(ctx context.Context, name string) (*cfntypes.Stack, error) {
	var stack *cfntypes.Stack
	err := a.Poll(ctx, "waiting for stack ("+name+")", func() (bool, error) {
		var err error
		stack, err = a.Stack(ctx, name)
		return stack == nil || OperationEnded(stack.StackStatus), err
	})
	return stack, err
}

// OperationEnded reports whether no operation of a stack is in progress. That includes a stack that waits for
// its change set: it never changes by itself.
func OperationEnded(status cfntypes.StackStatus) bool {
	return !strings.HasSuffix(string(status), "_IN_PROGRESS") || status == cfntypes.StackStatusReviewInProgress
}

// Output is one output of a stack.
type Output struct{ Key, Value string }

// Outputs returns the stack's outputs, sorted by key.
func (a *Account) Outputs(ctx context.Context, name string) ([]Output, error) {
	stack, err := a.Stack(ctx, name)
	if err != nil {
		return nil, err
	}
	if stack == nil {
		return nil, fmt.Errorf("reading outputs: no stack (%s)", name)
	}
	var list []Output
	for _, output := range stack.Outputs {
		list = append(list, Output{Key: aws.ToString(output.OutputKey), Value: aws.ToString(output.OutputValue)})
	}
	slices.SortFunc(list, func(a, b Output) int { return strings.Compare(a.Key, b.Key) })
	return list, nil
}

// Failures returns the stack's events about failed resources since a time, oldest first, as
// "logical ID: reason".
func (a *Account) Failures(ctx context.Context, name string, since time.Time) ([]string, error) {
	pages := cloudformation.NewDescribeStackEventsPaginator(a.CloudFormation(),
		&cloudformation.DescribeStackEventsInput{StackName: &name})
	var newest []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("describing stack events (%s): %w", name, err)
		}
		for _, event := range page.StackEvents {
			if !strings.HasSuffix(string(event.ResourceStatus), "_FAILED") || aws.ToTime(event.Timestamp).Before(since) {
				continue
			}
			newest = append(newest, aws.ToString(event.LogicalResourceId)+": "+aws.ToString(event.ResourceStatusReason))
		}
	}
	slices.Reverse(newest)
	return newest, nil
}

// Log returns every line that Lambda functions wrote to a log group, oldest first. If the name
// is empty, it returns the lines of all log groups. This module has no client of CloudWatch
// Logs, so Log makes a plain JSON call.
func (a *Account) Log(ctx context.Context, group string) ([]string, error) {
	groups := []string{group}
	if group == "" {
		var err error
		if groups, err = a.LogGroups(ctx); err != nil {
			return nil, err
		}
	}
	var lines []string
	for _, group := range groups {
		input := map[string]any{"logGroupName": group}
		for {
			var page struct {
				Events    []struct{ Message string }
				NextToken string
			}
			if err := a.logs(ctx, "FilterLogEvents", input, &page); err != nil {
				return nil, err
			}
			for _, event := range page.Events {
				lines = append(lines, strings.TrimRight(event.Message, "\n"))
			}
			if page.NextToken == "" {
				break
			}
			input["nextToken"] = page.NextToken
		}
	}
	return lines, nil
}

// LogGroups returns the names of the first log groups of the account and Region, up to 50.
func (a *Account) LogGroups(ctx context.Context) ([]string, error) {
	var found struct {
		LogGroups []struct{ LogGroupName string }
	}
	if err := a.logs(ctx, "DescribeLogGroups", map[string]any{}, &found); err != nil {
		return nil, err
	}
	names := make([]string, 0, len(found.LogGroups))
	for _, group := range found.LogGroups {
		names = append(names, group.LogGroupName)
	}
	return names, nil
}

// DeleteLogGroup deletes a log group that its stack retained.
func (a *Account) DeleteLogGroup(ctx context.Context, name string) error {
	return a.logs(ctx, "DeleteLogGroup", map[string]any{"logGroupName": name}, &struct{}{})
}

func (a *Account) logs(ctx context.Context, operation string, input, output any) error {
	// https://docs.aws.amazon.com/general/latest/gr/cwl_region.html
	endpoint := cmp.Or(a.BaseEndpoint, "https://logs."+a.Region+".amazonaws.com")
	if a.BaseEndpoint == "" && strings.HasPrefix(a.Region, "cn-") {
		endpoint += ".cn"
	}
	return a.callJSON(ctx, plainCall{endpoint, "logs", "Logs_20140328." + operation}, input, output)
}

// plainCall is a call to a service without a client in this module.
type plainCall struct{ endpoint, service, target string }

// callJSON makes one call to a service with the JSON protocol.
func (a *Account) callJSON(ctx context.Context, call plainCall, input, output any) error {
	body, err := json.Marshal(input)
	if err != nil {
		return fmt.Errorf("calling %s: %w", call.target, err)
	}
	answer, err := a.send(ctx, call.service, plainRequest{http.MethodPost, call.endpoint + "/", body, http.Header{
		"Content-Type": {"application/x-amz-json-1.1"},
		"X-Amz-Target": {call.target},
	}})
	if err != nil {
		return fmt.Errorf("calling %s: %w", call.target, err)
	}
	if err := json.Unmarshal(answer, output); err != nil {
		return fmt.Errorf("calling %s: %w", call.target, err)
	}
	return nil
}

// PutObject stores an object in MiniStack's S3. It creates the bucket if that is missing.
func (m *MiniStack) PutObject(ctx context.Context, bucket, key string, body []byte) error {
	if _, err := m.send(ctx, "s3", plainRequest{http.MethodPut, m.Endpoint() + "/" + bucket, nil, nil}); err != nil {
		return fmt.Errorf("creating bucket (%s): %w", bucket, err)
	}
	if _, err := m.send(ctx, "s3", plainRequest{http.MethodPut, m.Endpoint() + "/" + bucket + "/" + key, body, nil}); err != nil {
		return fmt.Errorf("putting object (%s/%s): %w", bucket, key, err)
	}
	return nil
}

// plainRequest is one HTTP request.
type plainRequest struct {
	method, url string
	body        []byte
	header      http.Header
}

// send signs a request to a service and sends it.
func (a *Account) send(ctx context.Context, service string, plain plainRequest) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, plain.method, plain.url, bytes.NewReader(plain.body))
	if err != nil {
		return nil, err
	}
	maps.Copy(request.Header, plain.header)
	credentials, err := a.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(plain.body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(hash[:]), service, a.Region, time.Now()); err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(answer))
	}
	return answer, nil
}

// Poll calls done until it returns true or an error, or the context ends.
func (a *Account) Poll(ctx context.Context, doing string, done func() (bool, error)) error {
	return poll(ctx, a.Interval, doing, done)
}
