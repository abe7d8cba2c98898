package stand

import (
	"bytes"
	"context"
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
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/smithy-go"
)

func credentials() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
	})
}

// CloudFormation is a client of MiniStack's CloudFormation.
func (m *MiniStack) CloudFormation() *cloudformation.Client {
	return cloudformation.New(cloudformation.Options{
		Region: Region, Credentials: credentials(), BaseEndpoint: aws.String(m.Endpoint()),
	})
}

// EC2 is a client of MiniStack's EC2.
func (m *MiniStack) EC2() *ec2.Client {
	return ec2.New(ec2.Options{
		Region: Region, Credentials: credentials(), BaseEndpoint: aws.String(m.Endpoint()),
	})
}

// Stack returns the stack of that name or ARN as it is now, or nil when there is none.
func (m *MiniStack) Stack(ctx context.Context, name string) (*cfntypes.Stack, error) {
	out, err := m.CloudFormation().DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if api, refused := errors.AsType[smithy.APIError](err); refused && api.ErrorCode() == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist") {
		return nil, nil //nolint:nilnil // none is the answer, not a failure
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

// Settle waits until nothing is in progress on the stack, and returns it as Stack does.
func (m *MiniStack) Settle(ctx context.Context, name string) (*cfntypes.Stack, error) {
	var stack *cfntypes.Stack
	err := poll(ctx, "waiting for stack ("+name+")", func() (bool, error) {
		var err error
		stack, err = m.Stack(ctx, name)
		return stack == nil || !strings.HasSuffix(string(stack.StackStatus), "_IN_PROGRESS"), err
	})
	return stack, err
}

// Output is one output of a stack.
type Output struct{ Key, Value string }

// Outputs lists the stack's outputs, sorted by key.
func (m *MiniStack) Outputs(ctx context.Context, name string) ([]Output, error) {
	stack, err := m.Stack(ctx, name)
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

// Failures lists what the stack's events since that moment say about failed resources, oldest
// first: "logical ID: reason".
func (m *MiniStack) Failures(ctx context.Context, name string, since time.Time) ([]string, error) {
	pages := cloudformation.NewDescribeStackEventsPaginator(m.CloudFormation(),
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

// Log returns every line that Lambda functions wrote, group by group, oldest first.
// There is no client of CloudWatch Logs in this module: MiniStack takes the plain JSON call.
func (m *MiniStack) Log(ctx context.Context) ([]string, error) {
	var groups struct {
		LogGroups []struct{ LogGroupName string }
	}
	if err := m.logs(ctx, "DescribeLogGroups", map[string]any{}, &groups); err != nil {
		return nil, err
	}
	var lines []string
	for _, group := range groups.LogGroups {
		input := map[string]any{"logGroupName": group.LogGroupName}
		for {
			var page struct {
				Events    []struct{ Message string }
				NextToken string
			}
			if err := m.logs(ctx, "FilterLogEvents", input, &page); err != nil {
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

func (m *MiniStack) logs(ctx context.Context, operation string, input, output any) error {
	body, err := json.Marshal(input)
	if err != nil {
		return fmt.Errorf("reading the functions' log: %w", err)
	}
	answer, err := m.send(ctx, http.MethodPost, "/", body, http.Header{
		"Content-Type": {"application/x-amz-json-1.1"},
		"X-Amz-Target": {"Logs_20140328." + operation},
	})
	if err != nil {
		return fmt.Errorf("reading the functions' log (%s): %w", operation, err)
	}
	if err := json.Unmarshal(answer, output); err != nil {
		return fmt.Errorf("reading the functions' log (%s): %w", operation, err)
	}
	return nil
}

// PutObject stores an object in MiniStack's S3, and makes the bucket where it is missing.
func (m *MiniStack) PutObject(ctx context.Context, bucket, key string, body []byte) error {
	if _, err := m.send(ctx, http.MethodPut, "/"+bucket, nil, nil); err != nil {
		return fmt.Errorf("creating bucket (%s): %w", bucket, err)
	}
	if _, err := m.send(ctx, http.MethodPut, "/"+bucket+"/"+key, body, nil); err != nil {
		return fmt.Errorf("putting object (%s/%s): %w", bucket, key, err)
	}
	return nil
}

// send makes one unsigned HTTP request; MiniStack checks no signatures.
func (m *MiniStack) send(ctx context.Context, method, path string, body []byte, header http.Header) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, m.Endpoint()+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(request.Header, header)
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
