//go:build e2e

package lifecycle_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"sgchain/lambda/internal/proof/lifecycle"
)

// bootstrap compiles the Lambda for this machine, with the build tags of the deployed one.
func bootstrap(t *testing.T) string {
	t.Helper()
	root := filepath.Join("..", "..", "..", "..")
	source, err := os.ReadFile(filepath.Join(root, "cdk", "bootstrap", "bootstrap.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(source), "const tags = \"")
	tags, _, _ := strings.Cut(rest, "\"")
	if !found || tags == "" {
		t.Fatal("the build tags of the Lambda were not found")
	}
	file := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", tags, "-trimpath", "-o", file, "./lambda")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return file
}

// service is the Lambda service and AWS for one invocation: the Runtime API, EC2, CloudFormation
// and the bucket for answers.
type service struct {
	delivery lifecycle.Delivery
	event    []byte
	deadline time.Time
	served   sync.Once
	result   chan error
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const invocation = "/2018-06-01/runtime/invocation/"
	switch {
	case strings.HasPrefix(r.URL.Path, "/ec2"):
		s.delivery.EC2.ServeHTTP(w, r)
	case strings.HasPrefix(r.URL.Path, "/cfn"):
		s.describe(w, r)
	case r.URL.Path == invocation+"next":
		s.next(w, r)
	case strings.HasPrefix(r.URL.Path, invocation) && strings.HasSuffix(r.URL.Path, "/response"):
		w.WriteHeader(http.StatusAccepted)
		s.result <- nil
	case strings.HasPrefix(r.URL.Path, invocation):
		text, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		s.result <- fmt.Errorf("the function failed: %s", text)
	case r.Method == http.MethodPut:
		reply, err := s.delivery.Bucket.RoundTrip(r) //nolint:bodyclose // it has no body
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(reply.StatusCode)
	default:
		http.NotFound(w, r)
	}
}

// next returns the event once. A second request waits until it is canceled.
func (s *service) next(w http.ResponseWriter, r *http.Request) {
	first := false
	s.served.Do(func() { first = true })
	if !first {
		<-r.Context().Done()
		return
	}
	w.Header().Set("Lambda-Runtime-Aws-Request-Id", "invocation-1")
	w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(s.deadline.UnixMilli(), 10))
	w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", lifecycle.FunctionARN)
	_, _ = w.Write(s.event)
}

// describe answers CloudFormation's two describe calls in its query protocol.
func (s *service) describe(w http.ResponseWriter, r *http.Request) {
	var answer any
	var err error
	switch action := r.FormValue("Action"); action {
	case "DescribeStacks":
		var out *cloudformation.DescribeStacksOutput
		if out, err = s.delivery.CloudFormation.DescribeStacks(r.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String(r.FormValue("StackName"))}); err == nil {
			type tag struct{ Key, Value string }
			type member struct {
				StackName       string
				ID              string `xml:"StackId"`
				StackStatus     string
				CreationTime    string
				LastUpdatedTime string
				Tags            []tag `xml:"Tags>member"`
			}
			stack := out.Stacks[0]
			var tags []tag
			for _, one := range stack.Tags {
				tags = append(tags, tag{*one.Key, *one.Value})
			}
			answer = struct {
				XMLName xml.Name `xml:"DescribeStacksResponse"`
				Member  member   `xml:"DescribeStacksResult>Stacks>member"`
			}{Member: member{*stack.StackName, *stack.StackId, string(stack.StackStatus), stamp(stack.CreationTime), stamp(stack.LastUpdatedTime), tags}}
		}
	case "DescribeStackResource":
		var out *cloudformation.DescribeStackResourceOutput
		if out, err = s.delivery.CloudFormation.DescribeStackResource(r.Context(), &cloudformation.DescribeStackResourceInput{
			StackName: aws.String(r.FormValue("StackName")), LogicalResourceId: aws.String(r.FormValue("LogicalResourceId")),
		}); err == nil {
			type detail struct {
				LogicalID            string `xml:"LogicalResourceId"`
				PhysicalID           string `xml:"PhysicalResourceId"`
				ResourceType         string
				ResourceStatus       string
				LastUpdatedTimestamp string
			}
			one := out.StackResourceDetail
			answer = struct {
				XMLName xml.Name `xml:"DescribeStackResourceResponse"`
				Detail  detail   `xml:"DescribeStackResourceResult>StackResourceDetail"`
			}{Detail: detail{*one.LogicalResourceId, aws.ToString(one.PhysicalResourceId), *one.ResourceType, string(one.ResourceStatus), stamp(one.LastUpdatedTimestamp)}}
		}
	default:
		err = fmt.Errorf("unknown action %q", action)
	}
	if err == nil {
		_ = xml.NewEncoder(w).Encode(answer)
		return
	}
	var api interface{ ErrorCode() string }
	if !errors.As(err, &api) {
		panic(http.ErrAbortHandler)
	}
	var message bytes.Buffer
	_ = xml.EscapeText(&message, []byte(err.Error()))
	w.WriteHeader(http.StatusBadRequest)
	_, _ = fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>1</RequestId></ErrorResponse>", api.ErrorCode(), message.String())
}

// stamp formats a time as CloudFormation does. A missing time becomes one long ago.
func stamp(t *time.Time) string {
	if t == nil {
		return "2000-01-01T00:00:00Z"
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// compiled returns the function as a separate process for each invocation.
func compiled(file string, log io.Writer) lifecycle.Function {
	return func(ctx context.Context, delivery lifecycle.Delivery) error {
		deadline, _ := ctx.Deadline()
		aws := &service{delivery: delivery, deadline: deadline, result: make(chan error, 1)}
		server := httptest.NewServer(aws)
		defer server.Close()
		defer server.CloseClientConnections()
		var event map[string]any
		if err := json.Unmarshal(delivery.Event, &event); err != nil {
			return err
		}
		address, err := url.Parse(fmt.Sprint(event["ResponseURL"]))
		if err != nil {
			return err
		}
		event["ResponseURL"] = server.URL + address.RequestURI()
		if aws.event, err = json.Marshal(event); err != nil {
			return err
		}
		process := exec.Command(file) //nolint:noctx // the deferred Kill ends it, whatever ends the invocation
		process.Env = []string{
			"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(server.URL, "http://"), "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
			"AWS_ENDPOINT_URL_EC2=" + server.URL + "/ec2", "AWS_ENDPOINT_URL_CLOUDFORMATION=" + server.URL + "/cfn",
			"SGCHAIN_EMULATOR_ENDPOINT=" + server.URL, "SGCHAIN_PROVIDER=" + lifecycle.Provider,
		}
		if delivery.Moves {
			process.Env = append(process.Env, "SGCHAIN_MOVES=allow")
		}
		process.Stdout, process.Stderr = log, log
		if err := process.Start(); err != nil {
			return err
		}
		defer func() {
			_ = process.Process.Kill()
			_ = process.Wait()
		}()
		select {
		case err := <-aws.result:
			return err
		case <-delivery.EC2.Ended():
			return errors.New("the process was killed")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tooSlow lists rows that cannot run with the shorter waits of this test. The events of the first
// have to be minutes apart and in order. The request of the second is dated seconds after the
// status.
func tooSlow() []string { return []string{"stale Delete", "cancelled Update, dated later"} }

// TestCompiledRows plays the rows with the compiled bootstrap, each invocation as a process behind
// the Lambda Runtime API. The rows run in parallel, because each waits in real time for older runs.
func TestCompiledRows(t *testing.T) {
	file := bootstrap(t)
	log := &lockedBuffer{}
	outcomes := map[string]lifecycle.Outcome{}
	var mutex sync.Mutex
	var all sync.WaitGroup
	played := slices.DeleteFunc(rows(), func(one row) bool { return slices.Contains(tooSlow(), one.name) })
	for _, one := range played {
		all.Go(func() {
			out := lifecycle.Play(one.history, compiled(file, log), lifecycle.Real(), true)
			mutex.Lock()
			defer mutex.Unlock()
			outcomes[one.name] = out
		})
	}
	all.Wait()
	for _, one := range played {
		t.Run("row "+one.name, func(t *testing.T) {
			out := outcomes[one.name]
			t.Logf("%s\n%s", one.title, strings.Join(out.Story, "\n"))
			if out.Failure != nil {
				t.Error(out.Failure)
			}
			if got := sent(out); !slices.Equal(got, one.sent) {
				t.Errorf("events sent: %q, want %q", got, one.sent)
			}
			if got := left(out.World); !slices.Equal(got, one.left) {
				t.Errorf("groups before the deletion of the stack: %q, want %q", got, one.left)
			}
		})
	}
	if text := log.String(); strings.Contains(text, "X-Amz-Signature") || !strings.Contains(text, `"msg":"answered"`) {
		t.Error("the log shows a pre-signed URL, or nothing")
	}
}

// lockedBuffer is a buffer that many processes write to.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
